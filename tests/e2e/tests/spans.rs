//! The names of tracing spans, as a tracer gets them.

use anyhow::Result;
use serde_json::{Value, json};
use tenon_contract::transform::{
    RequestRule, SpanTransformer, Stage, TRANSFORM_FILTER, TransformConfig, Transformation,
    TransformationTemplate, Transforms,
};
use tenon_e2e::gateway::{cluster, extension, listener, plain_route, router};
use tenon_e2e::{Client, Envoy, Filter, PlainDouble, deadline, get, on_both_hosts};

/// A filter that names spans after their requests.
fn naming(filter: Filter) -> Result<Value> {
    let template = TransformationTemplate {
        span_transformer: Some(SpanTransformer {
            name: Some(r#"{{ header(":method") }} of {{ header("x-who") }}"#.into()),
        }),
        ..TransformationTemplate::default()
    };
    let rule = RequestRule {
        request_transformation: Some(Transformation {
            transformation_template: Some(template),
            ..Transformation::default()
        }),
        ..RequestRule::default()
    };
    let rules = Transforms {
        request_transforms: vec![rule],
        ..Transforms::default()
    };
    let config = TransformConfig::stage(Stage::Regular).with(rules).to_json();
    let config =
        json!({"@type": "type.googleapis.com/google.protobuf.StringValue", "value": config});
    let file = filter.artefact()?;
    Ok(match filter {
        Filter::So => extension(
            TRANSFORM_FILTER,
            "envoy.extensions.filters.http.dynamic_modules.v3.DynamicModuleFilter",
            json!({
                "dynamic_module_config": {"module": {"local": {"filename": file}}},
                "filter_name": TRANSFORM_FILTER,
                "filter_config": config,
            }),
        ),
        Filter::Wasm => extension(
            TRANSFORM_FILTER,
            "envoy.extensions.filters.http.wasm.v3.Wasm",
            json!({"config": {
                "root_id": TRANSFORM_FILTER,
                "allow_on_headers_stop_iteration": true,
                "configuration": config,
                "vm_config": {"runtime": "envoy.wasm.runtime.v8", "code": {"local": {"filename": file}}},
            }}),
        ),
    })
}

on_both_hosts! {
    async fn a_span_has_the_name_that_a_template_gives_it(filter: Filter) -> Result<()> {
        let (web, tracer) = (PlainDouble::start().await?, PlainDouble::start().await?);
        let mut decorated = plain_route("/decorated", "web");
        decorated["decorator"] = json!({"operation": "of the route"});
        let manager = json!({"tracing": {"provider": extension(
            "envoy.tracers.zipkin",
            "envoy.config.trace.v3.ZipkinConfig",
            json!({
                "collector_cluster": "tracer",
                "collector_endpoint": "/spans",
                "collector_endpoint_version": "HTTP_JSON",
            }),
        )}, "stat_prefix": "http"});
        let config = json!({
            "node": {"id": "gateway", "cluster": "gateway"},
            "layered_runtime": {"layers": [{"name": "static", "static_layer": {
                "tracing.zipkin.min_flush_spans": 1, "tracing.zipkin.flush_interval_ms": 50,
            }}]},
            "static_resources": {
                "listeners": [listener(vec![naming(filter)?, router()], vec![decorated, plain_route("/", "web")], manager)],
                "clusters": [cluster("web", web.address(), Vec::new()), cluster("tracer", tracer.address(), Vec::new())],
            },
        });
        let envoy = Envoy::start(&config.to_string()).await?;
        let mut client = Client::http1(envoy.listener("http").await?).await?;
        let spans = |requests: usize| {
            let tracer = &tracer;
            async move {
                deadline::until("the spans", || async move {
                    let mut spans = Vec::new();
                    for report in tracer.requests() {
                        let report: Value = serde_json::from_slice(&report.body)?;
                        spans.extend(report.as_array().into_iter().flatten().cloned());
                    }
                    Ok((spans.len() >= requests).then_some(spans))
                })
                .await
            }
        };
        for (number, path) in ["/", "/decorated"].into_iter().enumerate() {
            let mut request = get(path);
            request.headers_mut().insert("x-who", http::HeaderValue::from_static("ada"));
            assert_eq!(client.send(request).await?.status, 200);
            let spans = spans(number + 1).await?;
            let name = spans[number]["name"].as_str().unwrap_or_default();
            match filter {
                Filter::So => assert_eq!(name, "GET of ada", "{spans:?}"),
                // proxy-wasm cannot name a span.
                Filter::Wasm => assert!(!name.contains("ada"), "{spans:?}"),
            }
        }
        Ok(())
    }
}
