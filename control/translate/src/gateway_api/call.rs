//! Which function of an upstream is called.

use tenon_model::gateway_api::FunctionCall;
use tenon_model::{
    AwsDestination, AzureDestination, Destination, DestinationSpec, DestinationType,
    GcpDestination, Kind, RestDestination, Spec, Transformations, Upstream, UpstreamType,
};

use super::{Known, Reason, Seen};

/// Which function is called, and how.
#[derive(Debug, Clone)]
pub(crate) enum Call {
    /// The one of this name, as Gloo's `Parameter` has it.
    Parameter(String),
    /// What an object says.
    Function(Box<FunctionCall>),
}

impl Call {
    /// What is changed of requests and responses.
    pub(crate) fn transformations(&self) -> Option<&Transformations> {
        match self {
            Self::Parameter(_) => None,
            Self::Function(call) => call.transformations.as_ref(),
        }
    }

    /// Has a destination call it.
    pub(crate) fn put_into(
        &self,
        to: &mut Destination,
        known: &Seen<'_, impl Known>,
    ) -> Result<(), Reason> {
        to.spec = Some(match self {
            Self::Function(call) => call.call.clone(),
            Self::Parameter(name) => by_name(name, to, known)?,
        });
        Ok(())
    }
}

fn by_name(
    name: &str,
    to: &Destination,
    known: &Seen<'_, impl Known>,
) -> Result<DestinationSpec, Reason> {
    let refused = |what: &str| {
        let text = format!(
            "{what} has no functions by name, so no Parameter: expected an Upstream with aws, azure, gcp or REST functions"
        );
        Err(Reason::new("UnsupportedValue", text))
    };
    let DestinationType::Upstream(reference) = &to.to else {
        return refused("a Service");
    };
    match known.spec(&reference.key(Kind::Upstream)) {
        Some(Spec::Upstream(upstream)) => match spec(name, upstream) {
            Some(spec) => Ok(spec),
            None => refused(&format!("Upstream {reference}")),
        },
        _ => refused(&format!("Upstream {reference}")),
    }
}

fn spec(name: &str, upstream: &Upstream) -> Option<DestinationSpec> {
    let name = Some(name.to_owned());
    Some(match &upstream.kind {
        UpstreamType::Aws(_) => DestinationSpec::Aws(AwsDestination {
            logical_name: name,
            ..AwsDestination::default()
        }),
        UpstreamType::Azure(_) => DestinationSpec::Azure(AzureDestination {
            function_name: name,
        }),
        UpstreamType::Gcp(_) => DestinationSpec::Gcp(GcpDestination {
            logical_name: name,
            ..GcpDestination::default()
        }),
        _ => {
            upstream.rest()?;
            DestinationSpec::Rest(Box::new(RestDestination {
                function_name: name,
                ..RestDestination::default()
            }))
        }
    })
}
