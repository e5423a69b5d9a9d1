//! Transformations (Gloo's `stagedTransformations` and, as it was before, `transformations`), in the form that the
//! filter takes. What the filter would refuse when it loads them is refused here, with the path of the field.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tenon_contract::transform::{
    Empty, Extraction, HeaderToAppend, InjaTemplate, MergeJsonKeys, ParseBodyBehavior,
    RequestMatcher, RequestRule, ResponseRule, SpanTransformer, Stages, Transformation,
    TransformationTemplate, Transforms, ValueMatcher,
};
use tenon_core::transform::check;

use crate::read::{Fields, Node, ReadFields};
use crate::schema::{Object, Schema};
use crate::settings::TransformationSettings;

/// What is transformed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Transformations {
    /// By stage.
    pub stages: Stages,
    /// The parent's come after these (Gloo's `inheritTransformation`).
    pub inherit: bool,
    /// What holds for templates that do not say it themselves.
    pub escape_characters: Option<bool>,
    /// Whether all of them are logged.
    pub log: Option<bool>,
}

impl Transformations {
    /// What is in force below a parent: a child that says something hides it, unless it inherits.
    pub fn below(
        child: Option<&Self>,
        parent: Option<&Self>,
        settings: TransformationSettings,
    ) -> Option<Stages> {
        let own = child.or(parent)?;
        let stages = own.stages.clone();
        let stages = match (child, parent) {
            (Some(child), Some(parent)) if child.inherit => stages.inheriting(&parent.stages),
            _ => stages,
        };
        // As Gloo: what comes from the parent is under what the child says.
        Some(own.complete(stages, settings))
    }

    /// What a child says, over what its parent says; it inherits from above its parent if that does.
    pub(crate) fn over(child: Option<&Self>, parent: Option<&Self>) -> Option<Self> {
        match (child, parent) {
            (Some(child), Some(parent)) if child.inherit => Some(Self {
                stages: child.stages.clone().inheriting(&parent.stages),
                inherit: parent.inherit,
                ..child.clone()
            }),
            (child, parent) => child.or(parent).cloned(),
        }
    }

    /// Says in each transformation what only its surroundings say.
    fn complete(&self, mut stages: Stages, settings: TransformationSettings) -> Stages {
        let default = settings.escape_characters.then_some(true);
        let escape = self.escape_characters.or(default);
        let log = self.log.unwrap_or(settings.log);
        let all = [
            &mut stages.early,
            &mut stages.regular,
            &mut stages.post_routing,
        ];
        for transformation in all.into_iter().flatten().flat_map(every_transformation) {
            transformation.log_request_response_info |= log;
            if let Some(template) = &mut transformation.transformation_template {
                template.escape_characters = template.escape_characters.or(escape);
            }
        }
        stages
    }
}

impl ReadFields for Transformations {
    fn read_fields(fields: &mut Fields<'_>) -> Option<Self> {
        read(fields)
    }

    fn describe(object: &mut Object) {
        let docs = [
            (
                "stagedTransformations",
                "What is changed of requests and responses, by stage.",
            ),
            (
                "transformations",
                "The same, of the regular stage, as it was said before; `stagedTransformations.regular` takes its place.",
            ),
        ];
        for (name, doc) in docs {
            object.field(name, doc, Schema::OpenObject, false);
        }
    }
}

/// The two fields of options.
fn read(fields: &mut Fields<'_>) -> Option<Transformations> {
    let old = fields.field("transformations", |node| {
        let rule = node.object(read_old)?;
        let stages = Stages {
            regular: Some(Transforms {
                request_transforms: vec![rule],
                ..Transforms::default()
            }),
            ..Stages::default()
        };
        for it in check(&stages) {
            let field = it.field.strip_prefix("regular.requestTransforms[0].");
            node.error_at(field.unwrap_or(&it.field), &it.text);
        }
        Some(stages)
    });
    let mut staged = fields.field("stagedTransformations", |node| {
        let read = node.object(read_staged)?;
        for it in check(&read.stages) {
            node.error_at(&it.field, &it.text);
        }
        Some(read)
    });
    if let (Some(old), Some(staged)) = (&old, &mut staged)
        && staged.stages.regular.is_none()
    {
        // As Gloo: the old field is the regular stage, where the new one does not say another.
        staged.stages.regular.clone_from(&old.regular);
    }
    staged.or(old.map(|stages| Transformations {
        stages,
        ..Transformations::default()
    }))
}

fn read_old(fields: &mut Fields<'_>) -> Option<RequestRule> {
    Some(RequestRule {
        matcher: None,
        clear_route_cache: fields.flag("clearRouteCache"),
        request_transformation: fields.field("requestTransformation", read_transformation),
        response_transformation: fields.field("responseTransformation", read_transformation),
    })
}

fn read_staged(fields: &mut Fields<'_>) -> Option<Transformations> {
    Some(Transformations {
        stages: Stages {
            early: fields.field("early", read_stage),
            regular: fields.field("regular", read_stage),
            post_routing: fields.field("postRouting", read_stage),
        },
        inherit: fields.flag("inheritTransformation"),
        escape_characters: fields.field("escapeCharacters", |node| node.boolean()),
        log: fields.field("logRequestResponseInfo", |node| node.boolean()),
    })
}

