//! What a resource looks like, whatever it says: which fields there are and of which types extensions are, without values.
//!
//! Two routes that match by a regular expression and go to a cluster have one shape; one that is rewritten, too, has
//! another. What Envoy makes of a shape can be tried once, for all that have it.

use std::collections::BTreeSet;

use serde_json::Value;
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use super::{Encoded, Kind, RULES, Rules, fields};
use crate::json;
use crate::output::{Resource, ResourceType};

const VIRTUAL_HOST: &str = "envoy.config.route.v3.VirtualHost";
const ROUTE: &str = "envoy.config.route.v3.Route";
/// `RouteConfiguration.virtual_hosts`
const VIRTUAL_HOSTS: u32 = 2;
/// `VirtualHost.name`
const NAME: u32 = 1;
/// `VirtualHost.routes`
const ROUTES: u32 = 3;
/// `VirtualHost.matcher`, and the way from it to a `RouteList` in the place of a tree, and in that of all other paths:
/// `matcher_tree.prefix_match_map.map[].value.action.typed_config.value`, `on_no_match.action.typed_config.value`. Before it
/// may be what other requests are told: `matcher_list.matchers[].on_match.action.typed_config.value`, and it is
/// `on_no_match.matcher`.
const MATCHER: u32 = 21;
const BY_PATH: [u32; 7] = [2, 3, 1, 2, 2, 2, 2];
const OTHERWISE: [u32; 4] = [3, 2, 2, 2];
const BEFORE: [u32; 6] = [1, 1, 2, 2, 2, 2];
const BEHIND: [u32; 2] = [3, 1];
/// `RouteList.routes`
const LISTED: u32 = 1;
/// Deeper than any resource is.
const DEEPEST: usize = 64;

/// What Envoy takes or refuses by itself: a cluster, a listener, or a virtual host of a route table.
#[derive(Clone, Copy)]
pub struct Part<'a> {
    message: &'static str,
    bytes: &'a [u8],
}

impl<'a> Part<'a> {
    /// The parts of a resource; none of one of another type.
    pub fn of(kind: ResourceType, resource: &'a Resource) -> Vec<Self> {
        let bytes = &resource.value[..];
        let whole = |bytes| Self {
            message: kind.message(),
            bytes,
        };
        match kind {
            ResourceType::Cluster | ResourceType::Listener => vec![whole(bytes)],
            ResourceType::Route => hosts(bytes).collect(),
            ResourceType::Endpoint | ResourceType::ScopedRoute | ResourceType::Secret => Vec::new(),
        }
    }

    /// One by itself, of a resource of this type.
    pub(crate) fn new(kind: ResourceType, bytes: &'a [u8]) -> Self {
        let message = match kind {
            ResourceType::Route => VIRTUAL_HOST,
            _ => kind.message(),
        };
        Self { message, bytes }
    }

    /// It, encoded; holds no secrets.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Of a virtual host, its name.
    pub fn host(&self) -> Option<&'a str> {
        let mut named = fields(self.bytes).filter(|(number, _)| *number == NAME);
        match (self.message, named.next()?) {
            (VIRTUAL_HOST, (_, Encoded::Bytes(name))) => std::str::from_utf8(name).ok(),
            _ => None,
        }
    }

    /// A hash of what it says.
    pub fn content(&self) -> u64 {
        xxh3_64(self.bytes)
    }

    /// Its shapes: of a virtual host its own and those of its routes.
    pub fn shapes(&self) -> BTreeSet<u64> {
        if self.message != VIRTUAL_HOST {
            return BTreeSet::from([shape(self.message, self.bytes)]);
        }
        let mut own = BTreeSet::new();
        let mut shapes = BTreeSet::new();
        for (number, encoded) in fields(self.bytes) {
            match (number, encoded) {
                (ROUTES, Encoded::Bytes(route)) => {
                    shapes.insert(shape(ROUTE, route));
                }
                (MATCHER, Encoded::Bytes(matcher)) => {
                    own.insert(number);
                    let behind = at(matcher, &BEHIND).into_iter();
                    let routes = behind
                        .chain([matcher])
                        .flat_map(|it| {
                            let ways = [&BY_PATH[..], &OTHERWISE, &BEFORE].into_iter();
                            ways.flat_map(move |way| at(it, way))
                        })
                        .flat_map(|list| at(list, &[LISTED]));
                    shapes.extend(routes.map(|route| shape(ROUTE, route)));
                }
                // Its own fields are few, and no messages that could be told apart.
                (number, _) => {
                    own.insert(number);
                }
            }
        }
        let own: Vec<u8> = own.into_iter().flat_map(u32::to_le_bytes).collect();
        shapes.insert(xxh3_64_with_seed(&own, 1));
        shapes
    }

    /// It as protobuf's JSON, nothing redacted: for Envoy alone.
    pub fn to_config(&self) -> Option<Value> {
        json::whole(self.message, self.bytes)
    }
}

