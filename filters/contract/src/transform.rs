//! What `tenon.transform` is told: the fields of Gloo's transformation API under their own names, so that what works
//! there can be taken over.
//!
//! * The **filter configuration** ([`TransformConfig`]) says which stage this instance of the filter is, and what it does
//!   on routes that say nothing for that stage.
//! * A **route** carries a [`RouteTransformations`]: a JSON string in its filter metadata, namespace
//!   [`crate::NAMESPACE`], key [`TRANSFORM_KEY`]; or, for the `.so`, its per-route configuration, which goes first and is
//!   how the clusters of a weighted route that share a cluster can differ.

use serde::{Deserialize, Serialize};
use tenon_contract_derive::Shape;

use crate::{Error, Read, Sorted, VERSION, read, write};

/// The name of the transformation filter: `filter_name` of a dynamic module, `root_id` of a proxy-wasm plugin.
pub const TRANSFORM_FILTER: &str = "tenon.transform";
/// The metadata key of a route's transformations.
pub const TRANSFORM_KEY: &str = "transform";
/// The namespace of dynamic metadata that a template writes and reads if it names none: Gloo's.
pub const TRANSFORM_NAMESPACE: &str = "io.solo.transformation";
/// The text in filter state that says which destination of a weighted route was chosen, by its number: Envoy tells a
/// filter the cluster, but not which of its weights. Envoy's filter `set_filter_state` writes it, before this one.
pub const DESTINATION_STATE: &str = "tenon.destination";
/// The largest body that a transformation looks at, in bytes, where nothing else is said: what Gloo's filter takes from
/// Envoy's default limit of a connection's buffer.
pub const TRANSFORM_BODY_LIMIT: u64 = 1024 * 1024;

/// When a transformation happens. Each stage is a filter of its own.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize, Shape,
)]
#[serde(rename_all = "camelCase")]
pub enum Stage {
    /// Before authentication and rate limits.
    Early,
    /// After them.
    #[default]
    Regular,
    /// Last before the router. Gloo's enterprise has it within the router, once for each try.
    PostRouting,
}

/// The configuration of `tenon.transform`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Shape)]
#[serde(rename_all = "camelCase")]
pub struct TransformConfig {
    /// The major version of the contract: [`VERSION`].
    pub version: u32,
    /// Which of a route's transformations this filter applies.
    #[serde(default)]
    pub stage: Stage,
    /// The largest body that a transformation looks at, in bytes.
    #[serde(default = "default_body_limit")]
    pub max_body_bytes: u64,
    /// As [`Transforms::request_transforms`], on routes that say nothing for the stage.
    // Not flattened, which would make the .wasm larger by a second form of everything within.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub request_transforms: Vec<RequestRule>,
    /// As [`Transforms::response_transforms`], on such routes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub response_transforms: Vec<ResponseRule>,
}

fn default_body_limit() -> u64 {
    TRANSFORM_BODY_LIMIT
}

impl TransformConfig {
    /// One that only does what routes say.
    pub fn stage(stage: Stage) -> Self {
        Self {
            version: VERSION,
            stage,
            max_body_bytes: default_body_limit(),
            request_transforms: Vec::new(),
            response_transforms: Vec::new(),
        }
    }

    /// What is done on routes that say nothing for the stage.
    #[must_use]
    pub fn with(mut self, rules: Transforms) -> Self {
        self.request_transforms = rules.request_transforms;
        self.response_transforms = rules.response_transforms;
        self
    }

    /// Reads the JSON text of a filter's configuration.
    ///
    /// # Errors
    /// Not JSON, not a configuration, or of another major version.
    pub fn from_json(text: &[u8]) -> Result<Read<Self>, Error> {
        read("filter configuration", text)
    }

    /// Writes the JSON text of a filter's configuration; equal configurations give equal bytes.
    pub fn to_json(&self) -> String {
        write(self)
    }
}

