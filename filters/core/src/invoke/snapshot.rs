//! The client's request, as it was before the first try.

use std::ops::Range;
use std::time::Duration;

use super::azure;
use super::header::{self, Reach, Scheme};
use crate::host::{Headers, Side};

/// The client's request: what later tries are rebuilt from, and what is put back once a call is over.
///
/// It is kept as one run of bytes, which is also its form in filter state: whose credentials the call carries, which call
/// it is, the time, then records of kind, name and value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Snapshot {
    bytes: Vec<u8>,
    scheme: Scheme,
    records: usize,
    method: Range<usize>,
    path: Range<usize>,
    host: Range<usize>,
    content_type: Option<Range<usize>>,
    content_length: Option<Range<usize>>,
    origin: [Range<usize>; 4],
    at: Duration,
}

/// Which call a request came for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Origin<'a> {
    /// The call's key in the route's metadata.
    pub(super) key: &'a str,
    /// As dynamic metadata tells it.
    pub(super) upstream: &'a str,
    /// As dynamic metadata tells it.
    pub(super) function: &'a str,
    /// As dynamic metadata tells it; empty where there is none.
    pub(super) qualifier: &'a str,
}

impl<'a> Origin<'a> {
    /// What dynamic metadata tells of it.
    pub(super) fn story(&self) -> [(&'static str, Option<&'a [u8]>); 3] {
        let given = |text: &'a str| (!text.is_empty()).then_some(text.as_bytes());
        [
            ("upstream", given(self.upstream)),
            ("function", given(self.function)),
            ("qualifier", given(self.qualifier)),
        ]
    }
}

/// What a try wrote into the shared request headers, besides method, path and host.
#[derive(Clone, Copy)]
pub(super) struct Written {
    /// Headers of the provider's.
    pub(super) headers: &'static [&'static str],
    /// The body, and with it the headers that describe it.
    pub(super) body: bool,
    /// `content-length`.
    pub(super) length: bool,
}

/// What a record is for.
const KEPT: u8 = 0;
/// Removed from the request, and put back.
const TAKEN: u8 = 1;

impl Snapshot {
    /// Takes it from the request as it is `at` this time. `ours` gets the names of
    /// Tenon's own headers, which are no part of it.
    pub(super) fn take(
        host: &impl Headers,
        at: Duration,
        origin: Origin<'_>,
        reach: Reach,
        ours: &mut Vec<String>,
    ) -> Self {
        let Reach { all, scheme } = reach;
        let mut bytes = Vec::with_capacity(if all { 2048 } else { 384 });
        bytes.push(scheme.number());
        for text in [
            origin.key,
            origin.upstream,
            origin.function,
            origin.qualifier,
        ] {
            put(&mut bytes, text.as_bytes());
        }
        let at = u64::try_from(at.as_micros()).unwrap_or(u64::MAX);
        bytes.extend(at.to_le_bytes());
        host.each_header(Side::Request, &mut |name, value| {
            // What the function is shown is not encoded as the client's body was.
            let taken = scheme.reserves(name) || (all && name == b"content-encoding");
            if header::is_ours(name) {
                ours.extend(std::str::from_utf8(name).map(str::to_owned));
                return;
            }
            if !(all || taken || is_needed(name)) {
                return;
            }
            bytes.push(if taken { TAKEN } else { KEPT });
            put(&mut bytes, name);
            put(&mut bytes, value);
        });
        // Just written, so it reads.
        Self::read(bytes).unwrap_or_else(Self::empty)
    }

    /// Whose credentials the call carries that [`Snapshot::as_bytes`] was kept for.
    pub(super) fn scheme_of(bytes: &[u8]) -> Option<Scheme> {
        Scheme::from_number(*bytes.first()?)
    }

    /// Reads what [`Snapshot::as_bytes`] gave. `None` if it is anything else.
    pub(super) fn read(bytes: Vec<u8>) -> Option<Self> {
        let mut snapshot = Self::empty();
        snapshot.scheme = Self::scheme_of(&bytes)?;
        let mut at = 1;
        for range in &mut snapshot.origin {
            *range = next(&bytes, &mut at)?;
        }
        let time = bytes.get(at..at + 8)?;
        snapshot.at = Duration::from_micros(u64::from_le_bytes(time.try_into().ok()?));
        at += 8;
        snapshot.records = at;
        while at < bytes.len() {
            at += 1;
            let name = next(&bytes, &mut at)?;
            let value = next(&bytes, &mut at)?;
            match bytes.get(name)? {
                b":method" => snapshot.method = value,
                b":path" => snapshot.path = value,
                b":authority" => snapshot.host = value,
                b"content-type" => snapshot.content_type = Some(value),
                b"content-length" => snapshot.content_length = Some(value),
                _ => {}
            }
        }
        snapshot.bytes = bytes;
        Some(snapshot)
    }

