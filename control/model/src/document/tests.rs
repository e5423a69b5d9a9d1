use super::*;
use crate::schema::Schema;
use crate::{PathMatcher, Secret, UpstreamType};

fn one(path: &str, text: &str) -> Parsed {
    let mut parsed = parse(path, text);
    assert_eq!(parsed.len(), 1, "{parsed:?}");
    parsed.remove(0)
}

fn object(path: &str, text: &str) -> Object {
    match one(path, text) {
        Parsed::Object(object) => *object,
        other => panic!("{other:?}"),
    }
}

fn problems(text: &str) -> Vec<String> {
    match one("x.yaml", text) {
        Parsed::Rejected { problems, .. } => {
            let shown = problems
                .iter()
                .map(|it| format!("{}: {}", it.field, it.text));
            shown.collect()
        }
        other => panic!("{other:?}"),
    }
}

const UPSTREAM: &str = "
apiVersion: gloo.solo.io/v1
kind: Upstream
metadata: {name: petstore, namespace: default, labels: {a: b}, annotations: {c: d}}
status: {statuses: {}}
spec:
  discoveryMetadata: {labels: {a: b}}
  static:
    hosts:
    - {addr: petstore.example.com, port: 80}
";

#[test]
fn kubernetes_form_says_what_it_is() {
    let object = object("anything.yaml", UPSTREAM);
    assert_eq!(object.key.to_string(), "Upstream default/petstore");
    let Spec::Upstream(upstream) = object.spec else {
        panic!()
    };
    let UpstreamType::Static(fixed) = upstream.kind else {
        panic!()
    };
    assert_eq!(fixed.hosts[0].port, 80);
    assert!(!fixed.uses_tls());
}

#[test]
fn in_gloos_folders_the_path_says_what_it_is() {
    let text = "static: {hosts: [{addr: 10.0.0.1, port: 443}]}\nstatus: {}\n";
    let object = object("config/upstreams/gloo-system/web.yaml", text);
    assert_eq!(object.key.to_string(), "Upstream gloo-system/web");
    let Spec::Upstream(upstream) = object.spec else {
        panic!()
    };
    let UpstreamType::Static(fixed) = upstream.kind else {
        panic!()
    };
    assert!(fixed.uses_tls(), "a port 443 means TLS");
}

#[test]
fn both_forms_come_to_the_same() {
    let spec = "virtualHost: {domains: [a.example.com], routes: [{matchers: [{exact: /x}], directResponseAction: {status: 200}}]}";
    let bare = object("virtualservices/default/web.yaml", spec);
    let wrapped = format!(
        "{{apiVersion: gateway.solo.io/v1, kind: VirtualService, metadata: {{name: web}}, spec: {{{spec}}}}}"
    );
    assert_eq!(bare, object("web.json", &wrapped));
    let Spec::VirtualService(service) = bare.spec else {
        panic!()
    };
    assert_eq!(
        service.routes[0].matchers[0].path,
        Some(PathMatcher::Exact("/x".into()))
    );
}

#[test]
fn unknown_and_unsupported_fields_are_told_apart_and_all_are_told() {
    let text =
        UPSTREAM.replace("port: 80}", "port: 80, prot: 1}") + "  ai: {}\n  loadBalancer: {}\n";
    assert_eq!(
        problems(&text),
        [
            "spec.ai: is not supported: language models are out of scope; route to the provider as a static upstream",
            "spec.loadBalancer: unknown field",
            "spec.static.hosts[0].prot: unknown field",
        ]
    );
}

#[test]
fn faults_carry_the_path_of_the_field() {
    let text = "
apiVersion: gateway.solo.io/v1
kind: VirtualService
metadata: {name: web}
spec:
  virtualHost:
    routes:
    - directResponseAction: {status: 200}
    - directResponseAction: {status: 99}
    - matchers: [{regex: '[a-z'}, {prefix: x}]
      routeAction: {single: {upstream: {}}}
";
    assert_eq!(
        problems(text),
        [
            "spec.virtualHost.routes[1].directResponseAction.status: 99 is not a whole number from 200 to 599",
            "spec.virtualHost.routes[2].matchers[0].regex: invalid regular expression \"[a-z\": unclosed character class",
            "spec.virtualHost.routes[2].matchers[1].prefix: \"x\" must start with /",
            "spec.virtualHost.routes[2].routeAction.single.upstream.name: is required",
        ]
    );
}

