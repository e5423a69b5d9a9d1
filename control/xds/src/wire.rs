//! The two protocols: what their requests mean to a session, and what a push looks like.

use envoy_types::pb::envoy::config::core::v3::Node;
use envoy_types::pb::envoy::service::discovery::v3::{
    DeltaDiscoveryRequest, DeltaDiscoveryResponse, DiscoveryRequest, DiscoveryResponse,
    Resource as DeltaResource,
};
use envoy_types::pb::google::protobuf::Any;
use envoy_types::pb::google::rpc::Status;
use tenon_translate::{Resource, ResourceType};

use crate::cache::View;
use crate::kind;
use crate::session::{Push, Session};
use crate::subscription::{Protocol, Subscription, Verdicts};

/// A client's answer to a response.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) verdicts: Verdicts,
    /// The text of a NACK.
    pub(crate) nack: Option<String>,
}

/// One of the protocols.
pub(crate) trait Wire: Send + 'static {
    type Request: Send + Sync + 'static;
    type Response: Send + 'static;
    const PROTOCOL: Protocol;

    fn node(request: &Self::Request) -> Option<&Node>;
    fn type_url(request: &Self::Request) -> &str;
    fn receive(
        session: &mut Session,
        kind: ResourceType,
        request: Self::Request,
        view: &View<'_>,
    ) -> Answer;
    fn response(push: Push) -> Self::Response;
}

pub(crate) struct Delta;
pub(crate) struct StateOfTheWorld;

impl Wire for Delta {
    type Request = DeltaDiscoveryRequest;
    type Response = DeltaDiscoveryResponse;
    const PROTOCOL: Protocol = Protocol::Delta;

    fn node(request: &Self::Request) -> Option<&Node> {
        request.node.as_ref()
    }

    fn type_url(request: &Self::Request) -> &str {
        &request.type_url
    }

    fn receive(
        session: &mut Session,
        kind: ResourceType,
        request: Self::Request,
        view: &View<'_>,
    ) -> Answer {
        let (subscription, new) = session.open(kind);
        let answer = answered(subscription, &request.response_nonce, request.error_detail);
        if new && request.resource_names_subscribe.is_empty() {
            subscription.subscribe_to_all(view);
        }
        for name in &request.resource_names_subscribe {
            if new && name == "*" {
                subscription.subscribe_to_all(view);
            } else {
                subscription.subscribe(name, view);
            }
        }
        for name in &request.resource_names_unsubscribe {
            subscription.unsubscribe(name);
        }
        if new {
            subscription.resume(request.initial_resource_versions.into_iter());
        }
        answer
    }

    fn response(push: Push) -> Self::Response {
        let url = push.kind.type_url();
        let mut response = DeltaDiscoveryResponse {
            type_url: url.clone(),
            nonce: push.nonce,
            ..DeltaDiscoveryResponse::default()
        };
        for (name, resource) in push.entries {
            match resource {
                Some(resource) => response.resources.push(DeltaResource {
                    name: name.to_string(),
                    version: resource.version.clone(),
                    resource: Some(any(&url, &resource)),
                    ..DeltaResource::default()
                }),
                None => response.removed_resources.push(name.to_string()),
            }
        }
        response
    }
}

impl Wire for StateOfTheWorld {
    type Request = DiscoveryRequest;
    type Response = DiscoveryResponse;
    const PROTOCOL: Protocol = Protocol::StateOfTheWorld;

    fn node(request: &Self::Request) -> Option<&Node> {
        request.node.as_ref()
    }

    fn type_url(request: &Self::Request) -> &str {
        &request.type_url
    }

    fn receive(
        session: &mut Session,
        kind: ResourceType,
        request: Self::Request,
        view: &View<'_>,
    ) -> Answer {
        let names = &request.resource_names;
        let (subscription, new) = session.open(kind);
        if new {
            if names.is_empty() {
                subscription.subscribe_to_all(view);
            } else {
                subscription.replace_names(names, view);
            }
            if !request.version_info.is_empty() {
                subscription.resume_all(&request.version_info, view);
            }
            return Answer::default();
        }
        // An answer to an older response: the client will answer the newer one, with the names that it then wants.
        if subscription.awaits_answer() && !subscription.is_in_flight(&request.response_nonce) {
            return Answer::default();
        }
        let answer = answered(subscription, &request.response_nonce, request.error_detail);
        subscription.replace_names(names, view);
        answer
    }

    fn response(push: Push) -> Self::Response {
        let url = push.kind.type_url();
        let (state, version_info) = push.state.unwrap_or_default();
        let resources = if kind::is_full_state(push.kind) {
            state.iter().map(|resource| any(&url, resource)).collect()
        } else {
            let changed = push.entries.values().flatten();
            changed.map(|resource| any(&url, resource)).collect()
        };
        DiscoveryResponse {
            version_info,
            resources,
            type_url: url.clone(),
            nonce: push.nonce,
            ..DiscoveryResponse::default()
        }
    }
}

/// An answer is a NACK if and only if it has an error; one to another response than the last is none.
fn answered(subscription: &mut Subscription, nonce: &str, error: Option<Status>) -> Answer {
    if !subscription.is_in_flight(nonce) {
        return Answer::default();
    }
    match error {
        None => Answer {
            verdicts: subscription.ack(),
            nack: None,
        },
        Some(status) => {
            // Envoy ends the text on listeners with a line break.
            let text = status.message.trim();
            Answer {
                verdicts: subscription.nack(text),
                nack: Some(text.to_owned()),
            }
        }
    }
}

fn any(url: &str, resource: &Resource) -> Any {
    Any {
        type_url: url.to_owned(),
        value: resource.value.to_vec(),
    }
}
