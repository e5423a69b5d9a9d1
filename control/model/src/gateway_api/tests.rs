//! What the CRDs of the Gateway API refuse is refused with the field that is wrong, and what they default is defaulted.

use super::*;
use crate::{LabelValues, Object, Parsed, Problem, Spec, parse};

const GATEWAY_API: &str = "gateway.networking.k8s.io";

fn parsed(version: &str, kind: &str, spec: &str) -> Parsed {
    let text =
        format!("{{apiVersion: {version}, kind: {kind}, metadata: {{name: it}}, spec: {spec}}}");
    let mut parsed = parse("it.yaml", &text);
    assert_eq!(parsed.len(), 1, "{parsed:?}");
    parsed.remove(0)
}

fn good(version: &str, kind: &str, spec: &str) -> Object {
    match parsed(version, kind, spec) {
        Parsed::Object(object) => *object,
        other => panic!("{kind} {spec}: {other:?}"),
    }
}

fn problems(version: &str, kind: &str, spec: &str) -> Vec<Problem> {
    match parsed(version, kind, spec) {
        Parsed::Rejected { problems, .. } => problems,
        other => panic!("{kind} {spec}: {other:?}"),
    }
}

fn route(spec: &str) -> HttpRoute {
    match good(&format!("{GATEWAY_API}/v1"), "HTTPRoute", spec).spec {
        Spec::HttpRoute(route) => *route,
        other => panic!("{other:?}"),
    }
}

/// Each is refused at this field, in these words.
fn refused(version: &str, kind: &str, cases: &[(&str, &str, &str)]) {
    for (spec, field, text) in cases {
        let said = problems(version, kind, spec);
        let found = said
            .iter()
            .any(|it| it.field == *field && it.text.contains(text));
        assert!(found, "{kind} {spec}: {said:?}");
    }
}

#[test]
fn what_is_left_out_of_a_route_has_the_defaults_of_the_specification() {
    let route = route(
        "{parentRefs: [{name: gw}], rules: [{backendRefs: [{name: web, port: 80}]},
           {matches: [{method: GET}], filters: [{type: RequestRedirect, requestRedirect: {}}]}]}",
    );
    let parent = &route.parent_refs[0];
    assert_eq!((&*parent.group, &*parent.kind), (GATEWAY_API, "Gateway"));
    let first = &route.rules[0];
    assert_eq!(first.matches, [HttpMatch::default()]);
    let to = &first.backend_refs[0];
    assert_eq!(
        (&*to.backend.group, &*to.backend.kind, to.weight),
        ("", "Service", 1)
    );
    let second = &route.rules[1];
    assert_eq!(second.matches[0].path, PathMatch::default());
    let HttpFilter::RequestRedirect(redirect) = &second.filters[0] else {
        panic!("{second:?}");
    };
    assert_eq!(redirect.status_code, 302);
}

#[test]
fn a_route_without_rules_has_one_for_all_requests() {
    let route = route("{parentRefs: [{name: gw}]}");
    assert_eq!(route.rules.len(), 1);
    assert_eq!(route.rules[0].matches, [HttpMatch::default()]);
}

#[test]
fn listeners_are_for_routes_of_their_own_namespace_if_they_do_not_say_more() {
    let spec = "{gatewayClassName: gloo-gateway, listeners: [{name: a, port: 80, protocol: HTTP},
        {name: b, port: 81, protocol: HTTP, allowedRoutes: {namespaces: {from: Selector, selector: {matchLabels: {team: a}}}}}]}";
    let Spec::KubernetesGateway(gateway) =
        good("gateway.networking.k8s.io/v1", "Gateway", spec).spec
    else {
        panic!();
    };
    let of = |index: usize| &gateway.listeners[index].allowed_routes.namespaces;
    assert_eq!(of(0).from, FromNamespaces::Same);
    let selector = of(1).selector.as_ref().unwrap();
    assert_eq!(selector.requirements[0].key, "team");
    assert_eq!(
        selector.requirements[0].values,
        LabelValues::In(["a".to_owned()].into())
    );
}

