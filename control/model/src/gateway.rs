//! Gateways: where an Envoy listens, and for whom.

use std::net::IpAddr;

use serde_json::{Map, Value};

use crate::ObjectRef;
use crate::format;
use crate::read::{Fields, Node};

/// Where an Envoy listens, and for whom.
#[derive(Debug, Clone, PartialEq)]
pub struct Gateway {
    /// The address.
    pub bind_address: IpAddr,
    /// The port; 0 for any.
    pub bind_port: u16,
    /// The proxies that have this gateway; at least one.
    pub proxy_names: Vec<String>,
    /// The virtual services that it serves; empty: all.
    pub virtual_services: Vec<ObjectRef>,
    /// Where each request is written down.
    pub access_logs: Vec<AccessLog>,
}

/// A file in which each request is written down.
#[derive(Debug, Clone, PartialEq)]
pub struct AccessLog {
    /// Its path on Envoy's machine.
    pub path: String,
    /// What is written.
    pub format: AccessLogFormat,
}

/// What is written of a request.
#[derive(Debug, Clone, PartialEq)]
pub enum AccessLogFormat {
    /// What Envoy writes by default.
    Default,
    /// A text, in which Envoy's `%…%` is filled in.
    Text(String),
    /// JSON, in whose texts Envoy's `%…%` is filled in.
    Json(Map<String, Value>),
}

pub(crate) fn read(node: &Node<'_>, namespace: &str) -> Option<Gateway> {
    node.object(|fields| {
        fields.later(&[
            "tcpGateway",
            "hybridGateway",
            "routeOptions",
            "useProxyProto",
        ]);
        fields.field("ssl", |node| match node.boolean()? {
            true => node.error("is not supported yet"),
            false => Some(()),
        });
        let bind_address = fields.field("bindAddress", |node| {
            let text = node.non_empty()?;
            match text.parse() {
                Ok(address) => Some(address),
                Err(_) => node.error(format!("{text:?} is not an IP address")),
            }
        });
        let bind_port = fields.required("bindPort", |node| node.number(0, 65_535));
        let mut proxy_names = fields.list("proxyNames", |node| node.non_empty());
        if proxy_names.is_empty() {
            proxy_names.push("gateway-proxy".into());
        }
        proxy_names.sort();
        proxy_names.dedup();
        let virtual_services = fields.field("httpGateway", |node| {
            node.object(|fields| read_http(fields, namespace))
        });
        let access_logs = fields.field("options", |node| {
            node.object(|fields| {
                fields.later(&[
                    "listenerAccessLoggingService",
                    "extensions",
                    "perConnectionBufferLimitBytes",
                    "socketOptions",
                    "proxyProtocol",
                    "connectionBalanceConfig",
                    "tcpStats",
                ]);
                fields.field("accessLoggingService", |node| {
                    node.object(|fields| {
                        Some(fields.list("accessLog", |node| node.object(read_log)))
                    })
                })
            })
        });
        Some(Gateway {
            bind_address: bind_address.unwrap_or(IpAddr::from([0u16; 8])),
            bind_port: u16::try_from(bind_port?).ok()?,
            proxy_names,
            virtual_services: virtual_services.unwrap_or_default(),
            access_logs: access_logs.unwrap_or_default(),
        })
    })
}

fn read_http(fields: &mut Fields<'_>, namespace: &str) -> Option<Vec<ObjectRef>> {
    fields.later(&[
        "virtualServiceSelector",
        "virtualServiceExpressions",
        "virtualServiceNamespaces",
    ]);
    fields.field("options", |node| {
        node.object(|fields| {
            fields.later(&[
                "grpcWeb",
                "httpConnectionManagerSettings",
                "healthCheck",
                "extensions",
                "gzip",
                "buffer",
                "csrf",
                "grpcJsonTranscoder",
                "dynamicForwardProxy",
                "connectionLimit",
                "networkLocalRatelimit",
                "httpLocalRatelimit",
                "router",
                "headerValidationSettings",
            ]);
            Some(())
        })
    });
    Some(fields.list("virtualServices", |node| node.reference(namespace)))
}

fn read_log(fields: &mut Fields<'_>) -> Option<AccessLog> {
    fields.later(&["grpcService", "openTelemetryService", "filter"]);
    fields.required("fileSink", |node| {
        node.object(|fields| {
            let path = fields.required("path", |node| node.non_empty());
            let format = match fields.one_of(&["stringFormat", "jsonFormat"]) {
                Some("stringFormat") => fields
                    .field("stringFormat", |node| {
                        node.text()?;
                        check_texts(&node)?.as_str().map(str::to_owned)
                    })
                    .filter(|format| !format.is_empty())
                    .map(AccessLogFormat::Text),
                Some(_) => fields
                    .field("jsonFormat", |node| {
                        node.map(|_| Some(()))?;
                        check_texts(&node)?.as_object().cloned()
                    })
                    .map(AccessLogFormat::Json),
                None => None,
            };
            fields.ignored(&["stringFormat", "jsonFormat"]);
            Some(AccessLog {
                path: path?,
                format: format.unwrap_or(AccessLogFormat::Default),
            })
        })
    })
}

/// The value, if Envoy can fill in each text in it.
fn check_texts(node: &Node<'_>) -> Option<Value> {
    fn check(value: &Value) -> Result<(), String> {
        match value {
            Value::String(text) => format::check(text),
            Value::Array(values) => values.iter().try_for_each(check),
            Value::Object(map) => map.values().try_for_each(check),
            _ => Ok(()),
        }
    }
    match check(node.value()) {
        Ok(()) => Some(node.value().clone()),
        Err(reason) => node.error(reason),
    }
}
