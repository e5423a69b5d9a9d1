//! Responses as they go out: encoded piece by piece as the client takes them, around resources that all clients share. What a
//! client does not read costs a piece and its pointers, not a copy of the configuration.

use std::convert::Infallible;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{BufMut, Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue};
use http_body::{Body, Frame};
use prost::encoding::{WireType, encode_key, encode_varint, encoded_len_varint};
use tenon_translate::Resource;
use tokio::sync::mpsc;
use tonic::{Code, Status};

use crate::session::Push;
use crate::subscription::Name;

/// About as much is encoded at a time; a frame of HTTP/2.
const PIECE: usize = 16 * 1024;
/// Resources of this size are sent as they lie in the cache; smaller ones are worth a copy.
const SHARED_FROM: usize = 4 * 1024;
/// gRPC: whether it is compressed, and the length.
const PREFIX: usize = 5;

// The fields of DeltaDiscoveryResponse, and those of DiscoveryResponse, which has no more of these than the first four.
const RESOURCES: u32 = 2;
const TYPE_URL: u32 = 4;
const NONCE: u32 = 5;
const VERSION_INFO: u32 = 1;
const REMOVED_RESOURCES: u32 = 6;
// Those of the Resource of a delta response.
const VERSION: u32 = 1;
const RESOURCE: u32 = 2;
const NAME: u32 = 3;
// Those of Any.
const ANY_TYPE_URL: u32 = 1;
const ANY_VALUE: u32 = 2;

/// A response, as far as it is not encoded yet.
pub(crate) struct Message {
    url: String,
    /// What is encoded.
    head: BytesMut,
    /// What comes after the head.
    shared: Option<Bytes>,
    items: std::vec::IntoIter<Item>,
}

struct Item {
    /// In a delta response.
    name: Option<Name>,
    resource: Arc<Resource>,
}

impl Message {
    /// A `DeltaDiscoveryResponse`.
    pub(crate) fn delta(push: Push) -> Self {
        let mut fields = BytesMut::new();
        let mut items = Vec::new();
        for (name, resource) in push.entries {
            match resource {
                Some(resource) => items.push(Item {
                    name: Some(name),
                    resource,
                }),
                None => put(&mut fields, REMOVED_RESOURCES, name.as_bytes()),
            }
        }
        Self::new(push.kind.type_url(), &push.nonce, fields, items)
    }

    /// A `DiscoveryResponse`.
    pub(crate) fn state(
        url: String,
        nonce: &str,
        version: &str,
        resources: impl Iterator<Item = Arc<Resource>>,
    ) -> Self {
        let mut fields = BytesMut::new();
        put(&mut fields, VERSION_INFO, version.as_bytes());
        let item = |resource| Item {
            name: None,
            resource,
        };
        Self::new(url, nonce, fields, resources.map(item).collect())
    }

    fn new(url: String, nonce: &str, mut fields: BytesMut, items: Vec<Item>) -> Self {
        put(&mut fields, TYPE_URL, url.as_bytes());
        put(&mut fields, NONCE, nonce.as_bytes());
        let resources: usize = items.iter().map(|item| length(item.length(&url))).sum();
        let mut head = BytesMut::with_capacity(PREFIX + fields.len());
        head.put_u8(0);
        // A configuration of 4 GiB would be no gRPC message.
        head.put_u32(u32::try_from(fields.len() + resources).unwrap_or(u32::MAX));
        head.extend_from_slice(&fields);
        Self {
            url,
            head,
            shared: None,
            items: items.into_iter(),
        }
    }

    /// The next piece.
    fn next(&mut self) -> Option<Bytes> {
        if let Some(shared) = self.shared.take() {
            return Some(shared);
        }
        let mut piece = mem::take(&mut self.head);
        while piece.len() < PIECE {
            let Some(item) = self.items.next() else { break };
            item.begin(&mut piece, &self.url);
            let value = item.resource.value.clone();
            if value.len() >= SHARED_FROM {
                self.shared = Some(value);
                break;
            }
            piece.extend_from_slice(&value);
        }
        (!piece.is_empty()).then(|| piece.freeze())
    }
}