#[test]
fn other_kinds_are_ignored() {
    let text = "{apiVersion: apps/v1, kind: Deployment, metadata: {name: a}}";
    assert_eq!(
        one("a.yaml", text),
        Parsed::Ignored {
            kind: "apps/v1 Deployment".into()
        }
    );
    assert!(matches!(
        one("proxies/gloo-system/p.yaml", "listeners: []"),
        Parsed::Ignored { .. }
    ));
    let opaque = "{apiVersion: v1, kind: Secret, metadata: {name: a}, data: {'a b': eA==}}";
    assert_eq!(
        one("a.yaml", opaque),
        Parsed::Ignored {
            kind: "v1 Secret of type Opaque".into()
        }
    );
}

#[test]
fn a_version_that_is_not_read_is_told_and_not_skipped() {
    for (version, kind, text) in [
        (
            "gloo.solo.io/v2",
            "Upstream",
            "Upstream is not read in version v2: expected v1",
        ),
        (
            "gateway.networking.k8s.io/v1alpha1",
            "HTTPRoute",
            "HTTPRoute is not read in version v1alpha1: expected v1 or v1beta1",
        ),
        (
            "gateway.networking.k8s.io/v1alpha2",
            "BackendTLSPolicy",
            "BackendTLSPolicy is not read in version v1alpha2: expected v1 or v1alpha3",
        ),
    ] {
        let read = one(
            "a.yaml",
            &format!("{{apiVersion: {version}, kind: {kind}, metadata: {{name: a}}, spec: {{}}}}"),
        );
        let Parsed::Rejected { key, problems, .. } = read else {
            panic!("{read:?}")
        };
        assert_eq!((key.kind.name(), &*key.name), (kind, "a"));
        assert_eq!(problems, [Problem::error("apiVersion", text)]);
    }
}

#[test]
fn a_text_that_says_not_what_it_is_is_unreadable() {
    for text in [
        "a: 1",
        "just text",
        "[1]",
        "{apiVersion: gloo.solo.io/v1, kind: Upstream}",
        "a: [",
    ] {
        assert!(
            matches!(one("a.yaml", text), Parsed::Unreadable(_)),
            "{text}"
        );
    }
}

#[test]
fn a_duplicate_key_rejects_the_object_that_it_is_in() {
    let parsed = parse(
        "a.yaml",
        &format!("{UPSTREAM}  useHttp2: true\n  useHttp2: false\n---\n{UPSTREAM}"),
    );
    let [Parsed::Rejected { key, problems, .. }, Parsed::Object(_)] = &parsed[..] else {
        panic!("{parsed:?}")
    };
    assert_eq!(&*key.name, "petstore");
    assert!(problems[0].text.contains("is there twice"), "{problems:?}");
}

#[test]
fn lists_of_kubernetes_are_taken_apart() {
    let item = "{apiVersion: gloo.solo.io/v1, kind: Upstream, metadata: {name: NAME}, spec: {aws: {region: us-east-1}}}";
    let text = format!(
        "{{apiVersion: v1, kind: List, items: [{}, {}]}}",
        item.replace("NAME", "a"),
        item.replace("NAME", "b")
    );
    assert_eq!(parse("list.json", &text).len(), 2);
}

#[test]
fn untyped_words_are_not_taken_for_texts() {
    let text = UPSTREAM.replace("petstore.example.com", "no");
    assert_eq!(
        problems(&text),
        ["spec.static.hosts[0].addr: expected a text in quotes, found a boolean"]
    );
}

#[test]
fn secrets_of_both_forms_are_the_same_and_never_shown() {
    let kubernetes = "
apiVersion: v1
kind: Secret
metadata: {name: aws, namespace: default}
data: {aws_access_key_id: QUtJREVYQU1QTEUK}
stringData: {aws_secret_access_key: very-secret}
";
    let bare = "aws: {accessKey: AKIDEXAMPLE, secretKey: very-secret}";
    let object = object("a.yaml", kubernetes);
    assert_eq!(object, self::object("secrets/default/aws.yaml", bare));
    assert!(!format!("{object:?}").contains("very-secret"));
    let Spec::Secret(crate::Secret::Aws(keys)) = object.spec else {
        panic!()
    };
    assert_eq!(
        keys.access_key_id, "AKIDEXAMPLE",
        "without the line break of `echo`"
    );
}

