//! The functions of an upstream, told apart by method and path.

use serde::Serialize;
use tenon_contract_derive::Shape;

use crate::AzureCall;

/// A function, and which requests are for it: an entry of the table that a call "by table" looks at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Shape)]
#[serde(rename_all = "camelCase")]
pub struct FunctionEntry {
    /// The methods that it serves; none: any. `GET` serves `HEAD` too where nothing else does.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub methods: Vec<String>,
    /// The paths that it serves: a [`crate::PathTemplate`].
    pub path: String,
    /// The function's logical name, as in metrics and dynamic metadata.
    pub function: String,
    /// The provider's part.
    #[serde(flatten)]
    pub target: FunctionTarget,
}

/// Which of the provider's functions it is; how it is called is the call's business.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Shape)]
#[serde(rename_all = "camelCase")]
pub enum FunctionTarget {
    /// AWS Lambda.
    Aws(AwsFunction),
    /// Azure Functions.
    Azure(AzureCall),
}

/// A Lambda function.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Shape)]
#[serde(rename_all = "camelCase")]
pub struct AwsFunction {
    /// The function's name, or its ARN where it belongs to another account; not percent-encoded.
    pub name: String,
    /// Version or alias.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub qualifier: Option<String>,
}
