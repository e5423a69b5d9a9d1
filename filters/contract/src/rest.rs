//! REST functions: requests that templates make.

use serde::Serialize;
use tenon_contract_derive::Shape;

use crate::Sorted;
use crate::transform::{Extraction, TransformationTemplate};

/// A request that the templates of a REST function make.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Shape)]
#[serde(rename_all = "camelCase")]
pub struct RestCall {
    /// Which of [`RestProvider::functions`]; empty where it is found by the table.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// What the templates read of the request's headers, besides what they extract themselves (Gloo's `parameters`). One
    /// of the same name goes before the templates' own.
    #[serde(default, skip_serializing_if = "Sorted::is_empty")]
    pub extractors: Sorted<String, Extraction>,
    /// What is done with the response.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response: Option<Box<TransformationTemplate>>,
}

/// A REST function, by the name of its templates.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Shape)]
#[serde(rename_all = "camelCase")]
pub struct RestFunction {
    /// Which of [`RestProvider::functions`]. Its templates may read what the parameters of the table's path took.
    pub name: String,
}

/// A service whose functions are requests that templates make. It has no credentials, and its own host: requests go on to
/// the one that the route or the templates say.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Shape)]
#[serde(rename_all = "camelCase")]
pub struct RestProvider {
    /// The templates by the functions' names (Gloo's `serviceSpec.rest.transformations`).
    #[serde(default)]
    pub functions: Sorted<String, TransformationTemplate>,
}
