//! Gloo's own kinds beside the Gateway API, and Tenon's.

use tenon_model_derive::Read;

use crate::DestinationSpec;
use crate::Transformations;
use crate::read::{Node, Read};
use crate::schema::Schema;

/// How the proxies of gateways are deployed, which is not the control plane's business here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct GatewayParameters;

/// An answer, in the place of a rule's backends.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
pub struct DirectResponseSpec {
    /// Its status.
    #[read(range(200, 599))]
    pub status: u16,
    /// Its body, of at most 4096 bytes.
    #[read(default, with = crate::action::body)]
    pub body: String,
}

/// Which function of an Upstream a route calls, and how.
///
/// A filter `ExtensionRef` of a backend of an HTTPRoute, or of the rule (for all its backends), refers to it. What an
/// Upstream cannot do that it says is refused there.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
pub struct FunctionCall {
    /// The function, as a `destinationSpec` of the Edge API has it.
    #[read(flatten)]
    pub call: DestinationSpec,
    /// What is changed of requests and responses, in the place of what the route says.
    #[read(flatten)]
    pub transformations: Option<Transformations>,
}

impl Read for GatewayParameters {
    fn read(node: &Node<'_>) -> Option<Self> {
        node.map(|_| Some(()))?;
        Some(Self)
    }

    fn schema() -> Schema {
        Schema::OpenObject
    }
}
