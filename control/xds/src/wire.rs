//! The two protocols: what their requests mean to a session, and what a push looks like.

use std::marker::PhantomData;

use envoy_types::pb::envoy::config::core::v3::Node;
use envoy_types::pb::envoy::service::discovery::v3::{DeltaDiscoveryRequest, DiscoveryRequest};
use envoy_types::pb::google::rpc::Status;
use tenon_translate::ResourceType;
use tonic::codec::{DecodeBuf, Decoder};

use crate::body::Message;
use crate::cache::View;
use crate::kind;
use crate::session::{Push, Session};
use crate::subscription::{Protocol, Subscription, Verdicts};

/// Reads requests.
pub(crate) struct Decode<T>(PhantomData<T>);

impl<T> Default for Decode<T> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<T: prost::Message + Default> Decoder for Decode<T> {
    type Item = T;
    type Error = tonic::Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<T>, tonic::Status> {
        let read = T::decode(buffer);
        read.map(Some)
            .map_err(|error| tonic::Status::invalid_argument(error.to_string()))
    }
}

/// A client's answer to a response.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) verdicts: Verdicts,
    /// The text of a NACK.
    pub(crate) nack: Option<String>,
}

/// One of the protocols.
pub(crate) trait Wire: Send + 'static {
    type Request: prost::Message + Default + 'static;
    const PROTOCOL: Protocol;

    fn node(request: &Self::Request) -> Option<&Node>;
    fn type_url(request: &Self::Request) -> &str;
    fn receive(
        session: &mut Session,
        kind: ResourceType,
        request: Self::Request,
        view: &View<'_>,
    ) -> Answer;
    fn response(push: Push) -> Message;
}

pub(crate) struct Delta;
pub(crate) struct StateOfTheWorld;

impl Wire for Delta {
    type Request = DeltaDiscoveryRequest;
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
            subscription.resume(request.initial_resource_versions.into_iter(), view);
        }
        answer
    }

    fn response(push: Push) -> Message {
        Message::delta(push)
    }
}

impl Wire for StateOfTheWorld {
    type Request = DiscoveryRequest;
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

    fn response(push: Push) -> Message {
        let url = push.kind.type_url();
        let (state, version) = push.state.unwrap_or_default();
        if kind::is_full_state(push.kind) {
            Message::state(url, &push.nonce, &version, state.into_iter())
        } else {
            let changed = push.entries.into_values().flatten();
            Message::state(url, &push.nonce, &version, changed)
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
