//! Azure Functions.

use std::fmt;

use serde::Serialize;
use tenon_contract_derive::Shape;

use crate::Sorted;

/// A call of a function of a function app.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Shape)]
#[serde(rename_all = "camelCase")]
pub struct AzureCall {
    /// The function's name at Azure, by which the secret knows its own key.
    pub name: String,
    /// Its path below the upstream's prefix where that is not its name, without a slash in front (`route` of the HTTP
    /// trigger): as `products/{id}`, with parameters of the template that the request's path matched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub route: Option<String>,
    /// Which keys let a caller in.
    #[serde(default)]
    pub auth_level: AuthLevel,
}

/// Which keys let a caller in (`authLevel` of the HTTP trigger).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Shape)]
#[serde(rename_all = "camelCase")]
pub enum AuthLevel {
    /// None is needed, and none is sent.
    #[default]
    Anonymous,
    /// The function's own, or one of the app's.
    Function,
    /// The app's master key.
    Admin,
}

/// A function app.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Shape)]
#[serde(rename_all = "camelCase")]
pub struct AzureProvider {
    /// The value of `host`, with a port where it is not the scheme's own.
    pub host: String,
    /// What stands before each function's route, without slashes around it (`routePrefix` of `host.json`); may be empty.
    #[serde(default = "default_route_prefix")]
    pub route_prefix: String,
    /// Where the key goes.
    #[serde(default)]
    pub key_in: KeyIn,
}

/// The prefix that Azure gives an app which sets none.
pub(crate) fn default_route_prefix() -> String {
    "api".into()
}

/// Where a function's key goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Shape)]
#[serde(rename_all = "camelCase")]
pub enum KeyIn {
    /// The header `x-functions-key`.
    #[default]
    Header,
    /// The query parameter `code`, as Gloo has it.
    Query,
}

/// The keys of a function app. Neither `Debug` nor any error shows them.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Shape)]
#[serde(rename_all = "camelCase")]
pub struct AzureKeys {
    /// By function's name; `default` and `_master` are the app's own.
    pub function_keys: Sorted<String, String>,
}

impl AzureKeys {
    /// The key for a function: its own, else the app's `default`, else `_master`; of an admin's function only the last.
    pub fn for_function(&self, name: &str, auth_level: AuthLevel) -> Option<&str> {
        let names = match auth_level {
            AuthLevel::Anonymous => &[][..],
            AuthLevel::Function => &[name, "default", "_master"],
            AuthLevel::Admin => &["_master"],
        };
        let found = names.iter().find_map(|name| self.function_keys.get(*name));
        found.map(String::as_str)
    }
}

impl fmt::Debug for AzureKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Names are not secret.
        let names: Vec<_> = self.function_keys.keys().collect();
        f.debug_struct("AzureKeys").field("names", &names).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_s_own_key_goes_before_the_app_s() {
        let keys = |names: &[&str]| AzureKeys {
            function_keys: names
                .iter()
                .map(|name| ((*name).to_owned(), format!("key of {name}")))
                .collect(),
        };
        for (names, auth_level, expected) in [
            (
                &["f", "default", "_master"][..],
                AuthLevel::Function,
                Some("key of f"),
            ),
            (
                &["g", "default", "_master"],
                AuthLevel::Function,
                Some("key of default"),
            ),
            (
                &["g", "_master"],
                AuthLevel::Function,
                Some("key of _master"),
            ),
            (&["g"], AuthLevel::Function, None),
            (
                &["f", "default", "_master"],
                AuthLevel::Admin,
                Some("key of _master"),
            ),
            (&["f", "default"], AuthLevel::Admin, None),
            (&["f", "default", "_master"], AuthLevel::Anonymous, None),
        ] {
            let keys = keys(names);
            assert_eq!(
                keys.for_function("f", auth_level),
                expected,
                "{keys:?} {auth_level:?}"
            );
        }
    }
}
