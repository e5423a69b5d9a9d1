//! What became of objects of the Gateway API, as the specification has it told.

use tenon_model::gateway_api::{ParentRef, RouteGroupKind};

use super::Reason;

/// The name of this controller, which is Gloo's.
pub const CONTROLLER: &str = "solo.io/gloo-gateway";

/// What became of an object, in the specification's terms: the data of its `status`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Conditions {
    /// Of the object itself: of a GatewayClass, a Gateway, a ListenerSet.
    pub own: Vec<Condition>,
    /// Of a route, by what it wants to be attached to.
    pub parents: Vec<ParentConditions>,
    /// Of a Gateway's or ListenerSet's listeners.
    pub listeners: Vec<ListenerConditions>,
    /// How many ListenerSets add listeners to it, if it is a Gateway: `attachedListenerSets`.
    pub attached_sets: Option<usize>,
}

/// What became of a route at one of those that it wants to be attached to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParentConditions {
    /// Which.
    pub parent: ParentRef,
    /// What became of it there.
    pub conditions: Vec<Condition>,
}

/// What became of a listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenerConditions {
    /// Its name.
    pub name: String,
    /// The kinds of routes that it takes.
    pub supported_kinds: Vec<RouteGroupKind>,
    /// How many routes are attached to it.
    pub attached_routes: usize,
    /// What became of it.
    pub conditions: Vec<Condition>,
}

/// A condition. When it came to be is for whoever writes it down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// Its type, as `Accepted`.
    pub kind: &'static str,
    /// Whether it holds; `None`: it is not known.
    pub status: Option<bool>,
    /// Why, in a word of the specification's.
    pub reason: &'static str,
    /// Why, in words.
    pub message: String,
    /// Of which form of the object.
    pub observed_generation: Option<i64>,
}

impl Condition {
    /// `True`, `False` or `Unknown`.
    pub fn status(&self) -> &'static str {
        match self.status {
            Some(true) => "True",
            Some(false) => "False",
            None => "Unknown",
        }
    }

    /// One that holds, with its own name as reason if it has no other, or does not, and why.
    pub(crate) fn of(
        kind: &'static str,
        outcome: Result<&'static str, &Reason>,
        generation: Option<i64>,
    ) -> Self {
        let (status, reason, message) = match outcome {
            Ok(reason) => (true, reason, String::new()),
            Err(why) => (false, why.reason, why.message.clone()),
        };
        Self {
            kind,
            status: Some(status),
            reason,
            message,
            observed_generation: generation,
        }
    }

    /// The same the other way round: that it holds is what is wrong.
    pub(crate) fn against(
        kind: &'static str,
        outcome: Result<&'static str, &Reason>,
        generation: Option<i64>,
    ) -> Self {
        let mut condition = Self::of(kind, outcome, generation);
        condition.status = condition.status.map(|holds| !holds);
        condition
    }
}