#[test]
fn routes_are_refused_where_their_definition_refuses_them() {
    let version = "gateway.networking.k8s.io/v1";
    refused(
        version,
        "HTTPRoute",
        &[
            (
                "{hostnames: [10.0.0.1_]}",
                "spec.hostnames[0]",
                "is not a hostname",
            ),
            (
                "{hostnames: [a.*.com]}",
                "spec.hostnames[0]",
                "is not a hostname",
            ),
            (
                "{hostnames: [A.com]}",
                "spec.hostnames[0]",
                "is not a hostname",
            ),
            ("{rules: []}", "spec.rules", "must not be empty"),
            (
                "{parentRefs: [{name: a}, {name: a}]}",
                "spec.parentRefs[1]",
                "is there already",
            ),
            (
                "{parentRefs: [{name: a, sectionName: x}, {name: a}]}",
                "spec.parentRefs[1]",
                "both need a sectionName",
            ),
            (
                "{rules: [{name: a}, {name: a}]}",
                "spec.rules[1].name",
                "is the name of another rule",
            ),
            (
                "{rules: [{backendRefs: [{name: a}]}]}",
                "spec.rules[0].backendRefs[0].port",
                "is required of a Service",
            ),
            (
                "{rules: [{backendRefs: [{name: a, port: 80, weight: 1000001}]}]}",
                "spec.rules[0].backendRefs[0].weight",
                "is not a whole number from 0 to 1000000",
            ),
            (
                "{rules: [{matches: [{path: {type: Prefix, value: /}}]}]}",
                "spec.rules[0].matches[0].path.type",
                "is not one of Exact, PathPrefix, RegularExpression",
            ),
            (
                "{rules: [{matches: [{path: {type: 0, value: /}}]}]}",
                "spec.rules[0].matches[0].path.type",
                "expected a text",
            ),
            (
                "{rules: [{matches: [{path: {value: a}}]}]}",
                "spec.rules[0].matches[0].path.value",
                "must start with /",
            ),
            (
                "{rules: [{matches: [{path: {value: /a//b}}]}]}",
                "spec.rules[0].matches[0].path.value",
                "must not hold //",
            ),
            (
                "{rules: [{matches: [{path: {type: RegularExpression, value: '/a('}}]}]}",
                "spec.rules[0].matches[0].path.value",
                "invalid regular expression",
            ),
            (
                "{rules: [{matches: [{headers: [{name: a, value: b}, {name: a, value: c}]}]}]}",
                "spec.rules[0].matches[0].headers",
                "more than once",
            ),
            (
                "{rules: [{matches: [{queryParams: [{name: a, value: b}, {name: a, value: c}]}]}]}",
                "spec.rules[0].matches[0].queryParams",
                "more than once",
            ),
            (
                "{rules: [{matches: [{method: get}]}]}",
                "spec.rules[0].matches[0].method",
                "is not one of GET",
            ),
            (
                "{rules: [{timeouts: {request: 1s, backendRequest: 2s}}]}",
                "spec.rules[0].timeouts.backendRequest",
                "is longer than request",
            ),
            (
                "{rules: [{timeouts: {request: 1.5s}}]}",
                "spec.rules[0].timeouts.request",
                "is not a duration",
            ),
            (
                "{rules: [{retry: {codes: [200]}}]}",
                "spec.rules[0].retry.codes[0]",
                "is not a whole number from 400 to 599",
            ),
            (
                "{rules: [{sessionPersistence: {cookieConfig: {lifetimeType: Permanent}}}]}",
                "spec.rules[0].sessionPersistence.absoluteTimeout",
                "is required where the cookie is permanent",
            ),
            (
                "{rules: [{sessionPersistence: {type: Header, cookieConfig: {}}}]}",
                "spec.rules[0].sessionPersistence.cookieConfig",
                "has no place",
            ),
            ("{rulez: []}", "spec.rulez", "unknown field"),
        ],
    );
}