/// What a route says, by stage. A stage that is there takes the place of the filter's own rules, even if it is empty.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Shape)]
#[serde(rename_all = "camelCase")]
pub struct RouteTransformations {
    /// The major version of the contract: [`VERSION`].
    pub version: u32,
    /// Of [`Stage::Early`].
    // Not flattened: see `TransformConfig`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub early: Option<Transforms>,
    /// Of [`Stage::Regular`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub regular: Option<Transforms>,
    /// Of [`Stage::PostRouting`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub post_routing: Option<Transforms>,
    /// What takes its place for requests that a weighted route sends to one of its clusters, by the cluster's name.
    #[serde(default, skip_serializing_if = "Sorted::is_empty")]
    pub clusters: Sorted<String, Stages>,
    /// The same by the number of the destination (`0` is the first), where several are of one cluster: see
    /// [`DESTINATION_STATE`].
    #[serde(default, skip_serializing_if = "Sorted::is_empty")]
    pub destinations: Sorted<String, Stages>,
}

impl RouteTransformations {
    /// Those of a route.
    pub fn new(stages: Stages) -> Self {
        Self {
            version: VERSION,
            early: stages.early,
            regular: stages.regular,
            post_routing: stages.post_routing,
            clusters: Sorted::new(),
            destinations: Sorted::new(),
        }
    }

    /// Reads the JSON text of route metadata or of a per-route configuration.
    ///
    /// # Errors
    /// Not JSON, not transformations, or of another major version.
    pub fn from_json(text: &[u8]) -> Result<Read<Self>, Error> {
        read("transformations", text)
    }

    /// Writes the JSON text; equal transformations give equal bytes.
    pub fn to_json(&self) -> String {
        write(self)
    }
}

/// Transformations by stage (Gloo's `stagedTransformations`).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, Shape)]
#[serde(rename_all = "camelCase")]
pub struct Stages {
    /// Of [`Stage::Early`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub early: Option<Transforms>,
    /// Of [`Stage::Regular`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub regular: Option<Transforms>,
    /// Of [`Stage::PostRouting`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub post_routing: Option<Transforms>,
}

impl Stages {
    /// Whether nothing is said.
    pub fn is_empty(&self) -> bool {
        self.early.is_none() && self.regular.is_none() && self.post_routing.is_none()
    }

    /// Gloo's `inheritTransformation`: the parent's rules come after these. What matches here goes first, because only
    /// one rule of a stage is applied.
    #[must_use]
    pub fn inheriting(self, parent: &Self) -> Self {
        let merge = |own: Option<Transforms>, parent: &Option<Transforms>| match (own, parent) {
            (Some(mut own), Some(parent)) => {
                let Transforms {
                    request_transforms,
                    response_transforms,
                } = parent.clone();
                own.request_transforms.extend(request_transforms);
                own.response_transforms.extend(response_transforms);
                Some(own)
            }
            (own, parent) => own.or_else(|| parent.clone()),
        };
        Self {
            early: merge(self.early, &parent.early),
            regular: merge(self.regular, &parent.regular),
            post_routing: merge(self.post_routing, &parent.post_routing),
        }
    }
}

/// The rules of a stage (Gloo's `RequestResponseTransformations`).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, Shape)]
#[serde(rename_all = "camelCase")]
pub struct Transforms {
    /// The first whose matcher fits the request is applied.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub request_transforms: Vec<RequestRule>,
    /// The first that fits the response is applied, if the request's rule says nothing of the response.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub response_transforms: Vec<ResponseRule>,
}

/// What is done with requests of a kind, and with their responses.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, Shape)]
#[serde(rename_all = "camelCase")]
pub struct RequestRule {
    /// Which requests; all, if it is not there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub matcher: Option<RequestMatcher>,
    /// Have the route chosen again after the request was transformed.
    #[serde(default, skip_serializing_if = "is_false")]
    pub clear_route_cache: bool,
    /// What is done with the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_transformation: Option<Transformation>,
    /// What is done with the response.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_transformation: Option<Transformation>,
}

/// What is done with responses of a kind.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, Shape)]
#[serde(rename_all = "camelCase")]
pub struct ResponseRule {
    /// The headers: all have to fit.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub matchers: Vec<ValueMatcher>,
    /// The response code details, exactly; any, if it is empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub response_code_details: String,
    /// What is done.
    #[serde(default)]
    pub response_transformation: Transformation,
}

