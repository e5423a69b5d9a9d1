//! Which rules are in force: those of the route, or those of the filter.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;

use arc_swap::ArcSwap;
use tenon_contract::Sorted;
use tenon_contract::transform::{
    RouteTransformations, Stage, Stages, TRANSFORM_KEY, TransformConfig,
};

use super::rules::{Rules, StageRules};
use super::{Invalid, Place};
use crate::host::{Level, TransformHost};

/// The compiled configuration of the filter. All workers share it.
#[derive(Debug)]
pub struct Transformer {
    stage: Stage,
    max_body_bytes: u64,
    rules: Arc<Rules>,
    routes: Routes,
}

/// What a route says, compiled.
#[derive(Debug, Default)]
pub struct RouteRules {
    stages: StageRules,
    clusters: Sorted<String, StageRules>,
    destinations: Sorted<String, StageRules>,
}

impl Transformer {
    /// Compiles a filter's configuration.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub fn new(config: &TransformConfig) -> Result<Self, Vec<Invalid>> {
        let mut found = Vec::new();
        let rules = Rules::compile(
            &config.request_transforms,
            &config.response_transforms,
            &mut Place::root(&mut found),
        );
        if !found.is_empty() {
            return Err(found);
        }
        Ok(Self {
            stage: config.stage,
            max_body_bytes: config.max_body_bytes,
            rules: Arc::new(rules),
            routes: Routes::default(),
        })
    }

    /// The largest body that a transformation looks at, in bytes.
    pub fn max_body_bytes(&self) -> u64 {
        self.max_body_bytes
    }

    /// The rules for a request, `None` where there are none. `own` is what the route says where the host knows; where
    /// it does not, the route's metadata is asked. An error where that cannot be read.
    pub(super) fn rules(
        &self,
        own: Option<&RouteRules>,
        host: &mut impl TransformHost,
    ) -> Result<Option<Arc<Rules>>, Unreadable> {
        if let Some(own) = own {
            return Ok(self.choose(own, host));
        }
        let Some(text) = host.route_metadata(TRANSFORM_KEY) else {
            return Ok(self.own_rules());
        };
        let mut reports = Vec::new();
        let route = self.routes.get(&text, &mut reports);
        drop(text);
        for report in reports {
            host.log(
                Level::Error,
                &format!("transformations of a route: {report}"),
            );
        }
        let route = route.ok_or(Unreadable)?;
        Ok(self.choose(&route, host))
    }

    fn own_rules(&self) -> Option<Arc<Rules>> {
        (!self.rules.is_empty()).then(|| self.rules.clone())
    }

    fn choose(&self, route: &RouteRules, host: &impl TransformHost) -> Option<Arc<Rules>> {
        let stages = route.of_destination(host).unwrap_or(&route.stages);
        let rules = match self.stage {
            Stage::Early => &stages.early,
            Stage::Regular => &stages.regular,
            Stage::PostRouting => &stages.post_routing,
        };
        match rules {
            Some(rules) => (!rules.is_empty()).then(|| rules.clone()),
            None => self.own_rules(),
        }
    }
}

/// A route's transformations cannot be read; the log says why.
#[derive(Debug)]
pub(super) struct Unreadable;

impl RouteRules {
    /// The rules of the destination that Envoy has chosen, where it has some of its own.
    fn of_destination(&self, host: &impl TransformHost) -> Option<&StageRules> {
        if !self.destinations.is_empty()
            && let Some(number) = host.destination()
            && let Ok(number) = std::str::from_utf8(&number)
        {
            return self.destinations.get(number);
        }
        if self.clusters.is_empty() {
            return None;
        }
        let name = host.cluster_name()?;
        self.clusters.get(std::str::from_utf8(&name).ok()?)
    }