    fn empty() -> Self {
        Self {
            bytes: Vec::new(),
            scheme: Scheme::Aws,
            records: 0,
            method: 0..0,
            path: 0..0,
            host: 0..0,
            content_type: None,
            content_length: None,
            origin: [0..0, 0..0, 0..0, 0..0],
            at: Duration::ZERO,
        }
    }

    /// Its form in filter state.
    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Which call it came for.
    pub(super) fn origin(&self) -> Origin<'_> {
        let [key, upstream, function, qualifier] = self
            .origin
            .each_ref()
            .map(|range| std::str::from_utf8(self.slice(range)).unwrap_or_default());
        Origin {
            key,
            upstream,
            function,
            qualifier,
        }
    }

    /// When the first try began, since the epoch.
    pub(super) fn time(&self) -> Duration {
        self.at
    }

    /// The client's method.
    pub(super) fn method(&self) -> &[u8] {
        self.slice(&self.method)
    }

    /// The path as the router sends it; see `event` for the client's own.
    pub(super) fn path(&self) -> &[u8] {
        self.slice(&self.path)
    }

    /// The `:authority`.
    pub(super) fn host(&self) -> &[u8] {
        self.slice(&self.host)
    }

    /// The `content-type`.
    pub(super) fn content_type(&self) -> Option<&[u8]> {
        self.content_type.as_ref().map(|range| self.slice(range))
    }

    /// The `content-length`.
    pub(super) fn content_length(&self) -> Option<&[u8]> {
        self.content_length.as_ref().map(|range| self.slice(range))
    }

    /// All headers that were kept, in order: all of the request's if it was taken for an event.
    pub(super) fn headers(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.records().map(|(_, name, value)| (name, value))
    }

    /// The headers that calls of its kind write.
    pub(super) fn writes(&self) -> impl Iterator<Item = &'static str> + use<> {
        self.scheme.writes().iter().copied()
    }

    /// Whether the client only asked for the head of the response.
    pub(super) fn is_head(&self) -> bool {
        self.method() == b"HEAD"
    }

    /// Whether the client speaks gRPC.
    pub(super) fn is_grpc(&self) -> bool {
        header::is_grpc(self.content_type())
    }

    /// Takes from the request what must not reach the provider, but for what is going to be `overwritten`.
    pub(super) fn clean(&self, host: &mut impl Headers, overwritten: &[&str]) {
        for (name, _) in self.taken() {
            if !overwritten.contains(&name) {
                host.remove_header(Side::Request, name);
            }
        }
    }

    /// Writes a header that no later part of the request adds. Where neither the client nor an earlier try can have left
    /// one, Envoy need not look for it.
    pub(super) fn overwrite(&self, host: &mut impl Headers, number: u8, name: &str, value: &[u8]) {
        if number == 0 && self.taken().all(|(taken, _)| taken != name) {
            host.add_header(Side::Request, name, value);
        } else {
            host.set_header(Side::Request, name, value);
        }
    }

    /// Puts the client's request back where it is not known what was written.
    pub(super) fn restore_all(&self, host: &mut impl Headers) {
        let written = Written {
            headers: self.scheme.writes(),
            body: true,
            length: true,
        };
        self.restore(host, written);
    }

    /// Puts the client's request back: for access logs, internal redirects and later filters.
    pub(super) fn restore(&self, host: &mut impl Headers, written: Written) {
        for name in written.headers {
            host.remove_header(Side::Request, name);
        }
        // It is only ever changed to POST.
        if self.method() != b"POST" {
            host.set_header(Side::Request, ":method", self.method());
        }
        host.set_header(Side::Request, ":path", self.path());
        host.set_header(Side::Request, ":authority", self.host());
        let described = [
            (written.body, "content-type", self.content_type()),
            (
                written.body || written.length,
                "content-length",
                self.content_length(),
            ),
        ];
        for (_, name, value) in described.into_iter().filter(|(written, ..)| *written) {
            match value {
                Some(value) => host.set_header(Side::Request, name, value),
                None => host.remove_header(Side::Request, name),
            }
        }
        // Twice over, because a request may have several values of one name, and a restore may happen twice.
        for (name, _) in self.taken() {
            host.remove_header(Side::Request, name);
        }
        for (name, value) in self.taken() {
            host.add_header(Side::Request, name, value);
        }
    }

    /// Whether a call's headers stand where the client's stood. What else of the request differs may be a redirect's.
    pub(super) fn is_overwritten(&self, host: &impl Headers) -> bool {
        let path = host.header(Side::Request, ":path").unwrap_or_default();
        // Azure's key may be in the query.
        let in_query =
            self.scheme == Scheme::Azure && path != self.path() && azure::may_hold_key(&path);
        let mut written = self.scheme.writes().iter();
        in_query
            || written.any(|name| {
                let own = self.taken().find(|(taken, _)| taken == name);
                host.header(Side::Request, name).as_deref() != own.map(|(_, value)| value)
            })
    }

    fn taken(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.records()
            .filter(|(kind, ..)| *kind == TAKEN)
            .filter_map(|(_, name, value)| Some((std::str::from_utf8(name).ok()?, value)))
    }

    fn records(&self) -> impl Iterator<Item = (u8, &[u8], &[u8])> {
        let mut at = self.records;
        std::iter::from_fn(move || {
            let kind = *self.bytes.get(at)?;
            at += 1;
            let name = next(&self.bytes, &mut at)?;
            let value = next(&self.bytes, &mut at)?;
            Some((kind, self.bytes.get(name)?, self.bytes.get(value)?))
        })
    }

    fn slice(&self, range: &Range<usize>) -> &[u8] {
        self.bytes.get(range.clone()).unwrap_or_default()
    }
}