fn hosts(table: &[u8]) -> impl Iterator<Item = Part<'_>> {
    fields(table).filter_map(|(number, encoded)| match encoded {
        Encoded::Bytes(bytes) if number == VIRTUAL_HOSTS => Some(Part {
            message: VIRTUAL_HOST,
            bytes,
        }),
        _ => None,
    })
}

/// The messages at the end of a way of fields.
fn at<'a>(message: &'a [u8], way: &[u32]) -> Vec<&'a [u8]> {
    way.iter().fold(vec![message], |messages, field| {
        let all = messages.into_iter().flat_map(fields);
        let next = all.filter_map(|(number, encoded)| match encoded {
            Encoded::Bytes(bytes) if number == *field => Some(bytes),
            _ => None,
        });
        next.collect()
    })
}

fn shape(message: &str, bytes: &[u8]) -> u64 {
    let mut paths = BTreeSet::new();
    let root = xxh3_64(message.as_bytes());
    paths.insert(root);
    if let Some(index) = RULES.by_name.get(message) {
        RULES.paths(*index, bytes, (root, 0), &mut paths);
    }
    let paths: Vec<u8> = paths.into_iter().flat_map(u64::to_le_bytes).collect();
    xxh3_64(&paths)
}

impl Rules {
    /// Collects the paths of all fields of a message.
    fn paths(
        &self,
        index: usize,
        bytes: &[u8],
        (above, depth): (u64, usize),
        paths: &mut BTreeSet<u64>,
    ) {
        let Some(message) = self.messages.get(index).filter(|_| depth < DEEPEST) else {
            return;
        };
        if message.is_any {
            let packed = self.unpack(bytes);
            let here = xxh3_64_with_seed(packed.url, above);
            paths.insert(here);
            if let Some(index) = packed.message {
                self.paths(index, packed.value, (here, depth + 1), paths);
            }
            return;
        }
        for (number, encoded) in fields(bytes) {
            let here = xxh3_64_with_seed(&number.to_le_bytes(), above);
            paths.insert(here);
            let at = message
                .fields
                .binary_search_by_key(&number, |field| field.number);
            let kind = at
                .ok()
                .and_then(|at| message.fields.get(at))
                .map(|it| it.kind);
            if let (Some(Kind::Message(index)), Encoded::Bytes(bytes)) = (kind, encoded) {
                self.paths(index, bytes, (here, depth + 1), paths);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use prost::Message;

    use super::*;
    use crate::proto::route;
    use crate::{matcher, misdirected, route_tree, wire};
    use tenon_model::{Matcher, PathMatcher};

    fn table(matchers: &[PathMatcher]) -> Resource {
        let routes = matchers.iter().map(|path| route::Route {
            r#match: Some(matcher::translate(&Matcher {
                path: Some(path.clone()),
                ..Matcher::default()
            })),
            ..route::Route::default()
        });
        let host = route::VirtualHost {
            name: "a".to_owned(),
            routes: routes.collect(),
            ..route::VirtualHost::default()
        };
        let table = route::RouteConfiguration {
            virtual_hosts: vec![host],
            ..route::RouteConfiguration::default()
        };
        Resource {
            value: table.encode_to_vec().into(),
            version: String::new(),
            provenance: Arc::from([]),
        }
    }

    fn shapes(matchers: &[PathMatcher]) -> BTreeSet<u64> {
        let table = table(matchers);
        let parts = Part::of(ResourceType::Route, &table);
        assert_eq!(parts[0].host(), Some("a"));
        parts[0].shapes()
    }