/// What is read of a Secret of Kubernetes; `None`, if it is for something else.
fn kubernetes_secret(kind: &str, data: &str) -> Option<Secret> {
    let text = format!(
        "{{apiVersion: v1, kind: Secret, type: {kind}, metadata: {{name: a}}, stringData: {data}}}"
    );
    match parse("a.yaml", &text).remove(0) {
        Parsed::Object(object) => match object.spec {
            Spec::Secret(secret) => Some(secret),
            other => panic!("{other:?}"),
        },
        Parsed::Ignored { .. } => None,
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_kind_of_secret_is_the_same_in_both_forms_and_never_shown() {
    let key = "very-secret-0123456789-0123456789";
    let key = &key[..32];
    for (kind, data, bare) in [
        (
            "extauth.solo.io/apikey",
            format!("{{api-key: {key}, user: a}}"),
            format!("apiKey: {{apiKey: {key}, labels: [a], metadata: {{user: a}}}}"),
        ),
        (
            "extauth.solo.io/oauth",
            format!("{{client-secret: {key}}}"),
            format!("oauth: {{clientSecret: {key}}}"),
        ),
        (
            "extauth.solo.io/accountcredentials",
            format!("{{username: a, password: {key}}}"),
            format!("credentials: {{username: a, password: {key}}}"),
        ),
        (
            "gloo.solo.io.EncryptionKeySecret",
            format!("{{key: {key}}}"),
            format!("encryption: {{key: {key}}}"),
        ),
        (
            "gloo.solo.io/header",
            format!("{{x-token: {key}}}"),
            format!("header: {{headers: {{x-token: {key}}}}}"),
        ),
        (
            "Opaque",
            format!("{{x-token: {key}}}"),
            format!("header: {{headers: {{x-token: {key}}}}}"),
        ),
    ] {
        let secret = kubernetes_secret(kind, &data).unwrap();
        let object = object("secrets/default/a.yaml", &bare);
        assert_eq!(object.spec, Spec::Secret(secret.clone()), "{kind}");
        let shown = format!("{secret:?} {object:?}");
        assert!(!shown.contains("very-secret"), "{shown}");
    }
}

#[test]
fn secrets_of_the_legacy_form_are_gloo_s_own_under_their_names() {
    let legacy = |data: &str| {
        let text = format!(
            "{{apiVersion: v1, kind: Secret, metadata: {{name: a, annotations: {{resource_kind: '*v1.Secret'}}}}, stringData: {data}}}"
        );
        parse("a.yaml", &text).remove(0)
    };
    let keys = "{accessKey: AKIDEXAMPLE, secretKey: very-secret}";
    let Parsed::Object(object) = legacy(&format!("{{aws: '{keys}'}}")) else {
        panic!("not read");
    };
    let bare = self::object("secrets/default/a.yaml", &format!("aws: {keys}"));
    assert_eq!(object.spec, bare.spec);
    let Parsed::Rejected { problems, .. } = legacy("{oauth: '{secret: very-secret}'}") else {
        panic!("read");
    };
    let told: Vec<_> = problems.iter().map(|it| (&*it.field, &*it.text)).collect();
    assert_eq!(
        told,
        [
            ("data.oauth.clientSecret", "is required"),
            ("data.oauth.secret", "unknown field"),
        ]
    );
}

#[test]
fn opaque_secrets_that_can_be_no_headers_are_somebody_else_s() {
    for data in ["{}", "{'a b': c}", r#"{a: "b\nc"}"#] {
        assert_eq!(kubernetes_secret("Opaque", data), None, "{data}");
    }
    assert_eq!(kubernetes_secret("kubernetes.io/dockercfg", "{a: b}"), None);
}

#[test]
fn faults_of_secrets_do_not_show_them() {
    for (path, text) in [
        (
            "secrets/a/b.yaml",
            "aws: {accessKey: [very-secret], secretKey: very-secret}",
        ),
        (
            "secrets/a/b.yaml",
            "aws: {accessKey: 'very-secret very-secret', secretKey: x}",
        ),
        (
            "secrets/a/b.yaml",
            "tls: {certChain: very-secret, privateKey: very-secret}",
        ),
        ("secrets/a/b.yaml", "encryption: {key: very-secret}"),
        ("secrets/a/b.yaml", "apiKey: {apiKey: [very-secret]}"),
        (
            "secrets/a/b.yaml",
            "credentials: {username: '', password: very-secret}",
        ),
        (
            "a.yaml",
            "{apiVersion: v1, kind: Secret, metadata: {name: a}, data: {aws_access_key_id: very-secret}}",
        ),
    ] {
        let parsed = one(path, text);
        assert!(matches!(parsed, Parsed::Rejected { .. }), "{text}");
        assert!(!format!("{parsed:?}").contains("very-secret"), "{parsed:?}");
    }
}

#[test]
fn the_gateway_that_gloo_installs_is_read() {
    let text = "
apiVersion: gateway.solo.io/v1
kind: Gateway
metadata: {name: gateway-proxy, namespace: gloo-system}
spec:
  bindAddress: '::'
  bindPort: 8080
  httpGateway: {}
  proxyNames: [gateway-proxy]
  ssl: false
  useProxyProto: false
";
    assert!(matches!(object("x.yaml", text).spec, Spec::Gateway(_)));
    let unsupported = text.replace("useProxyProto: false", "useProxyProto: true");
    let Spec::Gateway(gateway) = object("x.yaml", &unsupported).spec else {
        panic!("no gateway");
    };
    assert!(gateway.use_proxy_proto);
}

#[test]
fn a_message_that_is_not_supported_is_refused_even_if_it_is_empty() {
    let route = |action: &str| {
        format!(
            "{{apiVersion: gateway.solo.io/v1, kind: VirtualService, metadata: {{name: web}}, spec: {{virtualHost: \
             {{routes: [{{{action}}}]}}}}}}"
        )
    };
    assert_eq!(
        problems(&route("graphqlApiRef: {}")),
        [
            "spec.virtualHost.routes[0]: expected one of routeAction, redirectAction, directResponseAction, delegateAction",
            "spec.virtualHost.routes[0].graphqlApiRef: is not supported yet"
        ]
    );
}

#[test]
fn headers_that_envoy_would_refuse_with_the_whole_table_are_refused_here() {
    let route = |header: &str, times: usize| {
        let headers = vec![header; times].join(", ");
        problems(&format!(
            "{{apiVersion: gateway.solo.io/v1, kind: VirtualService, metadata: {{name: web}}, spec: {{virtualHost: {{options: \
             {{headerManipulation: {{responseHeadersToAdd: [{headers}]}}}}}}}}}}"
        ))
    };
    let long = "x".repeat(16_385);
    let at = "spec.virtualHost.options.headerManipulation.responseHeadersToAdd";
    let too_long = "has 16385 bytes; at most 16384 are possible";
    assert_eq!(
        route(&format!("{{header: {{key: a, value: {long}}}}}"), 1),
        [format!("{at}[0].header.value: {too_long}")]
    );
    assert_eq!(
        route(&format!("{{header: {{key: {long}}}}}"), 1),
        [format!("{at}[0].header.key: {too_long}")]
    );
    assert_eq!(
        route("{header: {key: a, value: b}}", 1_000),
        [format!("{at}: has 1000 headers; at most 990 are possible")]
    );
}

#[test]
fn what_is_there_twice_is_told_at_its_list() {
    let twice = |kind: &str, spec: &str| {
        problems(&format!(
            "{{apiVersion: {kind}, metadata: {{name: web}}, spec: {spec}}}"
        ))
    };
    assert_eq!(
        twice(
            "gateway.solo.io/v1, kind: VirtualService",
            "{virtualHost: {domains: [a.com, b.com, A.com]}}"
        ),
        ["spec.virtualHost.domains: \"a.com\" is there more than once"]
    );
    assert_eq!(
        twice(
            "gloo.solo.io/v1, kind: Upstream",
            "{aws: {region: r, lambdaFunctions: [{logicalName: f, lambdaFunctionName: g}, {logicalName: f, lambdaFunctionName: h}]}}"
        ),
        ["spec.aws.lambdaFunctions: \"f\" is there more than once"]
    );
}

#[test]
fn options_of_their_own_are_read_in_both_forms() {
    for (folder, name, options) in [
        ("routeoptions", "RouteOption", "timeout: 1s"),
        (
            "virtualhostoptions",
            "VirtualHostOption",
            "includeRequestAttemptCount: true",
        ),
        (
            "listeneroptions",
            "ListenerOption",
            "perConnectionBufferLimitBytes: 1024",
        ),
        ("httplisteneroptions", "HttpListenerOption", "gzip: {}"),
    ] {
        let bare = object(
            &format!("{folder}/apps/one.yaml"),
            &format!("options: {{{options}}}"),
        );
        let wrapped = object(
            "x.yaml",
            &format!(
                "{{apiVersion: gateway.solo.io/v1, kind: {name}, metadata: {{name: one, namespace: apps}}, spec: {{options: {{{options}}}}}}}"
            ),
        );
        assert_eq!(bare, wrapped, "{name}");
        assert_eq!(bare.key.kind.to_string(), name);
        let Schema::Object(schema) = crate::schema::schema(bare.key.kind) else {
            panic!("{name}");
        };
        let fields: Vec<_> = schema.fields.iter().map(|field| field.name).collect();
        assert_eq!(fields, ["options", "targetRefs"], "{name}");
    }
}