impl Item {
    /// The length of what is in the field `resources` for it.
    fn length(&self, url: &str) -> usize {
        let any = self.length_of_any(url);
        match &self.name {
            Some(name) => length(self.resource.version.len()) + length(name.len()) + length(any),
            None => any,
        }
    }

    fn length_of_any(&self, url: &str) -> usize {
        length(url.len()) + length(self.resource.value.len())
    }

    /// All but the value itself, which comes last.
    fn begin(&self, piece: &mut BytesMut, url: &str) {
        open(piece, RESOURCES, self.length(url));
        if let Some(name) = &self.name {
            put(piece, VERSION, self.resource.version.as_bytes());
            put(piece, NAME, name.as_bytes());
            open(piece, RESOURCE, self.length_of_any(url));
        }
        put(piece, ANY_TYPE_URL, url.as_bytes());
        open(piece, ANY_VALUE, self.resource.value.len());
    }
}

/// The length of a field of so many bytes; the numbers of all fields in here fit into a byte.
fn length(bytes: usize) -> usize {
    1 + encoded_len_varint(bytes as u64) + bytes
}

fn open(piece: &mut BytesMut, field: u32, length: usize) {
    encode_key(field, WireType::LengthDelimited, piece);
    encode_varint(length as u64, piece);
}

fn put(piece: &mut BytesMut, field: u32, bytes: &[u8]) {
    open(piece, field, bytes.len());
    piece.extend_from_slice(bytes);
}

/// The responses of a stream, as the body of an HTTP response.
pub(crate) struct Responses {
    receiver: mpsc::Receiver<Result<Message, Status>>,
    current: Option<Message>,
    ended: bool,
}

impl Responses {
    pub(crate) fn new(receiver: mpsc::Receiver<Result<Message, Status>>) -> Self {
        Self {
            receiver,
            current: None,
            ended: false,
        }
    }
}

impl Body for Responses {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        loop {
            if let Some(piece) = self.current.as_mut().and_then(Message::next) {
                return Poll::Ready(Some(Ok(Frame::data(piece))));
            }
            self.current = None;
            if self.ended {
                return Poll::Ready(None);
            }
            let status = match ready!(self.receiver.poll_recv(context)) {
                Some(Ok(message)) => {
                    self.current = Some(message);
                    continue;
                }
                Some(Err(status)) => status,
                None => Status::new(Code::Ok, ""),
            };
            self.ended = true;
            return Poll::Ready(Some(Ok(Frame::trailers(trailers(&status)))));
        }
    }
}

/// How a stream ends. Envoy logs the message as it comes, so no more of it is escaped than gRPC asks for.
fn trailers(status: &Status) -> HeaderMap {
    let code = HeaderValue::from(i32::from(status.code()));
    let mut trailers = HeaderMap::from_iter([(HeaderName::from_static("grpc-status"), code)]);
    if let Ok(message) = HeaderValue::try_from(escaped(status.message())) {
        trailers.insert("grpc-message", message);
    }
    trailers
}

