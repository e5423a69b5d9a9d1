//! What clients send and upstreams answer.

use std::fmt;

/// Headers in order. Names are lower case.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct HeaderList(Vec<(String, Vec<u8>)>);

impl HeaderList {
    /// The first value of `name`.
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.iter()
            .find_map(|(own, value)| (own == name).then_some(value))
    }

    /// The first value of `name`, as text; empty where there is none.
    pub fn text(&self, name: &str) -> String {
        String::from_utf8_lossy(self.get(name).unwrap_or_default()).into_owned()
    }

    /// All values of `name`.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.iter()
            .filter_map(move |(own, value)| (own == name).then_some(value))
    }

    /// Names and values in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.0.iter().map(|(name, value)| (&**name, &**value))
    }

    /// Replaces all values of `name` by one, in the place of the first.
    pub fn set(&mut self, name: &str, value: &[u8]) {
        match self.0.iter().position(|(own, _)| own == name) {
            Some(place) => {
                let mut index = 0;
                self.0.retain(|(own, _)| {
                    index += 1;
                    own != name || index == place + 1
                });
                self.0[place].1 = value.to_vec();
            }
            None => self.add(name, value),
        }
    }

    /// Adds a value.
    pub fn add(&mut self, name: &str, value: &[u8]) {
        self.0.push((name.to_owned(), value.to_vec()));
    }

    /// Removes all values of `name`.
    pub fn remove(&mut self, name: &str) {
        self.0.retain(|(own, _)| own != name);
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for HeaderList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |bytes| String::from_utf8_lossy(bytes);
        f.debug_list()
            .entries(self.iter().map(|(name, value)| (name, text(value))))
            .finish()
    }
}

/// How a body comes, and how it ends.
#[derive(Debug, Clone, Default)]
pub(super) struct Payload {
    pub(super) frames: Vec<Vec<u8>>,
    pub(super) empty_end: bool,
    pub(super) trailers: HeaderList,
    pub(super) behind_head: Option<usize>,
}

impl Payload {
    /// The same body as the router replays it: what it kept, in one piece.
    pub(super) fn replayed(&self) -> Self {
        let whole = self.frames.concat();
        Self {
            frames: if self.frames.is_empty() {
                Vec::new()
            } else {
                vec![whole]
            },
            empty_end: false,
            trailers: self.trailers.clone(),
            behind_head: None,
        }
    }
}

/// What a client sends.
#[derive(Debug, Clone)]
pub struct Request {
    pub(super) headers: HeaderList,
    pub(super) payload: Payload,
}

impl Response {
    /// The frame of this number (from 0) comes once the client has the head, with what the frames before it made of it.
    #[must_use]
    pub fn behind_head(mut self, frame: usize) -> Self {
        self.payload.behind_head = Some(frame);
        self
    }

    /// See [`Response::behind_head`].
    pub fn frame_behind_head(&self) -> Option<usize> {
        self.payload.behind_head
    }
}

/// What an upstream answers to one try.
#[derive(Debug, Clone)]
pub enum Answer {
    /// A response.
    Response(Response),
    /// None in time, or the connection broke: the try ends without a hook but `destroy`, before another begins.
    Lost,
    /// None before another try began beside it and won (hedging): its `destroy` is the last of all.
    Outrun,
    /// A response that comes when another try has begun beside it (hedging) and still waits for its connection, with
    /// its request in the shared headers.
    Late(Response),
}

/// A response of an upstream.
#[derive(Debug, Clone)]
pub struct Response {
    pub(super) headers: HeaderList,
    pub(super) payload: Payload,
}

impl Request {
    /// A request without a body.
    pub fn new(method: &str, path: &str) -> Self {
        let mut headers = HeaderList::default();
        headers.add(":method", method.as_bytes());
        headers.add(":scheme", b"http");
        headers.add(":authority", b"gateway.example");
        headers.add(":path", path.as_bytes());
        Self {
            headers,
            payload: Payload::default(),
        }
    }

    /// A GET without a body.
    pub fn get(path: &str) -> Self {
        Self::new("GET", path)
    }

    /// A POST with a body and its length.
    pub fn post(path: &str, body: impl AsRef<[u8]>) -> Self {
        Self::new("POST", path).body(body)
    }
}

impl Response {
    /// A response without a body.
    pub fn status(status: u16) -> Self {
        let mut headers = HeaderList::default();
        headers.add(":status", status.to_string().as_bytes());
        Self {
            headers,
            payload: Payload::default(),
        }
    }
}

impl From<Response> for Answer {
    fn from(response: Response) -> Self {
        Self::Response(response)
    }
}

macro_rules! message_builder {
    ($message:ty) => {
        impl $message {
            /// The headers, pseudo-headers included.
            pub fn headers(&self) -> &HeaderList {
                &self.headers
            }

            /// The frames of the body.
            pub fn frames(&self) -> &[Vec<u8>] {
                &self.payload.frames
            }

            /// Whether a frame without bytes ends the message.
            pub fn has_empty_end_frame(&self) -> bool {
                self.payload.empty_end
            }

            /// The trailers.
            pub fn trailers(&self) -> &HeaderList {
                &self.payload.trailers
            }

            /// Sets all headers.
            #[must_use]
            pub fn with_headers(mut self, headers: HeaderList) -> Self {
                self.headers = headers;
                self
            }

            /// Adds a header; replaces a pseudo-header.
            #[must_use]
            pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
                if name.starts_with(':') {
                    self.headers.set(name, value.as_ref());
                } else {
                    self.headers.add(name, value.as_ref());
                }
                self
            }

            /// A body in one frame, which ends the message, and its length as a header.
            #[must_use]
            pub fn body(mut self, body: impl AsRef<[u8]>) -> Self {
                let length = body.as_ref().len().to_string();
                self.headers.set("content-length", length.as_bytes());
                self.body_frames([body])
            }

            /// A body in frames of which the last ends the message, without a length.
            #[must_use]
            pub fn body_frames<B: AsRef<[u8]>>(
                mut self,
                frames: impl IntoIterator<Item = B>,
            ) -> Self {
                let frames = frames.into_iter().map(|frame| frame.as_ref().to_vec());
                self.payload.frames = frames.collect();
                self
            }

            /// Another frame, without bytes, ends the message.
            #[must_use]
            pub fn empty_end_frame(mut self) -> Self {
                self.payload.empty_end = true;
                self
            }

            /// Trailers end the message, and no frame does.
            #[must_use]
            pub fn trailer(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
                self.payload.trailers.add(name, value.as_ref());
                self
            }
        }
    };
}

message_builder!(Request);
message_builder!(Response);
