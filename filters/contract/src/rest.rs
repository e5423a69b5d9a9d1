//! REST functions: requests that templates make.

use std::collections::BTreeMap;

use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::transform::{Extraction, TransformationTemplate};

/// A request that the templates of a REST function make.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RestCall {
    /// Which of [`RestProvider::functions`]; empty where it is found by the table.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// What the templates read of the request's headers, besides what they extract themselves (Gloo's `parameters`). One
    /// of the same name goes before the templates' own.
    #[serde(
        default,
        deserialize_with = "as_text",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub extractors: BTreeMap<String, Extraction>,
    /// What is done with the response.
    #[serde(
        default,
        deserialize_with = "as_text",
        skip_serializing_if = "Option::is_none"
    )]
    pub response: Option<Box<TransformationTemplate>>,
}

/// A REST function, by the name of its templates.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RestFunction {
    /// Which of [`RestProvider::functions`]. Its templates may read what the parameters of the table's path took.
    pub name: String,
}

/// A service whose functions are requests that templates make. It has no credentials, and its own host: requests go on to
/// the one that the route or the templates say.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RestProvider {
    /// The templates by the functions' names (Gloo's `serviceSpec.rest.transformations`).
    #[serde(default, deserialize_with = "as_text")]
    pub functions: BTreeMap<String, TransformationTemplate>,
}

/// Reads templates from a text of their own: below a flattened field, serde would have a second form of all that reads
/// them, which the `.wasm` has no room for.
fn as_text<'de, D: Deserializer<'de>, T: DeserializeOwned>(deserializer: D) -> Result<T, D::Error> {
    let value = Value::deserialize(deserializer)?;
    serde_json::from_slice(value.to_string().as_bytes()).map_err(D::Error::custom)
}