/// Which requests: all of it has to fit (Gloo's `Matcher`).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, Shape)]
#[serde(rename_all = "camelCase")]
pub struct RequestMatcher {
    /// The path, without the query, starts with this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
    /// The path, without the query, is this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exact: Option<String>,
    /// The path, without the query, matches this as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub regex: Option<String>,
    /// Whether upper and lower case matter in `prefix` and `exact`.
    #[serde(default = "default_true")]
    pub case_sensitive: bool,
    /// The headers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<ValueMatcher>,
    /// The parameters of the query.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub query_parameters: Vec<ValueMatcher>,
    /// The methods; any, if there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub methods: Vec<String>,
}

/// Which values a header or a parameter of the query has.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, Shape)]
#[serde(rename_all = "camelCase")]
pub struct ValueMatcher {
    /// Its name.
    pub name: String,
    /// Its value; any, if it is empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub value: String,
    /// `value` is a regular expression, which matches all of it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub regex: bool,
    /// The other way round. Only of headers.
    #[serde(default, skip_serializing_if = "is_false")]
    pub invert_match: bool,
}

/// What is done with a message. One of the two, or nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, Shape)]
#[serde(rename_all = "camelCase")]
pub struct Transformation {
    /// Templates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transformation_template: Option<TransformationTemplate>,
    /// Headers and body as one JSON object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header_body_transform: Option<HeaderBodyTransform>,
    /// Log headers and body before and after, at debug level.
    #[serde(default, skip_serializing_if = "is_false")]
    pub log_request_response_info: bool,
}

/// Headers and body as one JSON object, which takes the body's place.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, Shape)]
#[serde(rename_all = "camelCase")]
pub struct HeaderBodyTransform {
    /// Method, path and query as well.
    #[serde(default, skip_serializing_if = "is_false")]
    pub add_request_metadata: bool,
}

/// A text with an Inja template.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, Shape)]
#[serde(rename_all = "camelCase")]
pub struct InjaTemplate {
    /// The template.
    #[serde(default)]
    pub text: String,
}

impl<T: Into<String>> From<T> for InjaTemplate {
    fn from(text: T) -> Self {
        Self { text: text.into() }
    }
}

/// Templates for headers, body, metadata and span.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, Shape)]
#[serde(rename_all = "camelCase")]
pub struct TransformationTemplate {
    /// JSON pointers (`a/b`) instead of dots, and extractions only by `extraction("name")`.
    #[serde(default, skip_serializing_if = "is_false")]
    pub advanced_templates: bool,
    /// Parts of headers and body, by name.
    #[serde(default, skip_serializing_if = "Sorted::is_empty")]
    pub extractors: Sorted<String, Extraction>,
    /// Headers to set; one that comes out empty is removed.
    #[serde(default, skip_serializing_if = "Sorted::is_empty")]
    pub headers: Sorted<String, InjaTemplate>,
    /// Headers to add to those that are there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub headers_to_append: Vec<HeaderToAppend>,
    /// Headers to remove.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub headers_to_remove: Vec<String>,
    /// The body. This and the next three exclude each other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<InjaTemplate>,
    /// The body is not looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passthrough: Option<Empty>,
    /// The JSON body with the extractions in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub merge_extractors_to_body: Option<Empty>,
    /// The JSON body with these values in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub merge_json_keys: Option<MergeJsonKeys>,
    /// Whether the body is JSON.
    #[serde(default)]
    pub parse_body_behavior: ParseBodyBehavior,
    /// A body that is not JSON is no error; there are just no values in it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub ignore_error_on_parse: bool,
    /// Dynamic metadata to set.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dynamic_metadata_values: Vec<DynamicMetadataValue>,
    /// Escape what templates print as in a JSON string; not so, where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub escape_characters: Option<bool>,
    /// What is changed of the tracing span.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub span_transformer: Option<SpanTransformer>,
}

/// `{}`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, Shape)]
pub struct Empty {}

