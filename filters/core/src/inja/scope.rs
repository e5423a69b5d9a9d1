use std::borrow::Cow;

use serde_json::Value;

/// What a template may read of the message that it transforms.
///
/// Bytes, where Envoy has bytes: a header or a body is not always UTF-8, and `base64_encode(body())` has to see all of it.
pub trait Scope {
    /// The JSON body with what else is in it, such as extractions in the simple notation. Variables are looked up in it
    /// when it is an object; `context()` is all of it, whatever it is.
    fn context(&self) -> &Value;
    /// The body as it came, for `body()`.
    fn body(&self) -> Cow<'_, [u8]>;
    /// What a function with a name as its argument answers. None is an empty string to the template.
    fn lookup(&self, of: Lookup, name: &str) -> Option<Cow<'_, [u8]>>;
    /// The value at `path` in the metadata's `namespace`. None is an empty string to the template.
    fn metadata(&self, of: Metadata, namespace: &str, path: &[&str]) -> Option<Value>;
    /// The number that `replace_with_random` derives from: the same one for all templates of one transformation of one
    /// message, so that a header and the body agree.
    fn random(&self) -> u128;
}

/// Functions that find a text by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lookup {
    /// `header`: the first value in the message that is transformed. The name is in lower case.
    Header,
    /// `request_header`: the first value in the request. The name is in lower case.
    RequestHeader,
    /// `extraction`: what an extractor found.
    Extraction,
    /// `data_source`.
    DataSource,
    /// `env`: a variable of Envoy's environment.
    Env,
}

/// Whose metadata.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Metadata {
    /// `cluster_metadata` and `clusterMetadata`.
    Cluster,
    /// `dynamic_metadata`.
    Dynamic,
    /// `host_metadata`: of the endpoint, in the upstream position.
    Host,
}
