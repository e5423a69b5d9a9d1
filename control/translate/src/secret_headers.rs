//! Headers of requests whose values are secrets (`headerSecretRef`).
//!
//! Gloo writes them into the route, for whoever sees the configuration. Here they are secrets of SDS: a filter of the
//! listener puts them into the filter state of a request whose route asks for them, and the route's header takes them from
//! there when the request is sent. (A filter's configuration of a route cannot name them: Envoy 1.40 subscribes to no secret
//! for a route that comes after its start.)

use std::collections::{BTreeMap, BTreeSet};

use envoy_types::pb::envoy::extensions::filters::common::set_filter_state::v3::{
    FilterStateValue,
    filter_state_value::{Key, Value},
};
use envoy_types::pb::envoy::extensions::filters::http::set_filter_state::v3::Config;
use envoy_types::pb::envoy::extensions::formatter::generic_secret::v3::GenericSecret;
use tenon_contract::HEADER_PREFIX;
use tenon_model::{AddedHeader, HeaderSecret, HeaderToAdd, Kind, ObjectKey, ObjectRef, Problem};
use xxhash_rust::xxh3::xxh3_128;

use crate::filters::sds;
use crate::proto::{Any, core, header, inline_string, tls};
use crate::route::Upstreams;
use crate::wire::any;

/// What the names of such filters begin with; namespace and name of the secret follow.
pub(crate) const FILTER: &str = "tenon.secret/";
/// What the names over SDS begin with.
pub(crate) const RESOURCE: &str = "header/";
/// Where the headers of options are.
const FIELD: &str = "headerManipulation.requestHeadersToAdd";

/// The names of headers, by the filters that have their values.
pub(crate) type SecretHeaders = BTreeMap<String, BTreeSet<String>>;

/// The filter that has a secret's headers.
pub(crate) fn filter_name(secret: &ObjectRef) -> String {
    format!("{FILTER}{}/{}", secret.namespace, secret.name)
}

/// The secret whose headers a filter has.
pub(crate) fn secret(filter: &str) -> Option<ObjectKey> {
    let (namespace, name) = filter.strip_prefix(FILTER)?.split_once('/')?;
    Some(ObjectKey {
        kind: Kind::Secret,
        namespace: namespace.into(),
        name: name.into(),
    })
}

/// What one of a secret's headers is called over SDS.
pub(crate) fn resource_name(secret: &ObjectRef, header: &str) -> String {
    resource_of(&filter_name(secret), header)
}

fn resource_of(filter: &str, header: &str) -> String {
    let secret = filter.strip_prefix(FILTER).unwrap_or(filter);
    format!("{RESOURCE}{secret}/{header}")
}

/// Where the value is in filter state: a name that has nothing in it which means something in a format.
fn key(filter: &str, header: &str) -> String {
    let hash = xxh3_128(resource_of(filter, header).as_bytes());
    format!("tenon.secret.{hash:032x}")
}

/// Headers to add, those of secrets among them.
pub(crate) fn to_add(
    headers: &[HeaderToAdd],
    upstreams: &dyn Upstreams,
) -> Vec<core::HeaderValueOption> {
    let mut all = Vec::new();
    for it in headers {
        match &it.header {
            AddedHeader::Header(plain) => all.push(header(&plain.name, &plain.value, it.append)),
            AddedHeader::HeaderSecretRef(secret) => {
                let filter = filter_name(secret);
                // What is wrong is told by `look_up`.
                let found = upstreams.header_secret(secret).and_then(usable);
                let names = found.unwrap_or_default();
                all.extend(names.iter().map(|name| {
                    let value = format!("%FILTER_STATE({}:PLAIN)%", key(&filter, name));
                    header(name, &value, it.append)
                }));
            }
        }
    }
    all
}

/// Which secrets headers name, and what is wrong with them: paths from the options on.
pub(crate) fn look_up(
    headers: &[HeaderToAdd],
    upstreams: &dyn Upstreams,
) -> (SecretHeaders, Vec<Problem>) {
    let mut needed = SecretHeaders::new();
    let mut problems = Vec::new();
    for (index, secret) in references(headers) {
        match upstreams.header_secret(secret).and_then(usable) {
            Ok(names) => needed.entry(filter_name(secret)).or_default().extend(names),
            Err(reason) => {
                let text = format!("secret {secret} {reason}");
                problems.push(Problem::error(field(index), text));
            }
        }
    }
    (needed, problems)
}

/// The secrets that are not where all upstreams are that requests with these headers go to, in the words for those that do
/// not exist, as with Gloo: which there are is not told.
pub(crate) fn elsewhere(headers: &[HeaderToAdd], home: Option<&str>) -> Vec<Problem> {
    let elsewhere = references(headers).filter(|(_, secret)| Some(&*secret.namespace) != home);
    let problems = elsewhere
        .map(|(index, secret)| Problem::error(field(index), format!("secret {secret} {MISSING}")));
    problems.collect()
}

/// What is said of a secret that is not there.
pub(crate) const MISSING: &str = "does not exist";

fn references(headers: &[HeaderToAdd]) -> impl Iterator<Item = (usize, &ObjectRef)> {
    let headers = headers.iter().enumerate();
    headers.filter_map(|(index, it)| match &it.header {
        AddedHeader::HeaderSecretRef(secret) => Some((index, secret)),
        AddedHeader::Header(_) => None,
    })
}

fn field(index: usize) -> String {
    format!("{FIELD}[{index}].headerSecretRef")
}

/// The names of a secret's headers, if requests may have them.
fn usable(secret: &HeaderSecret) -> Result<Vec<String>, String> {
    let names = secret.headers.keys();
    let refused = names.clone().find(|name| {
        let name = name.to_ascii_lowercase();
        name == "host" || name.starts_with(HEADER_PREFIX)
    });
    match refused {
        Some(name) => Err(format!("has the header {name:?}, which cannot be added")),
        None => Ok(names.cloned().collect()),
    }
}

/// What puts the values of a secret's headers into filter state.
pub(crate) fn filter(name: &str, headers: &BTreeSet<String>) -> Any {
    /// The secret's name within its own format.
    const VALUE: &str = "value";
    let values = headers.iter().map(|header| {
        let secret = sds(&resource_of(name, header));
        let formatter = core::TypedExtensionConfig {
            name: "envoy.formatter.generic_secret".to_owned(),
            typed_config: Some(any(&GenericSecret {
                secret_configs: [(VALUE.to_owned(), secret)].into(),
            })),
        };
        FilterStateValue {
            key: Some(Key::ObjectKey(key(name, header))),
            factory_key: "envoy.string".to_owned(),
            // A secret that is gone is no header.
            skip_if_empty: true,
            value: Some(Value::FormatString(core::SubstitutionFormatString {
                omit_empty_values: true,
                formatters: vec![formatter],
                format: inline_string(format!("%SECRET({VALUE})%"))
                    .map(core::substitution_format_string::Format::TextFormatSource),
                ..core::SubstitutionFormatString::default()
            })),
            ..FilterStateValue::default()
        }
    });
    any(&Config {
        on_request_headers: values.collect(),
        ..Config::default()
    })
}

/// The SDS resource of a header: empty where there is none, so that no listener waits for it.
pub(crate) fn resource(name: &str, value: Option<&str>) -> tls::Secret {
    tls::Secret {
        name: name.to_owned(),
        r#type: Some(tls::secret::Type::GenericSecret(tls::GenericSecret {
            secret: inline_string(value.unwrap_or_default()),
            ..tls::GenericSecret::default()
        })),
    }
}