/// A header to add.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, Shape)]
#[serde(rename_all = "camelCase")]
pub struct HeaderToAppend {
    /// Its name.
    pub key: String,
    /// Its value; one that comes out empty is not added.
    #[serde(default)]
    pub value: InjaTemplate,
}

/// Values to put into the JSON body.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, Shape)]
#[serde(rename_all = "camelCase")]
pub struct MergeJsonKeys {
    /// By the key at the top of the body, which must not have dots.
    #[serde(default)]
    pub json_keys: Sorted<String, OverridableTemplate>,
}

/// A value to put into the JSON body: the template has to render JSON.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, Shape)]
#[serde(rename_all = "camelCase")]
pub struct OverridableTemplate {
    /// The template.
    #[serde(default)]
    pub tmpl: InjaTemplate,
    /// Also if it comes out empty (which is no JSON, and so an error).
    #[serde(default, skip_serializing_if = "is_false")]
    pub override_empty: bool,
}

/// Whether the body is JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, Shape)]
pub enum ParseBodyBehavior {
    /// It is.
    #[default]
    ParseAsJson,
    /// It is a text.
    DontParse,
}

/// Dynamic metadata to set.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, Shape)]
#[serde(rename_all = "camelCase")]
pub struct DynamicMetadataValue {
    /// The namespace; [`TRANSFORM_NAMESPACE`] if it is empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub metadata_namespace: String,
    /// The key.
    pub key: String,
    /// The value; nothing is set if it comes out empty.
    #[serde(default)]
    pub value: InjaTemplate,
    /// The value is JSON. One that is not is set as a text.
    #[serde(default, skip_serializing_if = "is_false")]
    pub json_to_proto: bool,
}

/// What is changed of the tracing span.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, Shape)]
#[serde(rename_all = "camelCase")]
pub struct SpanTransformer {
    /// Its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<InjaTemplate>,
}

/// A part of a header or of the body.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, Shape)]
#[serde(rename_all = "camelCase")]
pub struct Extraction {
    /// The header; only its first value is looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header: Option<String>,
    /// The body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Empty>,
    /// What is looked for.
    #[serde(default)]
    pub regex: String,
    /// Which of its groups; 0 is all of it.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub subgroup: u32,
    /// What takes the place of what is found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replacement_text: Option<String>,
    /// What is done with what is found.
    #[serde(default)]
    pub mode: ExtractionMode,
}

/// What is done with what an extractor finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, Shape)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ExtractionMode {
    /// It is the result: the group of an expression that matches all of the source.
    #[default]
    Extract,
    /// The source is the result, with the group replaced, if the expression matches all of it.
    SingleReplace,
    /// The source is the result, with everything that the expression matches replaced.
    ReplaceAll,
}

