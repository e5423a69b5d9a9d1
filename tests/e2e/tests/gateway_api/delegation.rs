//! HTTPRoutes that leave requests to others, with functions and transformations at the end of the way, on both hosts of the
//! filters.

use anyhow::ensure;
use serde_json::{Value, json};
use tenon_e2e::{Answer, LambdaDouble, PlainDouble, object, on_both_hosts};

use super::{Setting, backend, extension, functions, of_gateway_api, rule, upstream, with};

/// A route that only others leave requests to.
fn child(name: &str, metadata: Value, rules: Value) -> Value {
    let mut route = of_gateway_api("HTTPRoute", name, json!({"rules": rules}));
    route["metadata"] = with(route["metadata"].clone(), metadata);
    route
}

fn left_to(group: &str, kind: &str, name: &str) -> Value {
    json!({"backendRefs": [{"group": group, "kind": kind, "name": name}]})
}

fn route(name: &str) -> Value {
    left_to("gateway.networking.k8s.io", "HTTPRoute", name)
}

fn annotated(name: &str, value: &str) -> Value {
    json!({"annotations": {format!("delegation.gateway.solo.io/{name}"): value}})
}

fn option(name: &str) -> Value {
    json!({"filters": [extension("gateway.solo.io", "RouteOption", name)]})
}

/// Says in a header of answers who says so.
fn says(who: &str) -> Value {
    let header = json!({"header": {"key": "x-by", "value": who}, "append": false});
    json!({"responseHeadersToAdd": [header]})
}

on_both_hosts! {
    async fn requests_are_left_to_other_routes(filter: Filter) -> Result<()> {
        let web = PlainDouble::start().await?;
        web.answer(Answer::body("web"));
        let lambda = LambdaDouble::start().await?;
        lambda.answer("blue", [Answer::body("blue")]);
        lambda.answer("green", [Answer::body("green")]);
        let to_web = json!({"backendRefs": [backend("web")]});
        let to_function = |filter: Value| {
            json!({"backendRefs": [with(backend("lambda"), json!({"filters": [filter]}))]})
        };
        let template = json!({"passthrough": {}, "headers": {"x-path": {"text": "{{ header(\":path\") }}"}}});
        let transformation = json!({"transformationTemplate": template});
        let call = json!({
            "apiVersion": "tenon.dev/v1alpha1",
            "kind": "FunctionCall",
            "metadata": {"name": "later", "namespace": "default"},
            "spec": {"aws": {"logicalName": "green", "invocationStyle": "ASYNC"}},
        });
        let mut objects = functions(&lambda);
        objects.extend([
            upstream("web", &web),
            call,
            object("RouteOption", "above", json!({"options": {"headerManipulation": says("parent")}})),
            object("RouteOption", "below", json!({"options": {
                "headerManipulation": says("child"),
                "prefixRewrite": "/below",
            }})),
            object("RouteOption", "transformation", json!({"options": {"stagedTransformations": {
                "regular": {"requestTransforms": [{"requestTransformation": transformation}]},
            }}})),
            child("named", json!({}), json!([
                rule("/named/web", to_web.clone()),
                rule("/named/parameter", to_function(extension("gloo.solo.io", "Parameter", "blue"))),
                rule("/named/call", to_function(extension("tenon.dev", "FunctionCall", "later"))),
                rule("/named/transformed", with(to_web.clone(), option("transformation"))),
                rule("/elsewhere", to_web.clone()),
            ])),
            child("labelled", json!({"labels": {"delegation.gateway.solo.io/label": "team"}}), json!([
                rule("/labelled/a", to_web.clone()),
            ])),
            child("inheriting", annotated("inherit-parent-matcher", "true"), json!([
                rule("/own", to_web.clone()),
            ])),
            child("optional", json!({}), json!([
                rule("/kept/a", with(to_web.clone(), option("below"))),
                rule("/overridden/a", with(to_web.clone(), option("below"))),
            ])),
            child("lenient", annotated("enable-policy-overrides", "*"), json!([
                with(rule("/overridden", route("optional")), option("above")),
            ])),
        ]);
        let header = json!({"headers": [{"name": "x-team", "value": "a"}]});
        let inherited = with(json!({"path": {"value": "/inherited"}}), header);
        let rules = json!([
            rule("/named", route("named")),
            rule("/labelled", left_to("delegation.gateway.solo.io", "label", "team")),
            with(json!({"matches": [inherited]}), route("inheriting")),
            with(rule("/kept", route("optional")), option("above")),
            rule("/overridden", route("lenient")),
        ]);
        let setting = Setting::with_filter(&objects, rules, filter).await?;
        let team = [("x-team", "a")];
        for (path, headers, status, seen, by) in [
            ("/named/web/x", &[][..], 200, "/named/web/x", ""),
            ("/labelled/a", &[], 200, "/labelled/a", ""),
            ("/inherited/own", &team, 200, "/inherited/own", ""),
            ("/kept/a", &[], 200, "/below", "parent"),
            ("/overridden/a", &[], 200, "/below", "child"),
            // What nobody below says, or is not within what is left to it.
            ("/named", &[], 404, "", ""),
            ("/elsewhere", &[], 404, "", ""),
            ("/labelled/b", &[], 404, "", ""),
            ("/inherited/own", &[], 404, "", ""),
            ("/own", &team, 404, "", ""),
        ] {
            web.forget();
            let answer = setting.send("GET", path, headers).await?;
            let requests = web.requests();
            let path_seen = requests.first().map_or("", |it| it.path.as_str());
            ensure!(
                (answer.status, path_seen, answer.header("x-by")) == (status, seen, by),
                "{path}: {answer:?} {requests:?}"
            );
        }
        web.forget();
        let answer = setting.ask("/named/transformed/x").await?;
        ensure!(answer.status == 200, "{answer:?}");
        let seen = web.wait_for_requests(1).await?;
        assert_eq!(seen[0].header("x-path"), "/named/transformed/x");
        let answer = setting.ask("/named/parameter").await?;
        ensure!(answer.text() == "blue", "{answer:?}");
        assert_eq!(setting.ask("/named/call").await?.status, 202);
        let calls = lambda.wait_for_calls("green", 1).await?;
        assert_eq!(calls[0].request.header("x-amz-invocation-type"), "Event");
        Ok(())
    }
}