fn every_transformation(stage: &mut Transforms) -> impl Iterator<Item = &mut Transformation> {
    let requests = stage.request_transforms.iter_mut().flat_map(|rule| {
        let request = rule.request_transformation.iter_mut();
        request.chain(&mut rule.response_transformation)
    });
    let responses = stage.response_transforms.iter_mut();
    requests.chain(responses.map(|rule| &mut rule.response_transformation))
}

fn read_stage(node: Node<'_>) -> Option<Transforms> {
    node.object(|fields| {
        Some(Transforms {
            request_transforms: fields
                .list("requestTransforms", |node| node.object(read_request_rule)),
            response_transforms: fields
                .list("responseTransforms", |node| node.object(read_response_rule)),
        })
    })
}

fn read_request_rule(fields: &mut Fields<'_>) -> Option<RequestRule> {
    let matcher = fields.field("matcher", |node| {
        node.object(|fields| {
            let path: Vec<_> = ["prefix", "exact", "regex"]
                .map(|name| fields.field(name, |node| node.string()))
                .into();
            let [prefix, exact, regex] = path.try_into().unwrap_or_default();
            Some(RequestMatcher {
                prefix,
                exact,
                regex,
                case_sensitive: fields
                    .field("caseSensitive", |node| node.boolean())
                    .unwrap_or(true),
                headers: fields.list("headers", read_as::<ValueMatcher>),
                query_parameters: fields.list("queryParameters", read_as::<ValueMatcher>),
                methods: fields.list("methods", |node| node.non_empty()),
            })
        })
    });
    Some(RequestRule {
        matcher,
        ..read_old(fields)?
    })
}

fn read_response_rule(fields: &mut Fields<'_>) -> Option<ResponseRule> {
    let details = fields.field("responseCodeDetails", |node| node.string());
    Some(ResponseRule {
        matchers: fields.list("matchers", read_as::<ValueMatcher>),
        response_code_details: details.unwrap_or_default(),
        response_transformation: fields
            .field("responseTransformation", read_transformation)
            .unwrap_or_default(),
    })
}

fn read_transformation(node: Node<'_>) -> Option<Transformation> {
    node.object(|fields| {
        fields.later(&["xsltTransformation"]);
        Some(Transformation {
            transformation_template: fields
                .field("transformationTemplate", |node| node.object(read_template)),
            header_body_transform: fields.field("headerBodyTransform", read_as),
            log_request_response_info: fields.flag("logRequestResponseInfo"),
        })
    })
}

pub(crate) fn read_template(fields: &mut Fields<'_>) -> Option<TransformationTemplate> {
    const PARSE: [(&str, ParseBodyBehavior); 2] = [
        ("ParseAsJson", ParseBodyBehavior::ParseAsJson),
        ("DontParse", ParseBodyBehavior::DontParse),
    ];
    let map = |fields: &mut Fields<'_>, name| fields.field(name, |node| node.map(read_as));
    let headers: Option<Vec<(String, InjaTemplate)>> = map(fields, "headers");
    let extractors: Option<Vec<(String, Extraction)>> =
        fields.field("extractors", |node| node.map(read_as));
    let parse = fields.field("parseBodyBehavior", |node| node.choice(&PARSE));
    Some(TransformationTemplate {
        advanced_templates: fields.flag("advancedTemplates"),
        extractors: extractors.unwrap_or_default().into_iter().collect(),
        headers: headers.unwrap_or_default().into_iter().collect(),
        headers_to_append: fields.list("headersToAppend", read_as::<HeaderToAppend>),
        headers_to_remove: fields.list("headersToRemove", |node| node.string()),
        body: fields.field("body", read_as),
        passthrough: fields.field("passthrough", read_as::<Empty>),
        merge_extractors_to_body: fields.field("mergeExtractorsToBody", read_as::<Empty>),
        merge_json_keys: fields.field("mergeJsonKeys", read_as::<MergeJsonKeys>),
        parse_body_behavior: parse.unwrap_or_default(),
        ignore_error_on_parse: fields.flag("ignoreErrorOnParse"),
        dynamic_metadata_values: fields.list("dynamicMetadataValues", read_as),
        escape_characters: fields.field("escapeCharacters", |node| node.boolean()),
        span_transformer: fields.field("spanTransformer", read_as::<SpanTransformer>),
    })
}

/// Reads a small object as the contract has it, and refuses fields that it does not have.
fn read_as<T: DeserializeOwned + Serialize>(node: Node<'_>) -> Option<T> {
    let value: T = match serde_json::from_value(node.value().clone()) {
        Ok(value) => value,
        Err(error) => return node.error(error.to_string()),
    };
    let known = serde_json::to_value(&value).unwrap_or_default();
    if let Some(field) = unknown(node.value(), &known, "") {
        node.error_at(&field, "unknown field");
    }
    Some(value)
}

/// The first field that was given and not read. What is left out when it is written is what says nothing.
fn unknown(given: &Value, known: &Value, path: &str) -> Option<String> {
    let (Value::Object(given), Value::Object(known)) = (given, known) else {
        return None;
    };
    given.iter().find_map(|(name, value)| {
        let dot = if path.is_empty() { "" } else { "." };
        let path = format!("{path}{dot}{name}");
        match known.get(name) {
            Some(known) => unknown(value, known, &path),
            None if says_nothing(value) => None,
            None => Some(path),
        }
    })
}

fn says_nothing(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Number(number) => number.as_u64() == Some(0),
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(_) | Value::Bool(true) => false,
    }
}