/// Whether every call needs it back.
fn is_needed(name: &[u8]) -> bool {
    matches!(
        name,
        b":method" | b":path" | b":authority" | b"content-type" | b"content-length"
    )
}

fn put(bytes: &mut Vec<u8>, part: &[u8]) {
    // Header maps are bounded far below this by Envoy; a longer part would be cut rather than read wrongly.
    let length = u32::try_from(part.len()).unwrap_or(0);
    bytes.extend(length.to_le_bytes());
    bytes.extend(part.get(..length as usize).unwrap_or_default());
}

fn next(bytes: &[u8], at: &mut usize) -> Option<Range<usize>> {
    let start = at.checked_add(4)?;
    let length = u32::from_le_bytes(bytes.get(*at..start)?.try_into().ok()?) as usize;
    let end = start.checked_add(length)?;
    bytes.get(start..end)?;
    *at = end;
    Some(start..end)
}

#[cfg(test)]
impl Snapshot {
    /// A snapshot of a request with these headers.
    pub(super) fn of(headers: &[(&str, Vec<u8>)]) -> Self {
        let headers = headers.iter().cloned();
        let headers = headers.map(|(name, value)| (name.to_owned(), value));
        Self::take(
            &tests::Request(headers.collect()),
            tests::AT,
            tests::origin("call"),
            tests::reach(true),
            &mut Vec::new(),
        )
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    pub(super) const AT: Duration = Duration::from_micros(1_440_938_160_123_456);

    pub(super) fn origin(key: &str) -> Origin<'_> {
        Origin {
            key,
            upstream: "lambda_default",
            function: "f",
            qualifier: "",
        }
    }

    pub(super) fn reach(all: bool) -> Reach {
        Reach {
            all,
            scheme: Scheme::Aws,
        }
    }

    fn scheme() -> impl Strategy<Value = Scheme> {
        prop_oneof![Just(Scheme::Aws), Just(Scheme::Google), Just(Scheme::Azure)]
    }

    /// Nothing but a request's headers.
    #[derive(Debug, Clone, Default, PartialEq)]
    pub(super) struct Request(pub(super) Vec<(String, Vec<u8>)>);