    /// Compiles what a route says.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub fn new(config: &RouteTransformations) -> Result<Self, Vec<Invalid>> {
        let mut found = Vec::new();
        let mut place = Place::root(&mut found);
        let stages = StageRules::compile(
            [&config.early, &config.regular, &config.post_routing],
            &mut place,
        );
        let mut named = |field: &str, all: &Sorted<String, Stages>| {
            let mut compiled = Sorted::new();
            for (name, stages) in all {
                let rules = StageRules::compile(
                    [&stages.early, &stages.regular, &stages.post_routing],
                    &mut place.at(field).at(name),
                );
                compiled.insert(name.clone(), rules);
            }
            compiled
        };
        let clusters = named("clusters", &config.clusters);
        let destinations = named("destinations", &config.destinations);
        match found.is_empty() {
            true => Ok(Self {
                stages,
                clusters,
                destinations,
            }),
            false => Err(found),
        }
    }

    /// Reads and compiles what a route says; `report` hears what is wrong, and what is ignored.
    pub fn read(text: &[u8], report: &mut dyn FnMut(&str)) -> Option<Self> {
        let read = match RouteTransformations::from_json(text) {
            Ok(read) => read,
            Err(error) => {
                report(&error.to_string());
                return None;
            }
        };
        if !read.unknown.is_empty() {
            let unknown = read.unknown.join(", ");
            report(&format!(
                "fields of a newer control plane, ignored: {unknown}"
            ));
        }
        match Self::new(&read.value) {
            Ok(compiled) => Some(compiled),
            Err(invalid) => {
                for it in invalid {
                    report(&it.to_string());
                }
                None
            }
        }
    }
}

/// What routes say, by the text that says it. Reads take no lock; a text that was never seen is compiled once.
#[derive(Debug, Default)]
struct Routes {
    compiled: ArcSwap<Compiled>,
}

/// `None`: the text cannot be read.
type Compiled = HashMap<Arc<[u8]>, Option<Arc<RouteRules>>, BuildHasherDefault<TextHasher>>;

/// More texts than a route table would hold: beyond it the cache starts anew rather than growing with every edit.
const MOST_TEXTS: usize = 16_384;

impl Routes {
    fn get(&self, text: &[u8], reports: &mut Vec<String>) -> Option<Arc<RouteRules>> {
        if let Some(known) = self.compiled.load().get(text) {
            return known.clone();
        }
        let compiled = RouteRules::read(text, &mut |report| reports.push(report.to_owned()));
        let compiled = compiled.map(Arc::new);
        self.compiled.rcu(|known| {
            let mut known = if known.len() < MOST_TEXTS {
                HashMap::clone(known)
            } else {
                Compiled::default()
            };
            known.insert(text.into(), compiled.clone());
            known
        });
        compiled
    }
}

/// A hash for texts of some kilobytes, eight bytes at a time: the one that `HashMap` brings takes longer than all else
/// that is done for a request. The texts are the operator's own, so nobody makes them collide.
#[derive(Debug, Default)]
struct TextHasher(u64);

impl TextHasher {
    fn add(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(5) ^ word).wrapping_mul(0x517c_c1b7_2722_0a95);
    }
}

impl Hasher for TextHasher {
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.add(u64::from_le_bytes(*word));
        }
        for byte in rest {
            self.add(u64::from(*byte));
        }
    }

    fn finish(&self) -> u64 {
        // A map takes its place from the lowest bits, which a product mixes least.
        self.0 ^ (self.0 >> 32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_compiled_once_and_a_bad_one_reported_once() {
        let routes = Routes::default();
        let mut reports = Vec::new();
        let text = br#"{"version":1,"regular":{}}"#;
        let first = routes.get(text, &mut reports).unwrap();
        let second = routes.get(text, &mut reports).unwrap();
        assert!(Arc::ptr_eq(&first, &second));
        assert!(reports.is_empty(), "{reports:?}");
        for _ in 0..2 {
            assert!(routes.get(b"{}", &mut reports).is_none());
        }
        assert_eq!(reports.len(), 1, "{reports:?}");
    }

    #[test]
    fn texts_that_differ_anywhere_have_different_hashes() {
        let hash = |text: &[u8]| {
            let mut hasher = TextHasher::default();
            hasher.write(text);
            hasher.finish()
        };
        let text = vec![b'x'; 100];
        let mut all: Vec<_> = (0..text.len())
            .map(|index| {
                let mut other = text.clone();
                other[index] = b'y';
                hash(&other)
            })
            .collect();
        all.push(hash(&text));
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 101);
    }
}
