//! From the model to Envoy's resources: pure, incremental, total.
//!
//! [`Translator::apply`] takes changes of objects and tells which Envoy resources, credentials and statuses changed.
//! Each output unit (a cluster, a virtual host, the listeners and route tables) records what it read; a change derives
//! only its readers anew, and a unit that comes out with the same bytes stops the change there.

mod access_filter;
mod access_log;
mod action;
mod aws;
mod azure;
mod by_path;
mod call;
mod cluster;
mod engine;
mod external_options;
mod filters;
mod forward_proxy;
mod gateway_api;
mod gcp;
mod hcm_settings;
mod http_filters;
mod http_listener;
mod inherit;
mod instances;
mod json;
mod keyed;
mod keys;
mod kube;
mod listener;
mod local_reply;
mod lookup;
mod matcher;
mod misdirected;
mod moves;
mod names;
mod options;
mod output;
mod parallel;
mod piece;
mod proto;
mod provider;
mod rest;
mod retries;
mod route;
mod route_table;
mod route_tree;
mod rules;
mod secret;
mod secret_headers;
mod shortened;
mod status;
mod tcp;
mod tls;
mod tracing;
mod transcoder;
mod transforms;
mod tree;
mod trials;
mod virtual_host;
mod wire;

pub use engine::Translator;
pub use filters::{function_filters, listener_filter};
pub use gateway_api::conditions::{
    CONTROLLER, Condition, Conditions, ListenerConditions, ParentConditions,
};
pub use json::{to_json, to_proto_json};
pub use lookup::{ConsulQuery, Instance, Lookup};
pub use output::{
    Change, CredentialSource, GenericSecret, Module, ProxyName, ProxyStatuses, Resource,
    ResourceId, ResourceType, State, Status, StatusMessage, TranslatorOptions, Update,
};
pub use parallel::in_parallel;
pub use rules::shape::Part;
pub use transforms::transform_filter;
pub use trials::{Trial, Trials, Tried};
