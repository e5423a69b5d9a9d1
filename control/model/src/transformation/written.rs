//! Transformations as they are written: the types of the contract, under Gloo's names.

use tenon_contract::Sorted;
use tenon_contract::transform as contract;
use tenon_model_derive::Read;

use crate::read::{Node, Read};
use crate::schema::Schema;

/// What is changed of requests and of their responses.
#[derive(Read)]
pub(super) struct RouteTransformations {
    /// Have the route chosen again after the request was transformed.
    clear_route_cache: bool,
    /// What is done with the request.
    request_transformation: Option<contract::Transformation>,
    /// What is done with the response.
    response_transformation: Option<contract::Transformation>,
}

impl From<RouteTransformations> for contract::RequestRule {
    fn from(written: RouteTransformations) -> Self {
        Self {
            matcher: None,
            clear_route_cache: written.clear_route_cache,
            request_transformation: written.request_transformation,
            response_transformation: written.response_transformation,
        }
    }
}

/// What is changed in a stage.
#[derive(Read)]
#[read(into = contract::Transforms)]
struct RequestResponseTransformations {
    /// The first whose matcher fits the request is applied.
    request_transforms: Vec<contract::RequestRule>,
    /// The first that fits the response is applied, if the request's rule says nothing of the response.
    response_transforms: Vec<contract::ResponseRule>,
}

/// What is done with requests of a kind, and with their responses.
#[derive(Read)]
#[read(into = contract::RequestRule)]
struct RequestMatch {
    /// Which requests; all, if it is left out.
    matcher: Option<contract::RequestMatcher>,
    /// Have the route chosen again after the request was transformed.
    clear_route_cache: bool,
    /// What is done with the request.
    request_transformation: Option<contract::Transformation>,
    /// What is done with the response.
    response_transformation: Option<contract::Transformation>,
}

/// What is done with responses of a kind.
#[derive(Read)]
#[read(into = contract::ResponseRule)]
struct ResponseMatch {
    /// The headers: all have to fit.
    matchers: Vec<contract::ValueMatcher>,
    /// The response code details, exactly; any, if it is empty.
    #[read(default)]
    response_code_details: String,
    /// What is done.
    #[read(default)]
    response_transformation: contract::Transformation,
}

/// Which requests: all of it has to fit.
#[derive(Read)]
#[read(into = contract::RequestMatcher)]
struct RequestMatcher {
    /// The path, without the query, starts with this.
    prefix: Option<String>,
    /// The path, without the query, is this.
    exact: Option<String>,
    /// The path, without the query, matches this as a whole.
    regex: Option<String>,
    /// Whether upper and lower case matter in `prefix` and `exact`; they do where it is left out.
    #[read(default = true)]
    case_sensitive: bool,
    /// The headers.
    headers: Vec<contract::ValueMatcher>,
    /// The parameters of the query.
    query_parameters: Vec<contract::ValueMatcher>,
    /// The methods; any, if there are none.
    #[read(with = Node::non_empty)]
    methods: Vec<String>,
}

/// Which values a header or a parameter of the query has.
#[derive(Read)]
#[read(into = contract::ValueMatcher)]
struct ValueMatcher {
    /// Its name.
    name: String,
    /// Its value; any, if it is empty.
    #[read(default)]
    value: String,
    /// Whether the value is an expression, which matches all of it.
    regex: bool,
    /// The other way round. Only of headers.
    invert_match: bool,
}

/// What is done with a message: one of the two, or nothing.
#[derive(Read)]
#[read(into = contract::Transformation, later("xsltTransformation"))]
struct Transformation {
    /// Templates.
    transformation_template: Option<contract::TransformationTemplate>,
    /// Headers and body as one JSON object.
    header_body_transform: Option<contract::HeaderBodyTransform>,
    /// Log headers and body before and after, at debug level.
    log_request_response_info: bool,
}

/// Headers and body as one JSON object, which takes the body's place.
#[derive(Read)]
#[read(into = contract::HeaderBodyTransform)]
struct HeaderBodyTransform {
    /// Method, path and query as well.
    add_request_metadata: bool,
}

