//! A message's way through a filter.

use tenon_core::host::{Reply, Side, Step};

use super::{FakeHost, Filter, HeaderList, Payload};

/// What came out of the filter.
pub(super) struct Passed {
    /// As they were when the filter let them go: what it changes later stays behind.
    pub(super) headers: Option<HeaderList>,
    pub(super) body: Vec<u8>,
    pub(super) trailers: HeaderList,
    pub(super) ending: Ending,
}

/// How a message's way ended.
pub(super) enum Ending {
    /// All of it went on.
    Complete,
    /// The filter answered itself.
    Replied(Reply),
    /// The filter ended it, and what of it went on is all there is.
    CutOff,
    /// The headers were not wanted, so nothing else was.
    Abandoned,
    /// The filter held it, and nothing more was to come.
    Stalled,
}

enum Part<'a> {
    Headers,
    Frame(&'a [u8]),
    Trailers,
}

/// Leads a message through `filter`; `unwanted` is asked once, about the headers that it lets go.
pub(super) fn pass<F: Filter<FakeHost>>(
    host: &mut FakeHost,
    filter: &mut F,
    side: Side,
    payload: &Payload,
    unwanted: impl Fn(&HeaderList) -> bool,
) -> Passed {
    let mut passed = Passed {
        headers: None,
        body: Vec::new(),
        trailers: HeaderList::default(),
        ending: Ending::Stalled,
    };
    let parts = parts(payload);
    for (index, part) in parts.iter().enumerate() {
        let end = index + 1 == parts.len();
        match step(host, filter, side, part, end) {
            Step::Hold => host.chunks_mut(side).hold(),
            Step::Abort => {
                passed.ending = Ending::CutOff;
                return passed;
            }
            Step::Reply(reply) => {
                passed.ending = Ending::Replied(reply);
                return passed;
            }
            Step::Continue => {
                if passed.headers.is_none() {
                    let headers = host.headers(side).clone();
                    if unwanted(&headers) {
                        passed.ending = Ending::Abandoned;
                        return passed;
                    }
                    passed.headers = Some(headers);
                }
                passed.body.append(&mut host.chunks_mut(side).release());
                if end {
                    passed.trailers = payload.trailers.clone();
                    passed.ending = Ending::Complete;
                    return passed;
                }
            }
        }
    }
    host.problem(format!("held the {side:?} for ever"));
    passed
}

fn parts(payload: &Payload) -> Vec<Part<'_>> {
    let mut parts = vec![Part::Headers];
    parts.extend(payload.frames.iter().map(|frame| Part::Frame(frame)));
    if !payload.trailers.is_empty() {
        parts.push(Part::Trailers);
    } else if payload.empty_end {
        parts.push(Part::Frame(b""));
    }
    parts
}

fn step<F: Filter<FakeHost>>(
    host: &mut FakeHost,
    filter: &mut F,
    side: Side,
    part: &Part<'_>,
    end: bool,
) -> Step {
    let chunks = host.chunks_mut(side);
    chunks.replaceable = end || !matches!(part, Part::Headers);
    chunks.arrive(match part {
        Part::Frame(frame) => frame,
        Part::Headers | Part::Trailers => b"",
    });
    match (side, part) {
        (Side::Request, Part::Headers) => filter.request_headers(host, end),
        (Side::Request, Part::Frame(_)) => filter.request_body(host, end),
        (Side::Request, Part::Trailers) => filter.request_trailers(host),
        (Side::Response, Part::Headers) => filter.response_headers(host, end),
        (Side::Response, Part::Frame(_)) => filter.response_body(host, end),
        (Side::Response, Part::Trailers) => filter.response_trailers(host),
    }
}