    impl Headers for Request {
        fn header(&self, _: Side, name: &str) -> Option<Cow<'_, [u8]>> {
            let own = self.0.iter().find(|(own, _)| own == name);
            own.map(|(_, value)| Cow::Borrowed(&**value))
        }
        fn each_header(&self, _: Side, visit: &mut dyn FnMut(&[u8], &[u8])) {
            self.0
                .iter()
                .for_each(|(name, value)| visit(name.as_bytes(), value));
        }
        fn set_header(&mut self, side: Side, name: &str, value: &[u8]) {
            self.remove_header(side, name);
            self.add_header(side, name, value);
        }
        fn add_header(&mut self, _: Side, name: &str, value: &[u8]) {
            self.0.push((name.to_owned(), value.to_vec()));
        }
        fn remove_header(&mut self, _: Side, name: &str) {
            self.0.retain(|(own, _)| own != name);
        }
    }

    fn request() -> impl Strategy<Value = Request> {
        let name = prop_oneof![
            Just("authorization".to_owned()),
            Just("x-amz-date".to_owned()),
            Just("x-amz-security-token".to_owned()),
            Just("x-amzn-vpc-id".to_owned()),
            Just("x-envoy-original-path".to_owned()),
            Just("x-envoy-original-method".to_owned()),
            Just("x-serverless-authorization".to_owned()),
            Just("x-functions-key".to_owned()),
            Just("content-type".to_owned()),
            Just("content-encoding".to_owned()),
            Just("x-tenon-call".to_owned()),
            "[a-z][a-z-]{0,8}",
        ];
        vec((name, vec(any::<u8>(), 0..20)), 0..12).prop_map(|mut headers| {
            // Of these a request has one at most.
            let mut typed = false;
            headers
                .retain(|(name, _)| name != "content-type" || !std::mem::replace(&mut typed, true));
            let pseudo = [
                (":method", "PUT"),
                (":path", "/a?b"),
                (":authority", "host"),
            ];
            let pseudo = pseudo.map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec()));
            Request(pseudo.into_iter().chain(headers).collect())
        })
    }

    fn sorted(request: &Request) -> Vec<(String, Vec<u8>)> {
        let mut headers = request.0.clone();
        headers.retain(|(name, _)| !header::is_ours(name.as_bytes()));
        headers.sort_by(|one, other| one.0.cmp(&other.0));
        headers
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn a_snapshot_reads_as_it_was_taken(request in request(), key in "call(\\.[0-9]{1,3})?", all in any::<bool>()) {
            let mut ours = Vec::new();
            let taken = Snapshot::take(&request, AT, origin(&key), reach(all), &mut ours);
            let read = Snapshot::read(taken.as_bytes().to_vec()).unwrap();
            prop_assert_eq!(&read, &taken);
            prop_assert_eq!(read.origin(), origin(&key));
            prop_assert_eq!(read.time(), AT);
            prop_assert_eq!(read.method(), b"PUT");
            prop_assert_eq!(read.path(), b"/a?b");
            prop_assert_eq!(read.host(), b"host");
            let content_type = request.header(Side::Request, "content-type");
            prop_assert_eq!(read.content_type(), content_type.as_deref());
            if all {
                prop_assert_eq!(read.headers().count(), sorted(&request).len());
            }
            prop_assert!(ours.iter().all(|name| name == "x-tenon-call"));
        }

        #[test]
        fn the_client_s_request_comes_back_as_it_was(request in request(), scheme in scheme(), all in any::<bool>(), again in any::<bool>()) {
            let taken = Snapshot::take(&request, AT, origin("call"), Reach { all, scheme }, &mut Vec::new());
            let mut changed = request.clone();
            taken.clean(&mut changed, &scheme.writes()[..1]);
            for name in scheme.writes().iter().chain(&[":method", ":path", ":authority", "content-type", "content-length"]) {
                changed.set_header(Side::Request, name, b"ours");
            }
            prop_assert!(taken.is_overwritten(&changed));
            taken.restore_all(&mut changed);
            prop_assert!(!taken.is_overwritten(&changed));
            if again {
                taken.restore_all(&mut changed);
            }
            prop_assert_eq!(sorted(&changed), sorted(&request));
        }

        #[test]
        fn nothing_that_is_taken_reaches_the_provider(request in request(), scheme in scheme()) {
            let reach = Reach { all: false, scheme };
            let taken = Snapshot::take(&request, AT, origin("call"), reach, &mut Vec::new());
            let mut sent = request;
            let written = &scheme.writes()[..1];
            taken.clean(&mut sent, written);
            for (name, _) in &sent.0 {
                let written = written.contains(&&**name);
                prop_assert!(written || !scheme.reserves(name.as_bytes()), "{}", name);
            }
        }

        #[test]
        fn bytes_that_are_no_snapshot_do_no_harm(bytes in vec(any::<u8>(), 0..200)) {
            use_all(bytes);
        }

        #[test]
        fn a_damaged_snapshot_does_no_harm(request in request(), at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<bool>()) {
            let mut bytes = Snapshot::take(&request, AT, origin("call"), reach(true), &mut Vec::new()).as_bytes().to_vec();
            let at = at.index(bytes.len());
            bytes[at] = byte;
            if cut {
                bytes.truncate(at);
            }
            use_all(bytes);
        }
    }

    fn use_all(bytes: Vec<u8>) {
        if let Some(read) = Snapshot::read(bytes) {
            let mut request = Request::default();
            read.clean(&mut request, &[]);
            read.restore_all(&mut request);
            let lengths = read.headers().map(|(name, value)| name.len() + value.len());
            assert!(lengths.sum::<usize>() + read.origin().key.len() <= read.as_bytes().len());
        }
    }
}