/// Templates for headers, body, metadata and span.
#[derive(Read)]
#[read(into = contract::TransformationTemplate)]
struct TransformationTemplate {
    /// JSON pointers (`a/b`) instead of dots, and extractions only by `extraction("name")`.
    advanced_templates: bool,
    /// Parts of headers and body, by name.
    extractors: Sorted<String, contract::Extraction>,
    /// Headers to set; one that comes out empty is removed.
    headers: Sorted<String, contract::InjaTemplate>,
    /// Headers to add to those that are there.
    headers_to_append: Vec<contract::HeaderToAppend>,
    /// Headers to remove.
    headers_to_remove: Vec<String>,
    /// The body. This and the next three exclude each other.
    body: Option<contract::InjaTemplate>,
    /// The body is not looked at.
    passthrough: Option<contract::Empty>,
    /// The JSON body with the extractions in it.
    merge_extractors_to_body: Option<contract::Empty>,
    /// The JSON body with these values in it.
    merge_json_keys: Option<contract::MergeJsonKeys>,
    /// Whether the body is JSON.
    #[read(default)]
    parse_body_behavior: contract::ParseBodyBehavior,
    /// A body that is not JSON is no error; there are just no values in it.
    ignore_error_on_parse: bool,
    /// Dynamic metadata to set.
    dynamic_metadata_values: Vec<contract::DynamicMetadataValue>,
    /// Whether what templates print is escaped as in a JSON string; it is not, where nothing says it.
    escape_characters: Option<bool>,
    /// What is changed of the tracing span.
    span_transformer: Option<contract::SpanTransformer>,
}

/// A text with an Inja template.
#[derive(Read)]
#[read(into = contract::InjaTemplate)]
struct InjaTemplate {
    /// The template.
    #[read(default)]
    text: String,
}

/// A header to add.
#[derive(Read)]
#[read(into = contract::HeaderToAppend)]
struct HeaderToAppend {
    /// Its name.
    key: String,
    /// Its value; one that comes out empty is not added.
    #[read(default)]
    value: contract::InjaTemplate,
}

/// Values to put into the JSON body.
#[derive(Read)]
#[read(into = contract::MergeJsonKeys)]
struct MergeJsonKeys {
    /// By the key at the top of the body, which must not have dots.
    json_keys: Sorted<String, contract::OverridableTemplate>,
}

/// A value to put into the JSON body: the template has to render JSON.
#[derive(Read)]
#[read(into = contract::OverridableTemplate)]
struct OverridableTemplate {
    /// The template.
    #[read(default)]
    tmpl: contract::InjaTemplate,
    /// Also if it comes out empty (which is no JSON, and so an error).
    override_empty: bool,
}

/// Whether the body is JSON.
#[derive(Clone, Copy, Read)]
#[read(into = contract::ParseBodyBehavior)]
enum ParseBodyBehavior {
    /// It is.
    #[read(name = "ParseAsJson")]
    ParseAsJson,
    /// It is a text.
    #[read(name = "DontParse")]
    DontParse,
}

/// Dynamic metadata to set.
#[derive(Read)]
#[read(into = contract::DynamicMetadataValue)]
struct DynamicMetadataValue {
    /// The namespace; `io.solo.transformation` if it is empty.
    #[read(default)]
    metadata_namespace: String,
    /// The key.
    key: String,
    /// The value; nothing is set if it comes out empty.
    #[read(default)]
    value: contract::InjaTemplate,
    /// The value is JSON. One that is not is set as a text.
    json_to_proto: bool,
}

/// What is changed of the tracing span.
#[derive(Read)]
#[read(into = contract::SpanTransformer)]
struct SpanTransformer {
    /// Its name.
    name: Option<contract::InjaTemplate>,
}

/// A part of a header or of the body.
#[derive(Read)]
#[read(into = contract::Extraction)]
struct Extraction {
    /// The header; only its first value is looked at.
    header: Option<String>,
    /// The body.
    body: Option<contract::Empty>,
    /// What is looked for.
    #[read(default)]
    regex: String,
    /// Which of its groups; 0 is all of it.
    #[read(default)]
    subgroup: u32,
    /// What takes the place of what is found.
    replacement_text: Option<String>,
    /// What is done with what is found.
    #[read(default)]
    mode: contract::ExtractionMode,
}

/// What is done with what an extractor finds.
#[derive(Clone, Copy, Read)]
#[read(into = contract::ExtractionMode)]
enum ExtractionMode {
    /// It is the result: the group of an expression that matches all of the source.
    Extract,
    /// The source is the result, with the group replaced, if the expression matches all of it.
    SingleReplace,
    /// The source is the result, with everything that the expression matches replaced.
    ReplaceAll,
}

impl Read for contract::Empty {
    fn read(node: &Node<'_>) -> Option<Self> {
        node.object(|_| Some(Self {}))
    }

    fn schema() -> Schema {
        Schema::empty_object()
    }
}
