//! What is measured of templates: the same in Envoy and alone.

use tenon_contract::RestCall;
use tenon_contract::transform::{
    Empty, Extraction, InjaTemplate, RequestRule, RouteTransformations, Stages, Transformation,
    TransformationTemplate, Transforms,
};

/// A header is set from another one, and one removed.
pub(crate) fn headers() -> TransformationTemplate {
    TransformationTemplate {
        headers: [(
            "x-user".to_owned(),
            InjaTemplate::from(r#"user-{{ header("x-name") }}"#),
        )]
        .into(),
        headers_to_remove: vec!["x-internal".into()],
        passthrough: Some(Empty {}),
        ..TransformationTemplate::default()
    }
}

/// A body of JSON becomes another one with three of its values ([`crate::message::TRANSFORMED`]).
pub(crate) fn json() -> TransformationTemplate {
    TransformationTemplate {
        body: Some(InjaTemplate::from(
            r#"{"user":"{{ user.id }}","name":"{{ user.name }}","order":{{ order.id }}}"#,
        )),
        ..TransformationTemplate::default()
    }
}

/// A route that does so with its requests; without a template, one that does nothing.
pub(crate) fn of_route(template: Option<TransformationTemplate>) -> RouteTransformations {
    let rule = |template| RequestRule {
        request_transformation: Some(Transformation {
            transformation_template: Some(template),
            ..Transformation::default()
        }),
        ..RequestRule::default()
    };
    RouteTransformations::new(Stages {
        regular: template.map(|template| Transforms {
            request_transforms: vec![rule(template)],
            ..Transforms::default()
        }),
        ..Stages::default()
    })
}

/// A REST function that makes a path and a header of two parameters.
pub(crate) fn rest_function() -> TransformationTemplate {
    let text = |text: &str| InjaTemplate::from(text);
    TransformationTemplate {
        headers: [
            (":path".to_owned(), text(r#"/api/{{ user }}/{{ id }}"#)),
            ("x-user".to_owned(), text(r#"user-{{ default(user, "") }}"#)),
        ]
        .into(),
        ..TransformationTemplate::default()
    }
}

/// A call of the function of this name, with the parameters as the control plane writes them.
pub(crate) fn rest_call(function: &str) -> RestCall {
    let parameter = |header: &str, regex: &str| Extraction {
        header: Some(header.to_owned()),
        regex: regex.to_owned(),
        subgroup: 1,
        ..Extraction::default()
    };
    RestCall {
        name: function.into(),
        extractors: [
            ("id".to_owned(), parameter(":path", "/([-._%0-9A-Za-z]+)")),
            ("user".to_owned(), parameter("x-name", "([-._%0-9A-Za-z]+)")),
        ]
        .into(),
        response: None,
    }
}
