//! Rows that change requests by templates: the same change by each filter.

use anyhow::Result;
use serde_json::{Value, json};
use tenon_contract::NAMESPACE;
use tenon_contract::transform::{TRANSFORM_KEY, TransformationTemplate};
use tenon_e2e::Filter;
use tenon_e2e::gateway::{extension, switch_on, transform};

use super::Way;
use crate::rows::{BUILTIN, HEADERS, IDLE, JSON, PLAIN, Row};
use crate::templates;

pub(super) fn way(row: &Row) -> Result<Way> {
    let mut way = Way::plain(row);
    match row.variant {
        PLAIN => {}
        BUILTIN => way.listener.push(builtin(row)),
        "lua" => way.listener.push(lua(row)),
        host => {
            let host = if host == "wasm" {
                Filter::Wasm
            } else {
                Filter::So
            };
            let filter = transform(host)?;
            if row.shape.name != IDLE {
                switch_on(&mut way.route, &filter);
            }
            way.listener.push(filter);
            if let Some(template) = template(row) {
                let route = templates::of_route(Some(template)).to_json();
                way.route["metadata"] =
                    json!({"filter_metadata": {NAMESPACE: {TRANSFORM_KEY: route}}});
            }
        }
    }
    Ok(way)
}

/// What a route says; nothing where there is nothing to do.
fn template(row: &Row) -> Option<TransformationTemplate> {
    match row.shape.name {
        HEADERS => Some(templates::headers()),
        JSON => Some(templates::json()),
        _ => None,
    }
}

fn builtin(row: &Row) -> Value {
    if row.shape.name == HEADERS {
        let set = json!({"append": {
            "header": {"key": "x-user", "value": "user-%REQ(x-name)%"},
            "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
        }});
        let mutations = json!([set, {"remove": "x-internal"}]);
        return header_mutation(&mutations);
    }
    let config = match row.shape.name {
        JSON => {
            let values = json!({
                "user": "%REQUEST_BODY(user:id)%",
                "name": "%REQUEST_BODY(user:name)%",
                "order": "%REQUEST_BODY(order:id)%",
            });
            let body = json!({"body_format": {"json_format": values}, "action": "REPLACE"});
            json!({"request_transformation": {"body_transformation": body}})
        }
        _ => json!({}),
    };
    extension(
        "envoy.filters.http.transform",
        "envoy.extensions.filters.http.transform.v3.TransformConfig",
        config,
    )
}

/// Envoy's filter of header mutations, for requests.
pub(super) fn header_mutation(mutations: &Value) -> Value {
    extension(
        "envoy.filters.http.header_mutation",
        "envoy.extensions.filters.http.header_mutation.v3.HeaderMutation",
        json!({"mutations": {"request_mutations": mutations}}),
    )
}

fn lua(row: &Row) -> Value {
    let code = match row.shape.name {
        JSON => include_str!("transform_json.lua"),
        _ => include_str!("transform_headers.lua"),
    };
    extension(
        "envoy.filters.http.lua",
        "envoy.extensions.filters.http.lua.v3.Lua",
        json!({"default_source_code": {"inline_string": code}}),
    )
}