#[test]
fn filters_are_refused_where_their_definition_refuses_them() {
    let cases = [
        ("[{type: CORS}]", "[0].cors", "is required"),
        (
            "[{type: URLRewrite, urlRewrite: {}, cors: {}}]",
            "[0].cors",
            "has no place",
        ),
        (
            "[{type: RequestRedirect, requestRedirect: {}}, {type: URLRewrite, urlRewrite: {}}]",
            "",
            "exclude each other",
        ),
        (
            "[{type: CORS, cors: {}}, {type: CORS, cors: {}}]",
            "",
            "CORS is there more than once",
        ),
        (
            "[{type: CORS, cors: {allowOrigins: ['*', 'https://a.com']}}]",
            "[0].cors.allowOrigins",
            "which it stands for",
        ),
        (
            "[{type: CORS, cors: {allowOrigins: ['a.com']}}]",
            "[0].cors.allowOrigins[0]",
            "is not an origin",
        ),
        (
            "[{type: RequestMirror, requestMirror: {backendRef: {name: a, port: 1}, percent: 1, fraction: {numerator: 1}}}]",
            "[0].requestMirror",
            "exclude each other",
        ),
        (
            "[{type: RequestMirror, requestMirror: {backendRef: {name: a, port: 1}, fraction: {numerator: 101}}}]",
            "[0].requestMirror.fraction.numerator",
            "is more than the denominator",
        ),
        (
            "[{type: RequestRedirect, requestRedirect: {statusCode: 300}}]",
            "[0].requestRedirect.statusCode",
            "is not one of 301",
        ),
        (
            "[{type: RequestRedirect, requestRedirect: {hostname: '*.a.com'}}]",
            "[0].requestRedirect.hostname",
            "without wildcard",
        ),
        (
            "[{type: URLRewrite, urlRewrite: {path: {type: ReplaceFullPath}}}]",
            "[0].urlRewrite.path.replaceFullPath",
            "is required",
        ),
        (
            "[{type: URLRewrite, urlRewrite: {path: {type: ReplaceFullPath, replaceFullPath: /, replacePrefixMatch: /}}}]",
            "[0].urlRewrite.path.replacePrefixMatch",
            "has no place",
        ),
        (
            "[{type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: a, value: ' b'}]}}]",
            "[0].requestHeaderModifier.set[0].value",
            "visible ASCII",
        ),
        (
            "[{type: RequestHeaderModifier, requestHeaderModifier: {add: [{name: 'a:', value: b}]}}]",
            "[0].requestHeaderModifier.add[0].name",
            "is not the name of a header",
        ),
        (
            "[{type: ExternalAuth, externalAuth: {protocol: HTTP, backendRef: {name: a, port: 1}}}]",
            "[0].externalAuth.http",
            "is required",
        ),
    ];
    for (filters, at, text) in cases {
        for (place, spec) in [
            ("filters", format!("{{rules: [{{filters: {filters}}}]}}")),
            (
                "backendRefs[0].filters",
                format!("{{rules: [{{backendRefs: [{{name: a, port: 1, filters: {filters}}}]}}]}}"),
            ),
        ] {
            let field = format!("spec.rules[0].{place}{at}");
            let case = (spec.as_str(), field.as_str(), text);
            refused("gateway.networking.k8s.io/v1", "HTTPRoute", &[case]);
        }
    }
    let field = "spec.rules[0].filters[0].urlRewrite.path";
    let rewrite =
        "{type: URLRewrite, urlRewrite: {path: {type: ReplacePrefixMatch, replacePrefixMatch: /}}}";
    for matches in [
        "[{path: {value: /a}}, {path: {value: /b}}]",
        "[{path: {type: Exact, value: /a}}]",
    ] {
        let spec = format!("{{rules: [{{matches: {matches}, filters: [{rewrite}]}}]}}");
        let case = (spec.as_str(), field, "needs exactly one match");
        refused("gateway.networking.k8s.io/v1", "HTTPRoute", &[case]);
    }
    let spec = "{rules: [{filters: [{type: RequestRedirect, requestRedirect: {}}], backendRefs: [{name: a, port: 1}]}]}";
    let case = (spec, "spec.rules[0].filters", "no request goes there");
    refused("gateway.networking.k8s.io/v1", "HTTPRoute", &[case]);
}