fn escaped(message: &str) -> String {
    let mut escaped = String::with_capacity(message.len());
    for byte in message.bytes() {
        match byte {
            b' '..=b'~' if byte != b'%' => escaped.push(char::from(byte)),
            _ => escaped.push_str(&format!("%{byte:02X}")),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use envoy_types::pb::envoy::service::discovery::v3::{
        DeltaDiscoveryResponse, DiscoveryResponse, Resource as DeltaResource,
    };
    use envoy_types::pb::google::protobuf::Any;
    use prost::Message as _;
    use tenon_translate::ResourceType;

    use super::*;

    fn resource(length: usize) -> Arc<Resource> {
        Arc::new(Resource {
            value: vec![7; length].into(),
            version: format!("version of {length}"),
            provenance: Arc::from([]),
        })
    }

    fn any(resource: &Resource) -> Any {
        Any {
            type_url: ResourceType::Cluster.type_url(),
            value: resource.value.to_vec(),
        }
    }

    /// All pieces, and the message in them.
    fn pieces(mut message: Message) -> (Vec<Bytes>, Vec<u8>) {
        let pieces: Vec<_> = std::iter::from_fn(|| message.next()).collect();
        let all = pieces.concat();
        let (prefix, rest) = all.split_at(PREFIX);
        let length = u32::from_be_bytes(prefix[1..].try_into().unwrap());
        assert_eq!((prefix[0], length as usize), (0, rest.len()));
        (pieces, rest.to_vec())
    }

    const LENGTHS: [usize; 7] = [0, 1, 127, 128, SHARED_FROM - 1, SHARED_FROM, 3 * PIECE];

    #[test]
    fn a_delta_response_is_what_the_messages_say() {
        let resources = LENGTHS.map(|length| (Name::from(format!("c{length}")), resource(length)));
        let mut entries: crate::subscription::Entries = resources
            .iter()
            .map(|(name, resource)| (name.clone(), Some(resource.clone())))
            .collect();
        entries.insert("gone".into(), None);
        let expected = DeltaDiscoveryResponse {
            type_url: ResourceType::Cluster.type_url(),
            nonce: "a".into(),
            removed_resources: vec!["gone".into()],
            resources: entries
                .iter()
                .filter_map(|(name, resource)| {
                    let resource = resource.as_ref()?;
                    Some(DeltaResource {
                        name: name.to_string(),
                        version: resource.version.clone(),
                        resource: Some(any(resource)),
                        ..DeltaResource::default()
                    })
                })
                .collect(),
            ..DeltaDiscoveryResponse::default()
        };
        let (_, encoded) = pieces(Message::delta(Push {
            kind: ResourceType::Cluster,
            nonce: "a".into(),
            entries,
            state: None,
        }));
        assert_eq!(DeltaDiscoveryResponse::decode(&*encoded).unwrap(), expected);
    }

    #[test]
    fn a_response_of_the_state_of_the_world_is_what_the_messages_say() {
        let resources = LENGTHS.map(resource);
        let expected = DiscoveryResponse {
            version_info: "all".into(),
            type_url: ResourceType::Cluster.type_url(),
            nonce: "a".into(),
            resources: resources.iter().map(|resource| any(resource)).collect(),
            ..DiscoveryResponse::default()
        };
        let url = ResourceType::Cluster.type_url();
        let (_, encoded) = pieces(Message::state(url, "a", "all", resources.into_iter()));
        assert_eq!(DiscoveryResponse::decode(&*encoded).unwrap(), expected);
    }

    #[test]
    fn large_resources_are_not_copied_and_small_ones_go_together() {
        let (large, small) = (resource(100 * PIECE), resource(100));
        let resources = std::iter::repeat_n(small, 1_000).chain([large.clone()]);
        let url = ResourceType::Cluster.type_url();
        let (pieces, _) = pieces(Message::state(url, "a", "all", resources));
        let last = pieces.last().unwrap();
        assert_eq!(last.as_ptr(), large.value.as_ptr(), "the cache's own bytes");
        for piece in &pieces[..pieces.len() - 1] {
            assert!(piece.len() < 2 * PIECE, "{}", piece.len());
        }
        assert!(pieces.len() < 20, "{}", pieces.len());
    }

    #[test]
    fn the_message_of_a_status_can_be_read_as_it_stands() {
        let trailers = trailers(&Status::not_found("no <proxy> \"é\"\n100%"));
        assert_eq!(trailers["grpc-status"], "5");
        assert_eq!(trailers["grpc-message"], "no <proxy> \"%C3%A9\"%0A100%25");
    }
}