fn default_true() -> bool {
    true
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde asks for a reference"
)]
fn is_false(value: &bool) -> bool {
    !value
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde asks for a reference"
)]
fn is_zero(value: &u32) -> bool {
    *value == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(header: &str) -> Transforms {
        let template = TransformationTemplate {
            headers: Sorted::from([(header.into(), "x".into())]),
            ..TransformationTemplate::default()
        };
        Transforms {
            request_transforms: vec![RequestRule {
                request_transformation: Some(Transformation {
                    transformation_template: Some(template),
                    ..Transformation::default()
                }),
                ..RequestRule::default()
            }],
            response_transforms: vec![ResponseRule::default()],
        }
    }

    const FULL: &str = r#"{"version":1,"stage":"early","maxBodyBytes":7,
        "requestTransforms":[{"matcher":{"prefix":"/a","caseSensitive":false,"headers":[{"name":"x","value":"y",
        "regex":true,"invertMatch":true}],"queryParameters":[{"name":"q"}],"methods":["GET"]},"clearRouteCache":true,
        "requestTransformation":{"transformationTemplate":{"advancedTemplates":true,
        "extractors":{"id":{"header":":path","regex":"/(.*)","subgroup":1,"mode":"SINGLE_REPLACE",
        "replacementText":""},"b":{"body":{},"regex":"x","mode":"EXTRACT"}},"headers":{"a":{"text":"b"}},
        "headersToAppend":[{"key":"c","value":{"text":"d"}}],"headersToRemove":["e"],"body":{"text":"f"},
        "passthrough":{},"mergeExtractorsToBody":{},"mergeJsonKeys":{"jsonKeys":{"k":{"tmpl":{"text":"1"},
        "overrideEmpty":true}}},"parseBodyBehavior":"DontParse","ignoreErrorOnParse":true,
        "dynamicMetadataValues":[{"metadataNamespace":"n","key":"k","value":{"text":"v"},"jsonToProto":true}],
        "escapeCharacters":true,"spanTransformer":{"name":{"text":"s"}}}},
        "responseTransformation":{"headerBodyTransform":{"addRequestMetadata":true},"logRequestResponseInfo":true}}],
        "responseTransforms":[{"matchers":[{"name":":status","value":"404"}],"responseCodeDetails":"route_not_found",
        "responseTransformation":{"transformationTemplate":{"parseBodyBehavior":"ParseAsJson"}}}]}"#;

    #[test]
    fn every_field_of_the_filter_configuration_is_read_and_written() {
        let read = TransformConfig::from_json(FULL.as_bytes()).unwrap();
        assert_eq!(read.unknown, Vec::<String>::new());
        assert_eq!(read.value.stage, Stage::Early);
        let given: serde_json::Value = serde_json::from_str(FULL).unwrap();
        let written: serde_json::Value = serde_json::from_str(&read.value.to_json()).unwrap();
        assert_eq!(written, given);
    }

    #[test]
    fn the_least_configuration_is_the_regular_stage_that_does_what_routes_say() {
        let read = TransformConfig::from_json(br#"{"version":1}"#).unwrap();
        assert_eq!(read.value, TransformConfig::stage(Stage::Regular));
    }

    #[test]
    fn a_route_s_transformations_survive_a_round_trip() {
        let stages = Stages {
            early: Some(rule("a")),
            regular: None,
            post_routing: Some(Transforms::default()),
        };
        let mut route = RouteTransformations::new(stages.clone());
        route.clusters = Sorted::from([("c".into(), stages.clone())]);
        route.destinations = Sorted::from([("0".into(), stages)]);
        let read = RouteTransformations::from_json(route.to_json().as_bytes()).unwrap();
        assert_eq!(
            read,
            Read {
                value: route,
                unknown: vec![]
            }
        );
    }

    #[test]
    fn unknown_fields_of_transformations_are_reported() {
        let text = br#"{"version":1,"regular":{"newer":true},"later":{"a":1}}"#;
        let read = RouteTransformations::from_json(text).unwrap();
        assert_eq!(read.unknown, ["later", "regular.newer"]);
    }

    #[test]
    fn a_default_that_is_written_out_is_known() {
        let text = br#"{"version":1,"clusters":{},"regular":{"requestTransforms":[{"clearRouteCache":false,
            "matcher":{"caseSensitive":true},"requestTransformation":{"transformationTemplate":{"headers":{},
            "extractors":{"a":{"subgroup":0,"mode":"EXTRACT"}},"parseBodyBehavior":"ParseAsJson"}}}],
            "responseTransforms":[{"responseCodeDetails":""}]}}"#;
        let read = RouteTransformations::from_json(text).unwrap();
        assert_eq!(read.unknown, Vec::<String>::new());
    }

    #[test]
    fn a_parent_s_rules_come_after_the_child_s() {
        let child = Stages {
            regular: Some(rule("child")),
            ..Stages::default()
        };
        let parent = Stages {
            early: Some(rule("early")),
            regular: Some(rule("parent")),
            ..Stages::default()
        };
        let merged = child.clone().inheriting(&parent);
        assert_eq!(merged.early, parent.early);
        assert_eq!(merged.post_routing, None);
        let rules = merged.regular.unwrap();
        let both = [child.regular.unwrap(), parent.regular.unwrap()];
        let requests = both.iter().flat_map(|it| it.request_transforms.clone());
        assert_eq!(rules.request_transforms, requests.collect::<Vec<_>>());
        assert_eq!(rules.response_transforms.len(), 2);
    }
}
