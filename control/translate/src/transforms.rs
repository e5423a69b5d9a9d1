//! Where transformations are done: filters of a listener, all off, and what switches them on for a route.

use std::collections::BTreeSet;

use envoy_types::pb::envoy::extensions::filters::common::set_filter_state::v3::{
    FilterStateValue, filter_state_value,
};
use envoy_types::pb::envoy::extensions::filters::http::set_filter_state::v3::Config as SetFilterState;
use serde_json::Value;
use tenon_contract::transform::{
    DESTINATION_STATE, RouteTransformations, Stage, TRANSFORM_FILTER, TransformConfig, Transforms,
};

use crate::filters::{filter, guard_on, hosted, off, on};
use crate::http_filters::{self, Chain};
use crate::json::to_config;
use crate::output::Module;
use crate::proto::{Any, core, hcm, inline_string, route};
use crate::virtual_host::Needs;
use crate::wire::any;

/// Puts the filters of the stages that some route needs: early ones after faults, regular ones after it is known who the
/// client is and what they may do.
pub(crate) fn put(chain: &mut Chain, module: &Module, needs: &Needs) {
    for stage in &needs.stages {
        let place = match stage {
            Stage::Early => http_filters::Stage::Fault.after(),
            Stage::Regular => http_filters::Stage::AuthZ.after(),
            Stage::PostRouting => http_filters::Stage::Route.after(),
        };
        if needs.destinations {
            // Before each, because the stage before may have had another route chosen.
            let tells = filter(DESTINATION_STATE, any(&SetFilterState::default()));
            chain.put(place, off(tells));
        }
        chain.put(place, off(of_stage(module, *stage)));
    }
}

/// Applies what routes transform in a stage.
fn of_stage(module: &Module, stage: Stage) -> hcm::HttpFilter {
    let name = name_of(stage);
    let config = TransformConfig::stage(stage).to_json();
    filter(name, hosted(module, TRANSFORM_FILTER, name, config))
}

fn name_of(stage: Stage) -> &'static str {
    match stage {
        Stage::Early => "tenon.transform.early",
        Stage::Regular => "tenon.transform.regular",
        Stage::PostRouting => "tenon.transform.post_routing",
    }
}

/// The filter of the regular stage, off, in the form of Envoy's configuration files: for an Envoy without a control plane,
/// as in tests.
///
/// `None`: a descriptor is missing.
pub fn transform_filter(module: &Module) -> Option<Value> {
    to_config(&off(of_stage(module, Stage::Regular)))
}

/// What switches filters on for a route that transforms: names and values of `typed_per_filter_config`. Envoy ignores a
/// name that the listener does not have.
///
/// Envoy makes a request's filters for the route that it chooses first. Where a change of the request may have another
/// one chosen, all that one may need is switched on: with the `.wasm` that is so whenever headers are changed, whether
/// asked for or not.
pub(crate) fn switched_on(of: &RouteTransformations) -> impl Iterator<Item = (String, Any)> {
    let requests = || rules(of).flat_map(|(_, rules)| &rules.request_transforms);
    let changes = requests().any(|rule| rule.request_transformation.is_some());
    let stages = match changes {
        true => BTreeSet::from([Stage::Early, Stage::Regular, Stage::PostRouting]),
        false => used(of),
    };
    let destination = changes.then_some(DESTINATION_STATE);
    let names = stages.into_iter().map(name_of).chain(destination);
    // The other one may be to a function.
    let again = requests().any(|rule| rule.clear_route_cache);
    let guard = again.then(|| guard_on(true)).into_iter().flatten();
    names.map(|name| (name.to_owned(), on())).chain(guard)
}

/// The stages in which a route or one of its destinations does something.
pub(crate) fn used(of: &RouteTransformations) -> BTreeSet<Stage> {
    let does = |rules: &Transforms| *rules != Transforms::default();
    let used = rules(of).filter(|(_, rules)| does(rules));
    used.map(|(stage, _)| stage).collect()
}

/// The rules of a route and of its destinations.
fn rules(of: &RouteTransformations) -> impl Iterator<Item = (Stage, &Transforms)> {
    let own = [&of.early, &of.regular, &of.post_routing];
    let destinations = of.destinations.values();
    let destinations = destinations.map(|it| [&it.early, &it.regular, &it.post_routing]);
    [own].into_iter().chain(destinations).flat_map(|stages| {
        let [early, regular, post_routing] = stages.map(Option::as_ref);
        let staged = [
            early.map(|it| (Stage::Early, it)),
            regular.map(|it| (Stage::Regular, it)),
            post_routing.map(|it| (Stage::PostRouting, it)),
        ];
        staged.into_iter().flatten()
    })
}

/// Has a weighted route tell which destination it chose, for transformations of destinations.
pub(crate) fn tell_destinations(of: &mut route::Route) {
    use route::route::Action;
    use route::route_action::ClusterSpecifier;
    let Some(Action::Route(action)) = &mut of.action else {
        return;
    };
    let Some(ClusterSpecifier::WeightedClusters(weighted)) = &mut action.cluster_specifier else {
        return;
    };
    for (number, cluster) in weighted.clusters.iter_mut().enumerate() {
        let config = SetFilterState {
            on_request_headers: vec![FilterStateValue {
                key: Some(filter_state_value::Key::ObjectKey(
                    DESTINATION_STATE.to_owned(),
                )),
                factory_key: "envoy.string".to_owned(),
                value: Some(filter_state_value::Value::FormatString(
                    core::SubstitutionFormatString {
                        format: inline_string(number.to_string())
                            .map(core::substitution_format_string::Format::TextFormatSource),
                        ..core::SubstitutionFormatString::default()
                    },
                )),
                ..FilterStateValue::default()
            }],
            ..SetFilterState::default()
        };
        cluster
            .typed_per_filter_config
            .insert(DESTINATION_STATE.to_owned(), any(&config));
    }
}
