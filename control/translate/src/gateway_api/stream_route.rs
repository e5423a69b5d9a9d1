//! Where the connections of a TCPRoute or TLSRoute go.

use std::sync::Arc;

use tenon_model::gateway_api::{StreamRule, WeightedBackendRef};
use tenon_model::{
    Destination, DestinationType, Object, ObjectKey, Problem, Spec, TcpAction, TcpDestination,
    TcpMultiDestination, WeightedTcpDestination,
};

use super::http_route::Rules;
use super::precedence::RouteOrder;
use super::{Known, Reason, Seen, backends};

/// Where the connections of a route go.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Stream {
    /// Of several routes for the same connections the first gets them.
    pub(crate) order: Arc<RouteOrder>,
    pub(crate) action: TcpAction,
}

/// What a route comes to, and what is wrong with its rules.
pub(crate) fn compile(
    key: &ObjectKey,
    object: &Object,
    rules: &[StreamRule],
    known: &Seen<'_, impl Known>,
) -> (Option<Stream>, Rules) {
    let mut told = Rules {
        count: rules.len(),
        ..Rules::default()
    };
    for (index, _) in rules.iter().enumerate().skip(1) {
        let text = "has no effect: nothing tells its connections from those of the first rule";
        let field = format!("spec.rules[{index}]");
        told.problems.push(Problem::warning(field, text));
    }
    let Some(rule) = rules.first() else {
        return (None, told);
    };
    let mut shares = Vec::new();
    for (index, backend) in rule.backend_refs.iter().enumerate() {
        let to = resolve(key, backend, known).unwrap_or_else(|reason| {
            told.tell_unresolved(format!("spec.rules[0].backendRefs[{index}]"), reason);
            DestinationType::Nowhere
        });
        if backend.weight > 0 {
            shares.push((backend.weight, to));
        }
    }
    let stream = Stream {
        order: Arc::new(RouteOrder::of(key, object)),
        action: action(shares),
    };
    (Some(stream), told)
}

fn resolve(
    key: &ObjectKey,
    backend: &WeightedBackendRef,
    known: &Seen<'_, impl Known>,
) -> Result<DestinationType, Reason> {
    let Destination { to, .. } = backends::resolve(&backend.backend, key, known)?;
    let upstream = to.upstream();
    match known.spec(&upstream.key(tenon_model::Kind::Upstream)) {
        Some(Spec::Upstream(found)) if found.calls_functions() => {
            let text = format!("Upstream {upstream} has functions, which take HTTP only");
            Err(Reason::new("UnsupportedProtocol", text))
        }
        _ => Ok(to),
    }
}

/// Connections whose share leads nowhere are closed; all of them, where no share has a weight.
fn action(mut shares: Vec<(u32, DestinationType)>) -> TcpAction {
    let to = |to: DestinationType| TcpDestination { to };
    match shares.len() {
        0 => TcpAction::Single(to(DestinationType::Nowhere)),
        1 => {
            let only = shares.pop().map(|(_, to)| to);
            TcpAction::Single(to(only.unwrap_or(DestinationType::Nowhere)))
        }
        _ => {
            let destinations = shares
                .into_iter()
                .map(|(weight, it)| WeightedTcpDestination {
                    destination: to(it),
                    weight,
                });
            TcpAction::Multi(TcpMultiDestination {
                destinations: destinations.collect(),
            })
        }
    }
}
