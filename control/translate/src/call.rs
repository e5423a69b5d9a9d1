//! Which function a destination calls, and how.

use tenon_contract::{
    AwsCall, CallConfig, CallTarget, Invocation, RequestShape, ResponseShape, VERSION,
};
use tenon_model::{
    AwsDestination, AwsSettings, AwsUpstream, InvocationStyle, LambdaFunction, ObjectRef, Payload,
};

use crate::aws::arn_or_name;

/// The call, or why there is none: the field below the destination, and the reason.
pub(crate) fn resolve(
    reference: &ObjectRef,
    lambda: &AwsUpstream,
    destination: Option<&AwsDestination>,
    (rewrites_path, settings): (bool, AwsSettings),
) -> Result<CallConfig, (&'static str, String)> {
    let asked = destination
        .cloned()
        .unwrap_or_default()
        .or(&lambda.overrides);
    let fallback = settings.fallback_to_first_function;
    let function = function(reference, lambda, &asked, fallback)?;
    if let Some((function, url)) = function.and_then(|it| Some((it, it.url.as_ref()?))) {
        let plain = AwsDestination {
            logical_name: destination.and_then(|it| it.logical_name.clone()),
            ..AwsDestination::default()
        };
        if destination.is_some_and(|it| *it != plain) {
            let text = format!(
                "function {:?} is called by its URL, which gives requests and responses as they are: nothing but logicalName is possible",
                function.logical_name
            );
            return Err((".destinationSpec.aws", text));
        }
        let mut call = CallConfig::aws_url(&function.logical_name, url.auth_type);
        call.rewrites_path = rewrites_path;
        return Ok(call);
    }
    let (request, response) = shapes(&asked)?;
    let name = function.map(|function| arn_or_name(lambda, function));
    let defaults = AwsCall::new(name.unwrap_or_default());
    let target = CallTarget::Aws(AwsCall {
        qualifier: function.and_then(|function| function.qualifier.clone()),
        invocation: match asked.call.invocation_style {
            None | Some(InvocationStyle::Sync) => Invocation::RequestResponse,
            Some(InvocationStyle::Async) => Invocation::Event,
            Some(InvocationStyle::DryRun) => Invocation::DryRun,
            Some(InvocationStyle::Streaming) => Invocation::ResponseStream,
        },
        request,
        response,
        function_error_status: asked
            .call
            .function_error_status
            .unwrap_or(defaults.function_error_status),
        expose_function_error: asked
            .call
            .expose_function_error
            .unwrap_or(defaults.expose_function_error),
        log_tail: asked.call.log_tail.unwrap_or(defaults.log_tail),
        text_content_types: asked.call.text_content_types.clone(),
        empty_body_override: asked.empty_body_override.clone(),
        ..defaults
    });
    Ok(CallConfig {
        version: VERSION,
        function: function.map_or_else(String::new, |it| it.logical_name.clone()),
        by_table: function.is_none(),
        rewrites_path,
        target,
    })
}

/// Whether its answer is streamed.
pub(crate) fn streams(call: &CallConfig) -> bool {
    matches!(&call.target, CallTarget::Aws(aws) if aws.invocation == Invocation::ResponseStream)
}

/// What the function is given, and what its answer is.
fn shapes(asked: &AwsDestination) -> Result<(RequestShape, ResponseShape), (&'static str, String)> {
    if let Some(payload) = asked.call.payload {
        return Ok(match payload {
            Payload::Raw => (RequestShape::Body, ResponseShape::Body),
            Payload::ApiGatewayV1 => (RequestShape::ApiGatewayV1, ResponseShape::ApiGatewayV1),
            Payload::ApiGatewayV2 => (RequestShape::ApiGatewayV2, ResponseShape::ApiGatewayV2),
            Payload::Alb => (RequestShape::LoadBalancer, ResponseShape::LoadBalancer),
            Payload::AlbMultiValue => (
                RequestShape::LoadBalancerMultiValue,
                ResponseShape::LoadBalancerMultiValue,
            ),
        });
    }
    let request = match (asked.request_transformation, asked.wrap_as_api_gateway) {
        (true, true) => {
            return Err((
                ".destinationSpec.aws",
                "requestTransformation and wrapAsApiGateway exclude each other".into(),
            ));
        }
        (true, false) => RequestShape::Metadata,
        (false, true) => RequestShape::ApiGateway,
        (false, false) => RequestShape::Body,
    };
    let response = match (asked.unwrap_as_alb, asked.unwrap_as_api_gateway) {
        (true, true) => {
            return Err((
                ".destinationSpec.aws",
                "unwrapAsAlb and unwrapAsApiGateway exclude each other".into(),
            ));
        }
        (true, false) => ResponseShape::Alb,
        (false, true) => ResponseShape::ApiGateway,
        (false, false) => ResponseShape::Body,
    };
    Ok((request, response))
}

/// The function, or `None` where the request says which.
fn function<'a>(
    reference: &ObjectRef,
    lambda: &'a AwsUpstream,
    asked: &AwsDestination,
    falls_back: bool,
) -> Result<Option<&'a LambdaFunction>, (&'static str, String)> {
    let Some(first) = lambda.functions.first() else {
        return Err((
            ".upstream",
            format!("lambda points to upstream {reference} with no functions"),
        ));
    };
    let names: Vec<_> = lambda
        .functions
        .iter()
        .map(|it| it.logical_name.as_str())
        .collect();
    let known = names.join(", ");
    let Some(name) = &asked.logical_name else {
        if lambda.functions.iter().any(|it| !it.matchers.is_empty()) {
            return Ok(None);
        }
        if falls_back {
            return Ok(Some(first));
        }
        return Err((
            ".destinationSpec.aws.logicalName",
            format!("is required, because upstream {reference} calls functions; known: {known}"),
        ));
    };
    let found = lambda.functions.iter().find(|it| it.logical_name == *name);
    let found = found.or(falls_back.then_some(first));
    found.map(Some).ok_or_else(|| {
        (
            ".destinationSpec.aws.logicalName",
            format!("unknown function {name:?} on upstream {reference}; known: {known}"),
        )
    })
}
