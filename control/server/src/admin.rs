//! The admin endpoint: health, metrics, statuses, what is served. Secrets are shown nowhere.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::{Value, json};
use tenon_translate::{ResourceId, to_proto_json};
use tenon_xds::{Served, short_name};

use crate::serve::Shared;
use crate::statuses;

pub(crate) fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .route("/status", get(status))
        .route("/config", get(config))
        .with_state(shared)
}

async fn ready(State(shared): State<Arc<Shared>>) -> Response {
    if *shared.live.borrow() {
        "ok\n".into_response()
    } else {
        let text = "the resources are not read yet\n";
        (StatusCode::SERVICE_UNAVAILABLE, text).into_response()
    }
}

async fn metrics(State(shared): State<Arc<Shared>>) -> Response {
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    answer(kind, shared.metrics.encode())
}

async fn status(State(shared): State<Arc<Shared>>) -> Response {
    let text = statuses::to_json(&shared.statuses());
    answer("application/json", text)
}

async fn config(State(shared): State<Arc<Shared>>) -> Response {
    let served = shared.cache.served();
    let shown: Vec<_> = served
        .iter()
        .map(|served| {
            let provenance = served.provenance().iter();
            json!({
                "proxy": &*served.proxy,
                "type": short_name(served.kind),
                "name": &*served.name,
                "version": served.resource.version,
                "resource": resource(served),
                "provenance": provenance
                    .map(|key| format!("{} {}/{}", key.kind, key.namespace, key.name))
                    .collect::<Vec<_>>(),
            })
        })
        .collect();
    answer("application/json", serde_json::to_string_pretty(&shown))
}

/// The resource as JSON, secrets redacted.
pub(crate) fn resource(served: &Served) -> Option<Value> {
    let id = ResourceId {
        proxy: served.proxy.clone(),
        kind: served.kind,
        name: served.name.clone(),
    };
    to_proto_json(&id, &served.resource)
}

fn answer(kind: &'static str, text: Result<String, impl std::error::Error>) -> Response {
    match text {
        Ok(text) => ([(header::CONTENT_TYPE, kind)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}