    #[test]
    fn values_do_not_matter_and_fields_do() {
        let prefix = |text: &str| PathMatcher::Prefix(text.to_owned());
        let regex = PathMatcher::Regex("/a+".to_owned());
        assert_eq!(
            shapes(&[prefix("/a")]),
            shapes(&[prefix("/b"), prefix("/c")])
        );
        assert_ne!(
            shapes(&[prefix("/a")]),
            shapes(std::slice::from_ref(&regex))
        );
        let both = shapes(&[prefix("/a"), regex.clone()]);
        let each = [shapes(&[prefix("/a")]), shapes(&[regex])];
        assert!(each.iter().flatten().all(|shape| both.contains(shape)));
    }

    #[test]
    fn routes_in_a_tree_have_the_shapes_that_they_have_in_a_list() {
        let prefix = |number: u32| PathMatcher::Prefix(format!("/{number}"));
        let mut matchers: Vec<_> = (0..20).map(prefix).collect();
        matchers.insert(0, PathMatcher::Regex("/7/a+".to_owned()));
        let table = table(&matchers);
        let parts = Part::of(ResourceType::Route, &table);
        let routes = at(parts[0].bytes, &[ROUTES]).into_iter();
        let of_list: BTreeSet<_> = routes.map(|route| shape(ROUTE, route)).collect();
        assert_eq!(of_list.len(), 2);
        let mut bytes = parts[0].bytes.to_vec();
        // Behind its name.
        route_tree::plant(&mut bytes, 3, None);
        let tree = Part {
            message: VIRTUAL_HOST,
            bytes: &bytes,
        };
        let of_tree = tree.shapes();
        assert!(of_list.is_subset(&of_tree));
        // And that of the virtual host.
        assert_eq!(of_tree.len(), 3);
        let shown = tree.to_config().unwrap();
        let list = &shown["matcher"]["matcherTree"]["prefixMatchMap"]["map"]["/7"]["action"];
        let routes = list["typedConfig"]["routes"].as_array().unwrap();
        assert_eq!(routes[1]["match"]["prefix"], "/7");
    }

    #[test]
    fn what_answers_misdirected_requests_before_a_tree_has_its_shape() {
        let answer = misdirected::answer("a", "a.test", &BTreeSet::new());
        let mut bytes = Vec::new();
        wire::append(&mut bytes, ROUTES, &answer);
        let prefix = |number: u32| PathMatcher::Prefix(format!("/{number}"));
        let matchers: Vec<_> = (0..20).map(prefix).collect();
        let table = table(&matchers);
        // Behind its name.
        bytes.extend(&Part::of(ResourceType::Route, &table)[0].bytes[3..]);
        let list = Part {
            message: VIRTUAL_HOST,
            bytes: &bytes,
        };
        let of_list: BTreeSet<_> = at(list.bytes, &[ROUTES])
            .into_iter()
            .map(|route| shape(ROUTE, route))
            .collect();
        assert_eq!(of_list.len(), 2);
        let mut bytes = bytes.clone();
        route_tree::plant(&mut bytes, 0, Some("a.test"));
        let tree = Part {
            message: VIRTUAL_HOST,
            bytes: &bytes,
        };
        assert!(of_list.is_subset(&tree.shapes()));
        let shown = tree.to_config().unwrap();
        let first = &shown["matcher"]["matcherList"]["matchers"][0];
        let elsewhere = &first["predicate"]["andMatcher"]["predicate"][1];
        let predicate = &elsewhere["notMatcher"]["singlePredicate"];
        assert_eq!(predicate["valueMatch"]["exact"], "a.test");
        let nested = &shown["matcher"]["onNoMatch"]["matcher"]["matcherTree"];
        assert!(nested["prefixMatchMap"]["map"]["/7"].is_object());
    }

    #[test]
    fn parts_are_told_in_full() {
        let table = table(&[PathMatcher::Prefix("/a".to_owned())]);
        let config = Part::of(ResourceType::Route, &table)[0]
            .to_config()
            .unwrap();
        assert_eq!(config["routes"][0]["match"]["prefix"], "/a");
    }
}
