//! The rows.

use tenon_contract::transform::{
    RequestMatcher, RequestRule, ResponseRule, Transformation, Transforms, ValueMatcher,
};

use super::Row;

mod bodies;
mod errors;
mod extractors;
mod framing;
mod headers;
mod matchers;
mod metadata;
mod routes;

/// All rows, each with a name of its own.
pub fn all() -> Vec<Row> {
    [
        headers::all(),
        bodies::all(),
        extractors::all(),
        matchers::all(),
        metadata::all(),
        errors::all(),
        framing::all(),
        routes::all(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// One rule for all requests.
pub(super) fn request_rule(transformation: Transformation) -> Transforms {
    Transforms {
        request_transforms: vec![RequestRule {
            request_transformation: Some(transformation),
            ..RequestRule::default()
        }],
        ..Transforms::default()
    }
}

/// One rule for the responses to all requests.
pub(super) fn response_rule(transformation: Transformation) -> Transforms {
    Transforms {
        request_transforms: vec![RequestRule {
            response_transformation: Some(transformation),
            ..RequestRule::default()
        }],
        ..Transforms::default()
    }
}

/// Rules that mark a request with the number of the one that fits, in `x-rule`.
fn marking(matchers: impl IntoIterator<Item = RequestMatcher>) -> Transforms {
    let rules = matchers.into_iter().enumerate();
    Transforms {
        request_transforms: rules
            .map(|(index, matcher)| RequestRule {
                matcher: Some(matcher),
                request_transformation: Some(super::by(|it| {
                    it.headers.insert("x-rule".into(), index.to_string().into());
                })),
                ..RequestRule::default()
            })
            .collect(),
        ..Transforms::default()
    }
}

/// Rules that mark a response in the same way.
fn marking_responses(rules: impl IntoIterator<Item = ResponseRule>) -> Transforms {
    let rules = rules.into_iter().enumerate();
    Transforms {
        response_transforms: rules
            .map(|(index, mut rule)| {
                rule.response_transformation = super::by(|it| {
                    it.headers.insert("x-rule".into(), index.to_string().into());
                });
                rule
            })
            .collect(),
        ..Transforms::default()
    }
}

/// A header or a parameter with this value.
fn value(name: &str, value: &str) -> ValueMatcher {
    ValueMatcher {
        name: name.into(),
        value: value.into(),
        ..ValueMatcher::default()
    }
}

/// The same with an expression.
fn regex(name: &str, pattern: &str) -> ValueMatcher {
    ValueMatcher {
        regex: true,
        ..value(name, pattern)
    }
}
