//! An Envoy that answers when a test says so.

use std::collections::HashMap;
use std::net::SocketAddr;

use anyhow::{Context, Result, ensure};
use envoy_types::pb::envoy::config::core::v3::Node;
use envoy_types::pb::envoy::service::discovery::v3::aggregated_discovery_service_client::AggregatedDiscoveryServiceClient;
use envoy_types::pb::envoy::service::discovery::v3::{
    DeltaDiscoveryRequest, DeltaDiscoveryResponse,
};
use envoy_types::pb::google::protobuf::{Struct, Value, value::Kind};
use envoy_types::pb::google::rpc::Status;
use tenon_e2e::deadline;
use tenon_translate::ResourceType;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;

/// The versions that it has, by type and name.
pub(crate) type Versions = HashMap<String, HashMap<String, String>>;

pub(crate) struct Scripted {
    requests: mpsc::Sender<DeltaDiscoveryRequest>,
    responses: Streaming<DeltaDiscoveryResponse>,
    pub(crate) has: Versions,
}

impl Scripted {
    /// One of a proxy, which may have something from an earlier stream. It has not asked for anything yet.
    pub(crate) async fn connect(xds: SocketAddr, role: &str, has: Versions) -> Result<Self> {
        let client = AggregatedDiscoveryServiceClient::connect(format!("http://{xds}"));
        let (requests, receiver) = mpsc::channel(16);
        let kind = Some(Kind::StringValue(role.to_owned()));
        let metadata = Struct {
            fields: [("role".to_owned(), Value { kind })].into(),
        };
        let hello = DeltaDiscoveryRequest {
            node: Some(Node {
                id: "scripted".into(),
                metadata: Some(metadata),
                ..Node::default()
            }),
            type_url: "type.googleapis.com/not.served".into(),
            ..Default::default()
        };
        requests.send(hello).await?;
        let mut client = client.await?.max_decoding_message_size(usize::MAX);
        let responses = client.delta_aggregated_resources(ReceiverStream::new(receiver));
        Ok(Self {
            requests,
            responses: responses.await?.into_inner(),
            has,
        })
    }

    /// Asks for these, or for all of a type, and says what it has of that.
    pub(crate) async fn ask(&self, kind: ResourceType, names: &[&str]) -> Result<()> {
        let url = kind.type_url();
        let request = DeltaDiscoveryRequest {
            initial_resource_versions: self.has.get(&url).cloned().unwrap_or_default(),
            resource_names_subscribe: names.iter().map(ToString::to_string).collect(),
            type_url: url,
            ..Default::default()
        };
        Ok(self.requests.send(request).await?)
    }

    /// The next response, which has to be of a type.
    pub(crate) async fn next(&mut self, kind: ResourceType) -> Result<DeltaDiscoveryResponse> {
        let what = format!("a response of {kind:?}");
        let response = deadline::within(&what, self.responses.message()).await??;
        let response = response.context("the stream ended")?;
        ensure!(response.type_url == kind.type_url(), "{response:?}");
        Ok(response)
    }

    pub(crate) async fn accept(&mut self, response: &DeltaDiscoveryResponse) -> Result<()> {
        let has = self.has.entry(response.type_url.clone()).or_default();
        for resource in &response.resources {
            has.insert(resource.name.clone(), resource.version.clone());
        }
        for name in &response.removed_resources {
            has.remove(name);
        }
        self.answer(response, None).await
    }

    pub(crate) async fn refuse(&self, response: &DeltaDiscoveryResponse, text: &str) -> Result<()> {
        let status = Status {
            code: 13,
            message: text.to_owned(),
            details: Vec::new(),
        };
        self.answer(response, Some(status)).await
    }

    async fn answer(
        &self,
        response: &DeltaDiscoveryResponse,
        error_detail: Option<Status>,
    ) -> Result<()> {
        let request = DeltaDiscoveryRequest {
            type_url: response.type_url.clone(),
            response_nonce: response.nonce.clone(),
            error_detail,
            ..Default::default()
        };
        Ok(self.requests.send(request).await?)
    }

    /// Sees that nothing else is sent: what is asked for now comes next.
    pub(crate) async fn is_sent_nothing(&mut self) -> Result<()> {
        self.ask(ResourceType::Secret, &["nothing-else"]).await?;
        let response = self.next(ResourceType::Secret).await?;
        ensure!(
            response.removed_resources == ["nothing-else"],
            "{response:?}"
        );
        self.accept(&response).await
    }
}