#[test]
fn gateways_are_refused_where_their_definition_refuses_them() {
    let gateway = |listeners: &str| format!("{{gatewayClassName: c, listeners: {listeners}}}");
    let certificate = "{certificateRefs: [{name: a}]}";
    for (listeners, field, text) in [
        ("[]", "", "must not be empty"),
        (
            "[{name: a, port: 0, protocol: HTTP}]",
            "[0].port",
            "from 1 to 65535",
        ),
        (
            "[{name: A, port: 1, protocol: HTTP}]",
            "[0].name",
            "is not a name",
        ),
        (
            "[{name: a, port: 1, protocol: HTTP}, {name: a, port: 2, protocol: HTTP}]",
            "[1].name",
            "is the name of another listener",
        ),
        (
            "[{name: a, port: 1, protocol: HTTP}, {name: b, port: 1, protocol: HTTP}]",
            "[1]",
            "has the port, protocol and hostname of another listener",
        ),
        (
            "[{name: a, port: 1, protocol: HTTP, tls: {certificateRefs: [{name: a}]}}]",
            "[0].tls",
            "has no place",
        ),
        (
            "[{name: a, port: 1, protocol: HTTPS, tls: {mode: Passthrough}}]",
            "[0].tls.mode",
            "must be Terminate",
        ),
        (
            "[{name: a, port: 1, protocol: TLS}]",
            "[0].tls",
            "is required",
        ),
        (
            "[{name: a, port: 1, protocol: HTTPS, tls: {}}]",
            "[0].tls",
            "needs certificateRefs",
        ),
        (
            "[{name: a, port: 1, protocol: TCP, hostname: a.com}]",
            "[0].hostname",
            "has no place",
        ),
        (
            "[{name: a, port: 1, protocol: HTTP, allowedRoutes: {namespaces: {from: None}}}]",
            "[0].allowedRoutes.namespaces.from",
            "is not one of All, Selector, Same",
        ),
        (
            "[{name: a, port: 1, protocol: HTTP, allowedRoutes: {namespaces: {selector: {matchExpressions: [{key: a, operator: In}]}}}}]",
            "[0].allowedRoutes.namespaces.selector.matchExpressions[0].values",
            "at least one value",
        ),
    ] {
        let spec = gateway(listeners);
        let field = format!("spec.listeners{field}");
        let case = (spec.as_str(), field.as_str(), text);
        refused("gateway.networking.k8s.io/v1", "Gateway", &[case]);
    }
    let spec = gateway(&format!(
        "[{{name: a, port: 443, protocol: HTTPS, tls: {certificate}}}]"
    ));
    good("gateway.networking.k8s.io/v1", "Gateway", &spec);
}

#[test]
fn other_kinds_are_refused_where_their_definitions_refuse_them() {
    let v1 = "gateway.networking.k8s.io/v1";
    refused(
        v1,
        "GatewayClass",
        &[(
            "{controllerName: gloo}",
            "spec.controllerName",
            "is not the name of a controller",
        )],
    );
    refused(
        v1,
        "ReferenceGrant",
        &[
            (
                "{to: [{group: '', kind: Secret}]}",
                "spec.from",
                "is required",
            ),
            (
                "{from: [{group: a, kind: B, namespace: c}], to: []}",
                "spec.to",
                "must not be empty",
            ),
        ],
    );
    refused(
        v1,
        "GRPCRoute",
        &[
            (
                "{rules: [{matches: [{method: {}}]}]}",
                "spec.rules[0].matches[0].method",
                "needs a service, a method, or both",
            ),
            (
                "{rules: [{matches: [{method: {service: 'a b'}}]}]}",
                "spec.rules[0].matches[0].method.service",
                "is not the name of a service",
            ),
            (
                "{rules: [{filters: [{type: URLRewrite}]}]}",
                "spec.rules[0].filters[0].type",
                "is not one of ResponseHeaderModifier",
            ),
        ],
    );
    refused(
        v1,
        "TLSRoute",
        &[
            (
                "{rules: [{backendRefs: [{name: a, port: 1}]}]}",
                "spec.hostnames",
                "is required",
            ),
            ("{hostnames: [a.com]}", "spec.rules", "is required"),
            (
                "{hostnames: [10.0.0.1], rules: [{backendRefs: [{name: a, port: 1}]}]}",
                "spec.hostnames[0]",
                "is an address",
            ),
        ],
    );
    refused(
        v1,
        "BackendTLSPolicy",
        &[
            (
                "{targetRefs: [{group: '', kind: Service, name: a}], validation: {hostname: a.com}}",
                "spec.validation",
                "expected one of",
            ),
            (
                "{targetRefs: [{group: '', kind: Service, name: a}], validation: {hostname: a.com, wellKnownCACertificates: Mine}}",
                "spec.validation.wellKnownCACertificates",
                "is neither System",
            ),
        ],
    );
    refused(
        "gateway.gloo.solo.io/v1alpha1",
        "DirectResponse",
        &[("{status: 199}", "spec.status", "from 200 to 599")],
    );
    refused(
        "tenon.dev/v1alpha1",
        "FunctionCall",
        &[
            ("{}", "spec", "expected one of aws"),
            ("{aws: {}, gcp: {}}", "spec", "exclude each other"),
            (
                "{aws: {invocationStyle: LATER}}",
                "spec.aws.invocationStyle",
                "is not one of",
            ),
        ],
    );
}

#[test]
fn the_first_alpha_of_tls_routes_wants_less() {
    let spec =
        "{rules: [{backendRefs: [{name: a, port: 1}]}, {backendRefs: [{name: b, port: 1}]}]}";
    good("gateway.networking.k8s.io/v1alpha2", "TLSRoute", spec);
    assert_eq!(
        problems("gateway.networking.k8s.io/v1", "TLSRoute", spec).len(),
        2
    );
}

#[test]
fn a_grant_permits_what_it_names() {
    let spec = "{from: [{group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: a}], to: [{group: core, kind: Service}, {group: gloo.solo.io, kind: Upstream, name: x}]}";
    let Spec::ReferenceGrant(grant) =
        good("gateway.networking.k8s.io/v1beta1", "ReferenceGrant", spec).spec
    else {
        panic!();
    };
    let from = (GATEWAY_API, "HTTPRoute", "a");
    assert!(grant.permits(from, ("", "Service", "any")));
    assert!(grant.permits(from, ("gloo.solo.io", "Upstream", "x")));
    assert!(!grant.permits(from, ("gloo.solo.io", "Upstream", "y")));
    assert!(!grant.permits((GATEWAY_API, "HTTPRoute", "b"), ("", "Service", "any")));
    assert!(!grant.permits((GATEWAY_API, "TCPRoute", "a"), ("", "Service", "any")));
}

#[test]
fn times_are_those_of_gep_2257() {
    for (text, millis) in [("0s", 0), ("1h30m", 5_400_000), ("99999ms", 99_999)] {
        let route = route(&format!("{{rules: [{{timeouts: {{request: {text}}}}}]}}"));
        let request = route.rules[0].timeouts.unwrap().request.unwrap();
        assert_eq!(request.as_millis(), millis, "{text}");
    }
    for text in ["1", "1d", "100000s", "1h1h1h1h1h", "-1s", "1.5s", "''"] {
        let spec = format!("{{rules: [{{timeouts: {{request: {text}}}}}]}}");
        assert!(!problems("gateway.networking.k8s.io/v1", "HTTPRoute", &spec).is_empty());
    }
}

#[test]
fn age_generation_and_known_annotations_are_kept() {
    let text = "
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata:
  name: it
  generation: 3
  creationTimestamp: 2026-11-22T16:53:20Z
  annotations:
    kubectl.kubernetes.io/last-applied-configuration: '{}'
    delegation.gateway.solo.io/inherit-parent-matcher: 'true'
spec: {}
";
    let Parsed::Object(object) = parse("it.yaml", text).remove(0) else {
        panic!();
    };
    let kept = object.metadata.unwrap();
    assert_eq!(
        (kept.created, kept.generation),
        (Some(1_795_366_400), Some(3))
    );
    let names: Vec<_> = kept.annotations.into_keys().collect();
    assert_eq!(names, ["delegation.gateway.solo.io/inherit-parent-matcher"]);
}

#[test]
fn what_is_of_the_whole_cluster_has_no_namespace() {
    let class = good(
        "gateway.networking.k8s.io/v1",
        "GatewayClass",
        "{controllerName: solo.io/gloo-gateway}",
    );
    assert_eq!(class.key.to_string(), "GatewayClass it");
    assert_eq!(&*class.key.namespace, "");
}
