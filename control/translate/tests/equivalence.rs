//! An edit derives what depends on it; it has to come to what a translation of everything comes to, byte for byte.
//!
//! Random scripts of edits go to three translators: one takes each batch as it is, one takes it in another order, and one
//! derives everything anew each time ([`Translator::apply_anew`]), knowing of the past only the last good forms. At the
//! end of a script all that is broken is repaired, and a translator without a past has to agree too.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use envoy_types::pb::envoy::config::route::v3::VirtualHost;
use proptest::collection::vec;
use proptest::prelude::*;
use prost::Message;
use tenon_model::{Kind, Object, ObjectKey, Parsed, Problem, parse};
use tenon_translate::{
    Change, GenericSecret, Instance, Lookup, Module, Part, Resource, ResourceId, ResourceType,
    Status, Translator, TranslatorOptions, Trial, Trials, Tried, Update,
};

/// Names of objects of a kind.
const NAMES: u8 = 3;

/// One edit.
#[derive(Debug, Clone)]
enum Edit {
    /// A form of an object: which kind, which name, which form; some forms cannot be parsed.
    Write(usize, u8, usize),
    Delete(usize, u8),
    /// Envoy's words on the resource of this number.
    Verdict(usize, bool),
    /// An Envoy refuses a form of a route table: the one of this number, of all that were told.
    Refused(usize),
    /// An Envoy has accepted the resource of this number.
    Accepted(usize),
    /// An Envoy has answered to everything.
    Settled,
    /// Whether an Envoy is connected, of the proxy that the resource of this number is for.
    Connected(usize, bool),
    /// What became of the credentials of this number.
    Credentials(usize, bool),
    /// What came of the lookup of this number: nothing newer, or one of a few answers, and whether there is a problem.
    Found(usize, Option<u8>, bool),
}

/// A kind of objects, and what may be written of one; `NAME` is replaced by its name.
struct Forms {
    folder: &'static str,
    namespace: &'static str,
    forms: &'static [&'static str],
    /// A form that depends on nothing.
    repaired: &'static str,
}

const FORMS: &[Forms] = &[
    Forms {
        folder: "upstreams",
        namespace: "default",
        forms: &[
            "static: {hosts: [{addr: 127.0.0.1, port: 8081}]}",
            "static: {hosts: [{addr: 127.0.0.1, port: 8082}], useTls: true}",
            "static: {hosts: [{addr: NAME.test, port: 8082}]}\nsslConfig: {secretRef: {name: n0}}",
            "static: {hosts: [{addr: NAME.test, port: 8083}]}\nsslConfig: {sds: {clusterName: n2_default, validationContextName: ca}}",
            "aws: {region: us-east-1, secretRef: {name: n0}, lambdaFunctions: [{logicalName: crop, lambdaFunctionName: crop}]}",
            "aws: {region: us-east-1, secretRef: {name: n1}, lambdaFunctions: [{logicalName: crop, lambdaFunctionName: crop2}, {logicalName: thumb, lambdaFunctionName: thumb}]}",
            "aws: {region: eu-west-1, lambdaFunctions: [{logicalName: thumb, lambdaFunctionName: thumb}]}",
            "azure: {functionAppName: app, secretRef: {name: n2}, functions: [{functionName: crop, authLevel: Function}]}",
            "kube: {serviceName: n0, servicePort: 80, selector: {app: a}}",
            "kube: {serviceName: n1, serviceNamespace: default, servicePort: 81, subsetSpec: {selectors: [{keys: [app]}]}}",
            "awsEc2: {region: us-east-1, secretRef: {name: n0}, filters: [{key: team}]}",
            "awsEc2: {region: eu-west-1, secretRef: {name: n1}}",
            "consul: {serviceName: web, instanceTags: [a]}",
            "consul: {serviceName: NAME, subsetTags: [a], dataCenters: [dc1]}",
            "static: {hosts: [{addr: 127.0.0.1, port: 0}]}",
            "nonsense: 1",
        ],
        repaired: "static: {hosts: [{addr: 127.0.0.1, port: 8081}]}",
    },
    Forms {
        folder: "secrets",
        namespace: "default",
        forms: &[
            "aws: {accessKey: AKID, secretKey: secret}",
            "aws: {accessKey: OTHER, secretKey: secret}",
            "tls: {rootCa: CERTIFICATE_1}",
            "tls: {rootCa: CERTIFICATE_2}",
            "azure: {apiKeys: {crop: key}}",
            "tls: {certChain: CERTIFICATE_1, privateKey: KEY_1}",
            "tls: {certChain: CERTIFICATE_1, privateKey: KEY_1, rootCa: CERTIFICATE_1}",
            "aws: {accessKey: 1}",
        ],
        repaired: "aws: {accessKey: AKID, secretKey: secret}",
    },
    Forms {
        folder: "virtualservices",
        namespace: "default",
        forms: &[
            "virtualHost: {domains: [NAME.example.com], routes: [{routeAction: {single: {upstream: {name: n0}}}}]}",
            "virtualHost: {domains: [NAME.example.com, n0.example.com], routes: [{matchers: [{prefix: /a}, {exact: /b}], routeAction: {single: {upstream: {name: n1}}}}]}",
            "virtualHost: {domains: ['*.example.com', n1.example.com], routes: [{routeAction: {single: {upstream: {name: n0}, destinationSpec: {aws: {logicalName: crop}}}}}]}",
            "virtualHost: {routes: [{routeAction: {single: {upstream: {name: n1}, destinationSpec: {aws: {logicalName: thumb}}}}}]}",
            "virtualHost: {domains: [n2.example.com], routes: [{routeAction: {single: {upstream: {name: n2}, destinationSpec: {azure: {functionName: crop}}}}}]}",
            "virtualHost: {domains: [NAME.example.com], routes: [{routeAction: {multi: {destinations: [{weight: 1, destination: {upstream: {name: n0}}}, {weight: 2, destination: {upstream: {name: n1}, destinationSpec: {aws: {logicalName: crop}}}}]}}}]}",
            "virtualHost: {domains: [NAME.example.com], routes: [{routeAction: {single: {upstream: {name: n2}}}, options: {stagedTransformations: {early: {requestTransforms: [{requestTransformation: {transformationTemplate: {headers: {x-a: {text: a}}}}}]}}}}]}",
            "virtualHost: {domains: [NAME.example.com], routes: [{directResponseAction: {status: 200}}, {matchers: [{prefix: /x}], routeAction: {single: {upstream: {name: n1}}}, options: {shadowing: {upstream: {name: n2}, percentage: 50}}}]}",
            "sslConfig: {secretRef: {name: n0}, sniDomains: [NAME.example.com]}\nvirtualHost: {domains: [NAME.example.com], routes: [{directResponseAction: {status: 200}}]}",
            "sslConfig: {secretRef: {name: n1}, sniDomains: [NAME.example.com, n1.example.com]}\nvirtualHost: {domains: [NAME.example.com, n1.example.com], routes: [{routeAction: {single: {upstream: {name: n1}}}}]}",
            "sslConfig: {sslFiles: {tlsCert: /a, tlsKey: /b}}\nvirtualHost: {domains: [NAME.example.com], routes: [{routeAction: {single: {upstream: {name: n0}, destinationSpec: {aws: {logicalName: crop}}}}}]}",
            "metadata: {labels: {tier: a}}\nvirtualHost: {domains: [NAME.example.com], routes: [{directResponseAction: {status: 200}}]}",
            "virtualHost: {domains: [NAME.example.com], routes: [{matchers: [{prefix: /x}], directResponseAction: {status: 200}}, {routeAction: {clusterHeader: x-to}}]}",
            "virtualHost: {domains: [NAME.example.com], routes: [{delegateAction: {ref: {name: n0}}}, {matchers: [{prefix: /b}], delegateAction: {selector: {labels: {team: a}}}}]}",
            "virtualHost: {domains: [n1.example.com], routes: [{matchers: [{prefix: /a}], options: {hostRewrite: example.com}, delegateAction: {selector: {expressions: [{key: team, operator: Exists}]}}}, {directResponseAction: {status: 200}}]}",
            "virtualHost: {domains: [NAME.example.com], routes: [{routeAction: {single: {kube: {ref: {name: n0}, port: 80}}}}]}",
            "virtualHost: {domains: [NAME.example.com], routes: [{routeAction: {multi: {destinations: [{weight: 1, destination: {kube: {ref: {name: n0}, port: 80}}}, {weight: 1, destination: {kube: {ref: {name: n1}, port: 81}}}]}}}]}",
            "virtualHost: {domains: [NAME.example.com], routes: [{routeAction: {upstreamGroup: {name: n0}}}, {matchers: [{prefix: /x}], routeAction: {dynamicForwardProxy: {hostRewrite: example.com}}}]}",
            "virtualHost: {domains: [n2.example.com], routes: [{options: {hostRewrite: example.com}, routeAction: {upstreamGroup: {name: n1}}}, {matchers: [{prefix: /x}], routeAction: {single: {kube: {ref: {name: NAME}, port: 80}}}}]}",
            "virtualHost: {domains: [NAME.example.com], routes: [{routeAction: {single: {consul: {serviceName: web}}}}]}",
            "virtualHost: {domains: [NAME.example.com], routes: [{routeAction: {multi: {destinations: [{weight: 1, destination: {consul: {serviceName: web, tags: [a]}}}, {weight: 1, destination: {consul: {serviceName: NAME, dataCenters: [dc1]}}}]}}}]}",
            "virtualHost: {domains: [NAME.example.com], optionsConfigRefs: {delegateOptions: [{name: n0}, {name: n1}]}, routes: [{optionsConfigRefs: {delegateOptions: [{name: n1}, {name: n0}]}, routeAction: {single: {upstream: {name: n0}}}}, {matchers: [{prefix: /a}], delegateAction: {ref: {name: n1}}}]}",
            "virtualHost: {domains: [n2.example.com], routes: [{options: {timeout: 9s}, optionsConfigRefs: {delegateOptions: [{name: n2}]}, delegateAction: {selector: {labels: {team: a}}}}, {matchers: [{prefix: /x}], optionsConfigRefs: {delegateOptions: [{name: NAME}]}, routeAction: {single: {upstream: {name: n1}, destinationSpec: {aws: {logicalName: crop}}}}}]}",
            "virtualHost: {domains: [NAME.example.com], routes: [{nonsense: 1}]}",
        ],
        repaired: "virtualHost: {domains: [NAME.example.com], routes: [{directResponseAction: {status: 200}}]}",
    },
    Forms {
        folder: "routetables",
        namespace: "default",
        forms: &[
            "metadata: {labels: {team: a}}\nroutes: [{matchers: [{prefix: /a}], routeAction: {single: {upstream: {name: n0}}}}, {matchers: [{prefix: /b}], directResponseAction: {status: 200, body: NAME}}]",
            "metadata: {labels: {team: b}}\nweight: 1\nroutes: [{matchers: [{prefix: /a}], routeAction: {single: {upstream: {name: n1}, destinationSpec: {aws: {logicalName: crop}}}}}]",
            "metadata: {labels: {team: a}}\nroutes: [{matchers: [{prefix: /a/b}], delegateAction: {ref: {name: n0}}}, {matchers: [{prefix: /b}], delegateAction: {ref: {name: n1}}}]",
            "routes: [{matchers: [{prefix: /b}], delegateAction: {selector: {labels: {team: a}}}}, {matchers: [{prefix: /b/NAME}], directResponseAction: {status: 201}}]",
            "metadata: {labels: {team: a}}\nroutes: [{matchers: [{prefix: /b}], routeAction: {single: {upstream: {name: n2}, destinationSpec: {azure: {functionName: crop}}}}}, {matchers: [{exact: /b}], delegateAction: {ref: {name: n2}}}]",
            "metadata: {labels: {team: a}}\nroutes: [{matchers: [{prefix: /a}], routeAction: {upstreamGroup: {name: n1}}}]",
            "metadata: {labels: {team: a}}\nroutes: [{matchers: [{prefix: /a}], optionsConfigRefs: {delegateOptions: [{name: n0}]}, routeAction: {single: {upstream: {name: n0}}}}, {matchers: [{prefix: /a/NAME}], optionsConfigRefs: {delegateOptions: [{name: n2}, {name: n1}]}, delegateAction: {ref: {name: n1}}}]",
            "routes: [{nonsense: 1}]",
        ],
        repaired: "routes: [{matchers: [{prefix: /a}], directResponseAction: {status: 200}}]",
    },
    Forms {
        folder: "upstreamgroups",
        namespace: "default",
        forms: &[
            "destinations: [{weight: 1, destination: {upstream: {name: n0}}}, {weight: 2, destination: {upstream: {name: n1}}}]",
            "destinations: [{weight: 1, destination: {upstream: {name: n1}, destinationSpec: {aws: {logicalName: crop}}}}, {weight: 1, destination: {upstream: {name: NAME}}}]",
            "destinations: [{weight: 1, destination: {upstream: {name: n2}, destinationSpec: {azure: {functionName: crop}}}}]",
            "destinations: [{weight: 1, destination: {consul: {serviceName: web, tags: [a]}}}]",
            "destinations: [{weight: 0, destination: {upstream: {name: n2}}}]",
        ],
        repaired: "destinations: [{weight: 1, destination: {upstream: {name: n0}}}]",
    },
    Forms {
        folder: "gateways",
        namespace: "gloo-system",
        forms: &[
            "{bindAddress: '::', bindPort: 8080, httpGateway: {}}",
            "{bindAddress: '::', bindPort: 8080, proxyNames: [edge], httpGateway: {}}",
            "{bindAddress: '::', bindPort: 8081, proxyNames: [edge, gateway-proxy], httpGateway: {virtualServices: [{name: n0, namespace: default}, {name: n2, namespace: default}]}}",
            "{bindAddress: '::', bindPort: 8082, httpGateway: {virtualServices: [{name: n1, namespace: default}]}, options: {accessLoggingService: {accessLog: [{fileSink: {path: /tmp/log}}]}}}",
            "{bindAddress: '::', bindPort: 8443, ssl: true, httpGateway: {}}",
            "{bindAddress: '::', bindPort: 8443, ssl: true, proxyNames: [edge], httpGateway: {virtualServices: [{name: n0, namespace: default}, {name: n1, namespace: default}]}}",
            "{bindAddress: '::', bindPort: 8083, httpGateway: {virtualServiceSelector: {tier: a}}}",
            "{bindAddress: '::', bindPort: 8084, proxyNames: [edge], tcpGateway: {tcpHosts: [{name: a, sslConfig: {secretRef: {name: n0, namespace: default}, sniDomains: [a.example.com]}, destination: {single: {upstream: {name: n0, namespace: default}}}}, {name: b, sslConfig: {sslFiles: {tlsCert: /a, tlsKey: /b}, sniDomains: [b.example.com]}, destination: {upstreamGroup: {name: n1, namespace: default}}}]}}",
            "{bindAddress: '::', bindPort: 8085, proxyNames: [edge], tcpGateway: {tcpHosts: [{name: a, destination: {forwardSniClusterName: {}}}]}}",
            "{bindAddress: '::', bindPort: 8086, proxyNames: [edge], httpGateway: {virtualServices: [{name: n1, namespace: default}]}, options: {accessLoggingService: {accessLog: [{grpcService: {logName: a, staticClusterName: n1_default}}]}}}",
            "{bindPort: none, httpGateway: {}}",
        ],
        repaired: "{bindAddress: '::', bindPort: 8080, httpGateway: {}}",
    },
    Forms {
        folder: "settings",
        namespace: "gloo-system",
        forms: &[
            "gloo: {awsOptions: {propagateOriginalRouting: true}}",
            "gloo: {awsOptions: {fallbackToFirstFunction: true}, circuitBreakers: {maxConnections: 5}}",
            "gloo: {transformationEscapeCharacters: true}",
            "gloo: {disableKubernetesDestinations: true}",
            "gateway: {isolateVirtualHostsBySslConfig: true, virtualServiceOptions: {oneWayTls: true}}",
            "consul: {httpAddress: 'consul:8500', serviceDiscovery: {dataCenters: [dc1, dc2]}}\nconsulDiscovery: {queryOptions: {useCache: false}}",
            "gloo: 1",
        ],
        repaired: "gloo: {awsOptions: {propagateOriginalRouting: true}}",
    },
    Forms {
        folder: "services",
        namespace: "default",
        forms: &[
            "{apiVersion: v1, kind: Service, metadata: {name: NAME}, spec: {ports: [{port: 80}]}}",
            "{apiVersion: v1, kind: Service, metadata: {name: NAME}, spec: {ports: [{name: a, port: 80, appProtocol: grpc}, {name: b, port: 81}]}}",
            "{apiVersion: v1, kind: Service, metadata: {name: NAME}, spec: {selector: {app: a}, ports: [{name: a, port: 81}]}}",
            "{apiVersion: v1, kind: Service, metadata: {name: NAME, annotations: {gloo.solo.io/sslService.secret: n0}}, spec: {ports: [{port: 80}, {name: b, port: 81}]}}",
            "{apiVersion: v1, kind: Service, metadata: {name: NAME, annotations: {gloo.solo.io/sslService.tlsCert: ./x}}, spec: {ports: [{port: 80}]}}",
            "{apiVersion: v1, kind: Service, metadata: {name: NAME}, spec: {ports: [{port: none}]}}",
        ],
        repaired: "{apiVersion: v1, kind: Service, metadata: {name: NAME}, spec: {ports: [{port: 80}]}}",
    },
    Forms {
        folder: "slices",
        namespace: "default",
        forms: &[
            "{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: NAME, labels: {kubernetes.io/service-name: n0}}, ports: [{name: '', port: 8080}], endpoints: [{addresses: [10.0.0.1]}]}",
            "{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: NAME, labels: {kubernetes.io/service-name: n1}}, ports: [{name: b, port: 8080}], endpoints: [{addresses: [10.0.0.2]}, {addresses: [10.0.0.3], zone: z}]}",
            "{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: NAME, labels: {kubernetes.io/service-name: n0}}, ports: [{name: a, port: 8080}], endpoints: [{addresses: [10.0.0.1], targetRef: {kind: Pod, namespace: default, name: n0}}]}",
            "{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: NAME}, endpoints: [{addresses: [none]}]}",
        ],
        repaired: "{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: NAME}}",
    },
    Forms {
        folder: "endpoints",
        namespace: "default",
        forms: &[
            "{apiVersion: v1, kind: Endpoints, metadata: {name: NAME}, subsets: [{addresses: [{ip: 10.0.1.1}], ports: [{port: 8080}]}]}",
            "{apiVersion: v1, kind: Endpoints, metadata: {name: NAME}, subsets: [{addresses: [{ip: 10.0.1.1}, {ip: 'fd00::1'}], ports: [{name: a, port: 8080}, {name: b, port: 8081}]}]}",
            "{apiVersion: v1, kind: Endpoints, metadata: {name: NAME}}",
            "{apiVersion: v1, kind: Endpoints, metadata: {name: NAME}, subsets: [{addresses: [{}]}]}",
        ],
        repaired: "{apiVersion: v1, kind: Endpoints, metadata: {name: NAME}}",
    },
    Forms {
        folder: "pods",
        namespace: "default",
        forms: &[
            "{apiVersion: v1, kind: Pod, metadata: {name: NAME, labels: {app: a}}, status: {podIP: 10.0.0.1}}",
            "{apiVersion: v1, kind: Pod, metadata: {name: NAME, labels: {app: b}}, status: {podIP: 10.0.0.3}}",
            "{apiVersion: v1, kind: Pod, metadata: {name: NAME}, status: {phase: Running}}",
            "{apiVersion: v1, kind: Pod, metadata: {name: NAME}, status: {podIP: none}}",
        ],
        repaired: "{apiVersion: v1, kind: Pod, metadata: {name: NAME}}",
    },
    Forms {
        folder: "routeoptions",
        namespace: "default",
        forms: &[
            "options: {timeout: 1s}",
            "options: {hostRewrite: NAME.example.com, timeout: 2s}",
            "options: {prefixRewrite: /NAME, extauth: {customAuth: {}}}",
            "options: {stagedTransformations: {inheritTransformation: true, early: {requestTransforms: [{requestTransformation: {transformationTemplate: {headers: {x-a: {text: NAME}}}}}]}}}",
            "{targetRefs: [{group: gateway.networking.k8s.io, kind: HTTPRoute, name: n0}]}",
            "metadata: {creationTimestamp: 2026-01-01T00:00:00Z}\noptions: {timeout: 3s, idleTimeout: 4s}\ntargetRefs: [{group: gateway.networking.k8s.io, kind: HTTPRoute, name: n0}, {group: gateway.networking.k8s.io, kind: HTTPRoute, name: n1}]",
            "options: {stagedTransformations: {early: {requestTransforms: [{clearRouteCache: true, requestTransformation: {transformationTemplate: {headers: {\":authority\": {text: n2.example.com}}, passthrough: {}}}}]}}}",
            "options: {timeout: 5s, extauth: {customAuth: {}}}\ntargetRefs: [{group: gateway.networking.k8s.io, kind: HTTPRoute, name: NAME}, {group: gateway.networking.k8s.io, kind: HTTPRoute, name: n2}]",
            "options: {timeout: soon}",
        ],
        repaired: "options: {timeout: 1s}",
    },
    Forms {
        folder: "virtualhostoptions",
        namespace: "default",
        forms: &[
            "options: {includeRequestAttemptCount: true}",
            "options: {retries: {retryOn: 5xx}, csrf: {filterEnabled: {defaultValue: {numerator: 100}}}}",
            "options: {extauth: {customAuth: {}}}",
            "metadata: {creationTimestamp: 2026-01-01T00:00:00Z}\noptions: {includeRequestAttemptCount: true}\ntargetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: n0}, {group: gateway.networking.k8s.io, kind: Gateway, name: n1, sectionName: wild}]",
            "options: {includeRequestAttemptCount: true, retries: {retryOn: 5xx}}\ntargetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: n0, sectionName: http}, {group: gateway.networking.k8s.io, kind: Gateway, name: n1}]",
            "options: {extauth: {customAuth: {}}}\ntargetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: n0}]",
            "options: {includeRequestAttemptCount: true}\ntargetRefs: [{group: gateway.networking.k8s.io, kind: ListenerSet, name: n0, sectionName: wild}, {group: gateway.networking.k8s.io, kind: ListenerSet, name: n1}]",
            "options: {nonsense: 1}",
        ],
        repaired: "options: {includeRequestAttemptCount: true}",
    },
    Forms {
        folder: "listeneroptions",
        namespace: "default",
        forms: &[
            "options: {perConnectionBufferLimitBytes: 4096}\ntargetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: n0}]",
            "metadata: {creationTimestamp: 2026-01-01T00:00:00Z}\noptions: {perConnectionBufferLimitBytes: 8192}\ntargetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: n0, sectionName: http}, {group: gateway.networking.k8s.io, kind: Gateway, name: n1}]",
            "options: {tcpStats: true}\ntargetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: n1, sectionName: one}]",
            "options: {tcpStats: true}\ntargetRefs: [{group: gateway.networking.k8s.io, kind: ListenerSet, name: n0}, {group: gateway.networking.k8s.io, kind: Gateway, name: n0}]",
            "options: {tcpStats: 1}",
        ],
        repaired: "options: {tcpStats: true}",
    },
    Forms {
        folder: "httplisteneroptions",
        namespace: "default",
        forms: &[
            "options: {httpConnectionManagerSettings: {serverName: NAME}}\ntargetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: n0}, {group: gateway.networking.k8s.io, kind: Gateway, name: n1, sectionName: wild}]",
            "metadata: {creationTimestamp: 2026-01-01T00:00:00Z}\noptions: {gzip: {memoryLevel: 5}}\ntargetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: n0}, {group: gateway.networking.k8s.io, kind: Gateway, name: n1}]",
            "options: {extauth: {extauthzServerRef: {name: n2, namespace: default}}}\ntargetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: n0, sectionName: http}]",
            "options: {gzip: 1}",
        ],
        repaired: "options: {gzip: {memoryLevel: 5}}",
    },
    Forms {
        folder: "httproutes",
        namespace: "default",
        forms: &[
            "{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: NAME}, spec: {parentRefs: [{name: n0}], hostnames: [NAME.example.com], rules: [{backendRefs: [{name: n0, kind: Upstream, group: gloo.solo.io}]}]}}",
            "{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: NAME, creationTimestamp: 2026-01-01T00:00:00Z, generation: 2}, spec: {parentRefs: [{name: n0}, {name: n1}], rules: [{matches: [{path: {value: /a}}, {path: {type: Exact, value: /b}}], backendRefs: [{name: n1, kind: Upstream, group: gloo.solo.io}, {name: n0, port: 80, weight: 3}]}, {backendRefs: [{name: n2, kind: Upstream, group: gloo.solo.io}]}]}}",
            "{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: NAME}, spec: {parentRefs: [{name: n1, sectionName: wild}], hostnames: [\"*.example.com\", n1.example.com], rules: [{backendRefs: [{name: n1, port: 81}]}]}}",
            "{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: NAME}, spec: {parentRefs: [{name: n1}, {name: n2, port: 8081}], hostnames: [n0.example.com, a.example.org], rules: [{matches: [{method: GET}, {headers: [{name: x-a, value: b}]}], backendRefs: [{name: n0, kind: Upstream, group: gloo.solo.io, namespace: other}]}]}}",
            "{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: NAME}, spec: {parentRefs: [{name: n2}], rules: [{backendRefs: [{name: n0, port: 80, namespace: other, weight: 2}, {name: n1, kind: Upstream, group: gloo.solo.io, weight: 0}]}]}}",
            "{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: NAME}, spec: {rules: [{backendRefs: [{name: n0}]}]}}",
            "{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: NAME}, spec: {parentRefs: [{kind: ListenerSet, name: n0}, {name: n0}, {kind: ListenerSet, name: n1, sectionName: wild}], rules: [{backendRefs: [{name: n0, kind: Upstream, group: gloo.solo.io}]}]}}",
            "{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: NAME}, spec: {parentRefs: [{kind: ListenerSet, name: n2}], hostnames: [a.example.com], rules: [{backendRefs: [{name: n1, kind: Upstream, group: gloo.solo.io}]}]}}",
            "{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: NAME, creationTimestamp: 2025-06-01T00:00:00Z}, spec: {parentRefs: [{name: n0}, {name: n1, sectionName: one}], hostnames: [n1.example.com, n0.example.com], rules: [{filters: [{type: ExtensionRef, extensionRef: {group: tenon.dev, kind: FunctionCall, name: n0}}], backendRefs: [{name: n0, kind: Upstream, group: gloo.solo.io}]}, {matches: [{path: {value: /d}}], filters: [{type: ExtensionRef, extensionRef: {group: gateway.gloo.solo.io, kind: DirectResponse, name: n1}}]}]}}",
            "{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: NAME}, spec: {parentRefs: [{name: n0}], rules: [{filters: [{type: ExtensionRef, extensionRef: {group: example.com, kind: A, name: b}}], backendRefs: [{name: n0, kind: Upstream, group: gloo.solo.io}]}, {matches: [{path: {value: /x}}], backendRefs: [{name: n0, kind: Upstream, group: gloo.solo.io}]}]}}",
            "{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: NAME}, spec: {parentRefs: [{name: n0}], rules: [{matches: [{path: {value: /a}}], backendRefs: [{group: gateway.networking.k8s.io, kind: HTTPRoute, name: n1}, {group: gateway.networking.k8s.io, kind: HTTPRoute, name: n2}]}]}}",
            "{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: NAME, labels: {delegation.gateway.solo.io/label: a}}, spec: {rules: [{matches: [{path: {value: /a/NAME}}], backendRefs: [{name: n0, kind: Upstream, group: gloo.solo.io}]}, {matches: [{path: {value: /a}}], backendRefs: [{group: gateway.networking.k8s.io, kind: HTTPRoute, name: n0}]}]}}",
            "{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: NAME, annotations: {delegation.gateway.solo.io/inherit-parent-matcher: \"yes\", delegation.gateway.solo.io/enable-policy-overrides: \"*\"}}, spec: {parentRefs: [{name: n0}, {group: gateway.networking.k8s.io, kind: HTTPRoute, name: n0}], rules: [{matches: [{path: {value: /x}}], backendRefs: [{group: delegation.gateway.solo.io, kind: label, name: a}]}, {backendRefs: [{name: n1, kind: Upstream, group: gloo.solo.io}]}]}}",
            "{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: NAME, generation: 3}, spec: {parentRefs: [{name: n0}], hostnames: [NAME.example.com, n1.example.com], rules: [{matches: [{path: {value: /f}}], backendRefs: [{name: n0, kind: Upstream, group: gloo.solo.io, filters: [{type: ExtensionRef, extensionRef: {group: gloo.solo.io, kind: Parameter, name: crop}}, {type: ExtensionRef, extensionRef: {group: gloo.solo.io, kind: Parameter, name: thumb}}]}, {name: n1, kind: Upstream, group: gloo.solo.io}]}, {backendRefs: [{name: n1, kind: Upstream, group: gloo.solo.io}]}]}}",
            "{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: NAME, generation: 4}, spec: {parentRefs: [{name: n0}], hostnames: [n0.example.com], rules: [{matches: [{path: {value: /c}}], backendRefs: [{name: n0, kind: Upstream, group: gloo.solo.io, filters: [{type: ExtensionRef, extensionRef: {group: gloo.solo.io, kind: Parameter, name: crop}}]}]}, {matches: [{path: {value: /d}}], backendRefs: [{name: n1, kind: Upstream, group: gloo.solo.io}]}]}}",
            "{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: NAME}, spec: {parentRefs: [{name: n0}], hostnames: [n1.example.com], rules: [{backendRefs: [{name: n1, kind: Upstream, group: gloo.solo.io, filters: [{type: ExtensionRef, extensionRef: {group: gloo.solo.io, kind: Parameter, name: thumb}}]}]}]}}",
            "{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: NAME, annotations: {delegation.gateway.solo.io/enable-policy-overrides: \"timeout, extauth\"}}, spec: {parentRefs: [{name: n0}], rules: [{matches: [{path: {value: /a}}], filters: [{type: ExternalAuth, externalAuth: {protocol: GRPC, grpc: {}, backendRef: {name: n0, port: 80}}}, {type: ExternalAuth, externalAuth: {protocol: HTTP, http: {path: /NAME}, backendRef: {name: n1, kind: Upstream, group: gloo.solo.io}}}], backendRefs: [{group: gateway.networking.k8s.io, kind: HTTPRoute, name: n1}, {name: n0, port: 80}]}]}}",
            "{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: NAME}, spec: {parentRefs: [{name: n0}, {name: n1}], rules: [{backendRefs: [{name: n0, kind: Upstream, group: gloo.solo.io, filters: [{type: URLRewrite, urlRewrite: {path: {type: ReplaceFullPath, replaceFullPath: /x}}}, {type: ExtensionRef, extensionRef: {group: gateway.solo.io, kind: RouteOption, name: n0}}]}, {name: n0, port: 80, weight: 3, filters: [{type: ExternalAuth, externalAuth: {protocol: HTTP, http: {}, backendRef: {name: n0, port: 80}}}]}]}]}}",
            "{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: NAME, labels: {delegation.gateway.solo.io/label: b}}, spec: {parentRefs: [{name: n0}], hostnames: [NAME.example.com], rules: [{filters: [{type: ExtensionRef, extensionRef: {group: gateway.solo.io, kind: RouteOption, name: n1}}], backendRefs: [{name: n0, kind: Upstream, group: gloo.solo.io}]}]}}",
        ],
        repaired: "{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: NAME}, spec: {parentRefs: [{name: n0}], hostnames: [NAME.example.com], rules: [{backendRefs: [{name: n0, kind: Upstream, group: gloo.solo.io}]}]}}",
    },
    Forms {
        folder: "grpcroutes",
        namespace: "default",
        forms: &[
            "{apiVersion: gateway.networking.k8s.io/v1, kind: GRPCRoute, metadata: {name: NAME}, spec: {parentRefs: [{name: n0}], rules: [{backendRefs: [{name: n0, port: 80}, {name: n1, kind: Upstream, group: gloo.solo.io}]}]}}",
            "{apiVersion: gateway.networking.k8s.io/v1, kind: GRPCRoute, metadata: {name: NAME}, spec: {parentRefs: [{name: n1}], hostnames: [NAME.example.com], rules: [{matches: [{method: {service: a.NAME}}], backendRefs: [{name: n1, port: 81}]}, {backendRefs: [{name: n2, port: 80}]}]}}",
            "{apiVersion: gateway.networking.k8s.io/v1, kind: GRPCRoute, metadata: {name: NAME}, spec: {parentRefs: [{name: n0}], hostnames: [NAME.example.com], rules: [{filters: [{type: RequestMirror, requestMirror: {backendRef: {name: n1, port: 80}}}], backendRefs: [{name: n1, kind: Upstream, group: gloo.solo.io}]}]}}",
            "{apiVersion: gateway.networking.k8s.io/v1, kind: GRPCRoute, metadata: {name: NAME}, spec: {rules: [{nonsense: 1}]}}",
        ],
        repaired: "{apiVersion: gateway.networking.k8s.io/v1, kind: GRPCRoute, metadata: {name: NAME}, spec: {parentRefs: [{name: n0}], rules: [{backendRefs: [{name: n0, port: 80}]}]}}",
    },
    Forms {
        folder: "kubernetesgateways",
        namespace: "default",
        forms: &[
            "{apiVersion: gateway.networking.k8s.io/v1, kind: Gateway, metadata: {name: NAME}, spec: {gatewayClassName: gloo-gateway, listeners: [{name: http, port: 80, protocol: HTTP}]}}",
            "{apiVersion: gateway.networking.k8s.io/v1, kind: Gateway, metadata: {name: NAME}, spec: {gatewayClassName: gloo-gateway, listeners: [{name: http, port: 8081, protocol: HTTP}, {name: wild, port: 8081, protocol: HTTP, hostname: \"*.example.com\"}, {name: one, port: 8081, protocol: HTTP, hostname: n0.example.com}]}}",
            "{apiVersion: gateway.networking.k8s.io/v1, kind: Gateway, metadata: {name: NAME}, spec: {gatewayClassName: gloo-gateway, listeners: [{name: wild, port: 80, protocol: HTTP, hostname: \"*.example.com\", allowedRoutes: {namespaces: {from: Selector, selector: {matchLabels: {team: a}}}}}, {name: other, port: 8080, protocol: HTTP}]}}",
            "{apiVersion: gateway.networking.k8s.io/v1, kind: Gateway, metadata: {name: NAME}, spec: {gatewayClassName: n0, listeners: [{name: http, port: 8082, protocol: HTTP, allowedRoutes: {kinds: [{kind: TCPRoute}]}}, {name: tls, port: 8082, protocol: HTTPS, tls: {certificateRefs: [{name: n0}]}}, {name: more, port: 8083, protocol: HTTP}]}}",
            "{apiVersion: gateway.networking.k8s.io/v1, kind: Gateway, metadata: {name: NAME}, spec: {gatewayClassName: gloo-gateway, listeners: [{name: http, port: 8084, protocol: HTTP}, {name: tcp, port: 8085, protocol: TCP}, {name: tls, port: 8086, protocol: TLS, hostname: \"*.example.com\", tls: {mode: Passthrough}}]}}",
            "{apiVersion: gateway.networking.k8s.io/v1, kind: Gateway, metadata: {name: NAME}, spec: {gatewayClassName: missing, listeners: [{name: http, port: 80, protocol: HTTP}]}}",
            "{apiVersion: gateway.networking.k8s.io/v1, kind: Gateway, metadata: {name: NAME}, spec: {gatewayClassName: gloo-gateway, allowedListeners: {namespaces: {from: Same}}, listeners: [{name: http, port: 80, protocol: HTTP}, {name: wild, port: 8081, protocol: HTTP, hostname: \"*.example.com\"}]}}",
            "{apiVersion: gateway.networking.k8s.io/v1, kind: Gateway, metadata: {name: NAME}, spec: {gatewayClassName: gloo-gateway, allowedListeners: {namespaces: {from: Selector, selector: {matchLabels: {team: a}}}}, listeners: [{name: tls, port: 8443, protocol: HTTPS, tls: {certificateRefs: [{name: n0}]}}, {name: tcp, port: 8090, protocol: TCP}]}}",
            "{apiVersion: gateway.networking.k8s.io/v1, kind: Gateway, metadata: {name: NAME}, spec: {gatewayClassName: gloo-gateway, listeners: []}}",
        ],
        repaired: "{apiVersion: gateway.networking.k8s.io/v1, kind: Gateway, metadata: {name: NAME}, spec: {gatewayClassName: gloo-gateway, listeners: [{name: http, port: 80, protocol: HTTP}]}}",
    },
    Forms {
        folder: "listenersets",
        namespace: "default",
        forms: &[
            "{apiVersion: gateway.networking.k8s.io/v1, kind: ListenerSet, metadata: {name: NAME}, spec: {parentRef: {name: n0}, listeners: [{name: wild, port: 8081, protocol: HTTP, hostname: \"*.NAME.example.com\"}]}}",
            "{apiVersion: gateway.networking.k8s.io/v1, kind: ListenerSet, metadata: {name: NAME, creationTimestamp: 2026-01-01T00:00:00Z, generation: 2}, spec: {parentRef: {name: n0}, listeners: [{name: http, port: 80, protocol: HTTP, hostname: n0.example.com}, {name: wild, port: 8081, protocol: HTTP}]}}",
            "{apiVersion: gateway.networking.k8s.io/v1, kind: ListenerSet, metadata: {name: NAME}, spec: {parentRef: {name: n1}, listeners: [{name: tcp, port: 80, protocol: TCP}, {name: tls, port: 8443, protocol: HTTPS, hostname: n0.example.com, tls: {certificateRefs: [{name: n0}]}}]}}",
            "{apiVersion: gateway.networking.x-k8s.io/v1alpha1, kind: XListenerSet, metadata: {name: NAME}, spec: {parentRef: {name: n1}, listeners: [{name: http, port: 80, protocol: HTTP}]}}",
            "{apiVersion: gateway.networking.k8s.io/v1, kind: ListenerSet, metadata: {name: NAME}, spec: {parentRef: {name: n0}, listeners: []}}",
        ],
        repaired: "{apiVersion: gateway.networking.k8s.io/v1, kind: ListenerSet, metadata: {name: NAME}, spec: {parentRef: {name: n0}, listeners: [{name: http, port: 8081, protocol: HTTP}]}}",
    },
    Forms {
        folder: "referencegrants",
        namespace: "other",
        forms: &[
            "{apiVersion: gateway.networking.k8s.io/v1, kind: ReferenceGrant, metadata: {name: NAME, namespace: other}, spec: {from: [{group: gateway.networking.k8s.io, kind: TCPRoute, namespace: default}], to: [{group: \"\", kind: Service}]}}",
            "{apiVersion: gateway.networking.k8s.io/v1beta1, kind: ReferenceGrant, metadata: {name: NAME, namespace: other}, spec: {from: [{group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: default}], to: [{group: \"\", kind: Service}]}}",
            "{apiVersion: gateway.networking.k8s.io/v1beta1, kind: ReferenceGrant, metadata: {name: NAME, namespace: other}, spec: {from: [{group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: default}], to: [{group: gloo.solo.io, kind: Upstream, name: n0}]}}",
            "{apiVersion: gateway.networking.k8s.io/v1beta1, kind: ReferenceGrant, metadata: {name: NAME, namespace: other}, spec: {}}",
        ],
        repaired: "{apiVersion: gateway.networking.k8s.io/v1beta1, kind: ReferenceGrant, metadata: {name: NAME, namespace: other}, spec: {from: [{group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: default}], to: [{group: \"\", kind: Service}]}}",
    },
    Forms {
        folder: "namespaces",
        namespace: "",
        forms: &[
            "{apiVersion: v1, kind: Namespace, metadata: {name: default, labels: {team: b}}}",
            "{apiVersion: v1, kind: Namespace, metadata: {name: default, labels: {team: 1}}}",
            "{apiVersion: v1, kind: Namespace, metadata: {name: default, labels: {team: a}}}",
            "{apiVersion: v1, kind: Namespace, metadata: {name: default}}",
        ],
        repaired: "{apiVersion: v1, kind: Namespace, metadata: {name: default, labels: {team: a}}}",
    },
    Forms {
        folder: "gatewayclasses",
        namespace: "",
        forms: &[
            "{apiVersion: gateway.networking.k8s.io/v1, kind: GatewayClass, metadata: {name: NAME, generation: 2}, spec: {controllerName: solo.io/gloo-gateway, description: ours}}",
            "{apiVersion: gateway.networking.k8s.io/v1, kind: GatewayClass, metadata: {name: NAME}, spec: {controllerName: solo.io/gloo-gateway}}",
            "{apiVersion: gateway.networking.k8s.io/v1, kind: GatewayClass, metadata: {name: NAME}, spec: {controllerName: example.com/other}}",
            "{apiVersion: gateway.networking.k8s.io/v1, kind: GatewayClass, metadata: {name: NAME}, spec: {controllerName: 1}}",
        ],
        repaired: "{apiVersion: gateway.networking.k8s.io/v1, kind: GatewayClass, metadata: {name: NAME}, spec: {controllerName: solo.io/gloo-gateway}}",
    },
    Forms {
        folder: "grpcroutes",
        namespace: "default",
        forms: &[
            "{apiVersion: gateway.networking.k8s.io/v1, kind: GRPCRoute, metadata: {name: NAME}, spec: {parentRefs: [{name: n0}], hostnames: [NAME.example.com], rules: [{backendRefs: [{name: n0, port: 80}]}]}}",
            "{apiVersion: gateway.networking.k8s.io/v1, kind: GRPCRoute, metadata: {name: NAME, creationTimestamp: 2026-01-01T00:00:00Z}, spec: {parentRefs: [{name: n0}, {name: n1}], rules: [{matches: [{method: {service: NAME, method: Get}}], backendRefs: [{name: n1, kind: Upstream, group: gloo.solo.io}]}]}}",
            "{apiVersion: gateway.networking.k8s.io/v1, kind: GRPCRoute, metadata: {name: NAME, creationTimestamp: 2025-01-01T00:00:00Z, generation: 3}, spec: {parentRefs: [{name: n1, sectionName: wild}, {name: n0}], hostnames: [\"*.example.com\"], rules: [{backendRefs: [{name: n1, port: 81}]}]}}",
            "{apiVersion: gateway.networking.k8s.io/v1, kind: GRPCRoute, metadata: {name: NAME}, spec: {parentRefs: [{name: n1, sectionName: one}, {name: n2, port: 8081}], rules: [{matches: [{headers: [{name: x-a, value: b}]}], filters: [{type: ExtensionRef, extensionRef: {group: gateway.solo.io, kind: RouteOption, name: n0}}], backendRefs: [{name: n0, port: 80, weight: 0}]}]}}",
            "{apiVersion: gateway.networking.k8s.io/v1, kind: GRPCRoute, metadata: {name: NAME}, spec: {parentRefs: 1}}",
        ],
        repaired: "{apiVersion: gateway.networking.k8s.io/v1, kind: GRPCRoute, metadata: {name: NAME}, spec: {parentRefs: [{name: n0}], hostnames: [NAME.example.com], rules: [{backendRefs: [{name: n0, port: 80}]}]}}",
    },
    Forms {
        folder: "tcproutes",
        namespace: "default",
        forms: &[
            "{apiVersion: gateway.networking.k8s.io/v1alpha2, kind: TCPRoute, metadata: {name: NAME}, spec: {parentRefs: [{name: n0}, {name: n2}], rules: [{backendRefs: [{name: n0, port: 80}, {name: n1, kind: Upstream, group: gloo.solo.io}]}]}}",
            "{apiVersion: gateway.networking.k8s.io/v1alpha2, kind: TCPRoute, metadata: {name: NAME, creationTimestamp: 2026-01-01T00:00:00Z}, spec: {parentRefs: [{name: n0, sectionName: tcp}, {name: n1}], rules: [{backendRefs: [{name: n0, port: 80, namespace: other}]}]}}",
            "{apiVersion: gateway.networking.k8s.io/v1alpha2, kind: TCPRoute, metadata: {name: NAME, generation: 2}, spec: {parentRefs: [{name: n0}], rules: [{backendRefs: [{name: missing, kind: Upstream, group: gloo.solo.io, weight: 2}, {name: n1, port: 80, weight: 0}]}]}}",
            "{apiVersion: gateway.networking.k8s.io/v1alpha2, kind: TCPRoute, metadata: {name: NAME}, spec: {rules: []}}",
        ],
        repaired: "{apiVersion: gateway.networking.k8s.io/v1alpha2, kind: TCPRoute, metadata: {name: NAME}, spec: {parentRefs: [{name: n0}], rules: [{backendRefs: [{name: n0, port: 80}]}]}}",
    },
    Forms {
        folder: "tlsroutes",
        namespace: "default",
        forms: &[
            "{apiVersion: gateway.networking.k8s.io/v1alpha2, kind: TLSRoute, metadata: {name: NAME}, spec: {parentRefs: [{name: n0}, {name: n2}], hostnames: [NAME.example.com], rules: [{backendRefs: [{name: n0, port: 80}]}]}}",
            "{apiVersion: gateway.networking.k8s.io/v1alpha2, kind: TLSRoute, metadata: {name: NAME, creationTimestamp: 2026-01-01T00:00:00Z}, spec: {parentRefs: [{name: n0}, {name: n1}], hostnames: [\"*.example.com\", n0.example.com], rules: [{backendRefs: [{name: n1, kind: Upstream, group: gloo.solo.io}]}]}}",
            "{apiVersion: gateway.networking.k8s.io/v1alpha2, kind: TLSRoute, metadata: {name: NAME, generation: 2}, spec: {parentRefs: [{name: n0, sectionName: tls}], hostnames: [n0.example.com], rules: [{backendRefs: [{name: n0, port: 80, namespace: other}]}]}}",
            "{apiVersion: gateway.networking.k8s.io/v1alpha2, kind: TLSRoute, metadata: {name: NAME}, spec: {hostnames: [1.2.3.4], rules: [{backendRefs: [{name: n1, port: 80}]}]}}",
        ],
        repaired: "{apiVersion: gateway.networking.k8s.io/v1alpha2, kind: TLSRoute, metadata: {name: NAME}, spec: {parentRefs: [{name: n0}], hostnames: [NAME.example.com], rules: [{backendRefs: [{name: n0, port: 80}]}]}}",
    },
    Forms {
        folder: "backendtlspolicies",
        namespace: "default",
        forms: &[
            "{apiVersion: gateway.networking.k8s.io/v1, kind: BackendTLSPolicy, metadata: {name: NAME}, spec: {targetRefs: [{group: \"\", kind: Service, name: n0}], validation: {wellKnownCACertificates: System, hostname: NAME.example.com}}}",
            "{apiVersion: gateway.networking.k8s.io/v1, kind: BackendTLSPolicy, metadata: {name: NAME, creationTimestamp: 2026-01-01T00:00:00Z}, spec: {targetRefs: [{group: \"\", kind: Service, name: n0, sectionName: http}, {group: \"\", kind: Service, name: n1}], validation: {wellKnownCACertificates: System, hostname: other.example.com}}}",
            "{apiVersion: gateway.networking.k8s.io/v1, kind: BackendTLSPolicy, metadata: {name: NAME}, spec: {targetRefs: [{group: \"\", kind: Service, name: n1}], validation: {caCertificateRefs: [{group: \"\", kind: ConfigMap, name: n0}], hostname: a.example.com}}}",
            "{apiVersion: gateway.networking.k8s.io/v1, kind: BackendTLSPolicy, metadata: {name: NAME}, spec: {targetRefs: [], validation: {hostname: a}}}",
        ],
        repaired: "{apiVersion: gateway.networking.k8s.io/v1, kind: BackendTLSPolicy, metadata: {name: NAME}, spec: {targetRefs: [{group: \"\", kind: Service, name: n0}], validation: {wellKnownCACertificates: System, hostname: NAME.example.com}}}",
    },
    Forms {
        folder: "functioncalls",
        namespace: "default",
        forms: &[
            "{apiVersion: tenon.dev/v1alpha1, kind: FunctionCall, metadata: {name: NAME}, spec: {aws: {logicalName: hello}}}",
            "{apiVersion: tenon.dev/v1alpha1, kind: FunctionCall, metadata: {name: NAME}, spec: {aws: {logicalName: other, invocationStyle: ASYNC}}}",
            "{apiVersion: tenon.dev/v1alpha1, kind: FunctionCall, metadata: {name: NAME}, spec: {rest: {functionName: a}}}",
            "{apiVersion: tenon.dev/v1alpha1, kind: FunctionCall, metadata: {name: NAME}, spec: {aws: 1}}",
        ],
        repaired: "{apiVersion: tenon.dev/v1alpha1, kind: FunctionCall, metadata: {name: NAME}, spec: {aws: {logicalName: hello}}}",
    },
    Forms {
        folder: "directresponses",
        namespace: "default",
        forms: &[
            "{apiVersion: gateway.gloo.solo.io/v1alpha1, kind: DirectResponse, metadata: {name: NAME}, spec: {status: 418, body: NAME}}",
            "{apiVersion: gateway.gloo.solo.io/v1alpha1, kind: DirectResponse, metadata: {name: NAME}, spec: {status: 503}}",
            "{apiVersion: gateway.gloo.solo.io/v1alpha1, kind: DirectResponse, metadata: {name: NAME}, spec: {status: 200, body: \"%\"}}",
            "{apiVersion: gateway.gloo.solo.io/v1alpha1, kind: DirectResponse, metadata: {name: NAME}, spec: {status: 1}}",
        ],
        repaired: "{apiVersion: gateway.gloo.solo.io/v1alpha1, kind: DirectResponse, metadata: {name: NAME}, spec: {status: 418}}",
    },
];

fn name(folder: &str, number: u8) -> String {
    match (folder, number) {
        ("settings", 0) | ("namespaces", _) => "default".to_owned(),
        _ => format!("n{number}"),
    }
}

/// A text as one line of YAML.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\n', "\\n"))
}

/// The change that a text makes, as a store tells it.
fn write(of: &Forms, number: u8, text: &str) -> Change {
    let name = name(of.folder, number);
    let path = format!("{}/{}/{name}.yaml", of.folder, of.namespace);
    let text = text
        .replace(
            "CERTIFICATE_1",
            &quoted(include_str!("certificates/one.pem")),
        )
        .replace(
            "CERTIFICATE_2",
            &quoted(include_str!("certificates/two.pem")),
        )
        .replace("KEY_1", &quoted(include_str!("certificates/one.key")));
    match parse(&path, &text.replace("NAME", &name)).remove(0) {
        Parsed::Object(object) => Change::Upsert(Arc::from(object)),
        Parsed::Rejected {
            key,
            problems,
            rest,
        } => Change::rejected(key, problems, rest.map(Arc::from)),
        other => panic!("{path}: {other:?}"),
    }
}

fn delete(of: &Forms, number: u8) -> Change {
    let kind = match of.folder {
        "upstreams" => Kind::Upstream,
        "routetables" => Kind::RouteTable,
        "upstreamgroups" => Kind::UpstreamGroup,
        "secrets" => Kind::Secret,
        "virtualservices" => Kind::VirtualService,
        "gateways" => Kind::Gateway,
        "services" => Kind::Service,
        "slices" => Kind::EndpointSlice,
        "endpoints" => Kind::Endpoints,
        "pods" => Kind::Pod,
        "routeoptions" => Kind::RouteOption,
        "virtualhostoptions" => Kind::VirtualHostOption,
        "listeneroptions" => Kind::ListenerOption,
        "httplisteneroptions" => Kind::HttpListenerOption,
        "httproutes" => Kind::HttpRoute,
        "grpcroutes" => Kind::GrpcRoute,
        "kubernetesgateways" => Kind::KubernetesGateway,
        "listenersets" => Kind::ListenerSet,
        "referencegrants" => Kind::ReferenceGrant,
        "namespaces" => Kind::Namespace,
        "gatewayclasses" => Kind::GatewayClass,
        "tcproutes" => Kind::TcpRoute,
        "tlsroutes" => Kind::TlsRoute,
        "backendtlspolicies" => Kind::BackendTlsPolicy,
        "functioncalls" => Kind::FunctionCall,
        "directresponses" => Kind::DirectResponse,
        _ => Kind::Settings,
    };
    Change::Delete(ObjectKey {
        kind,
        namespace: of.namespace.into(),
        name: name(of.folder, number).into(),
    })
}

/// Edits of all kinds.
fn edits() -> impl Strategy<Value = Vec<Vec<Edit>>> {
    edits_of((0..FORMS.len()).collect(), 1)
}

/// Edits of what routes of the Gateway API come to, by routes and otherwise, with more of what Envoy says.
fn edits_of_routes() -> impl Strategy<Value = Vec<Vec<Edit>>> {
    let kinds = [
        "upstreams",
        "secrets",
        "settings",
        "routeoptions",
        "httproutes",
        "httproutes",
        "httproutes",
        "kubernetesgateways",
    ];
    edits_of(kinds.into_iter().map(place).collect(), 4)
}

/// Where the forms of a kind stand.
fn place(folder: &str) -> usize {
    FORMS.iter().position(|of| of.folder == folder).unwrap()
}

fn edits_of(kinds: Vec<usize>, verdicts: u32) -> impl Strategy<Value = Vec<Vec<Edit>>> {
    let object = move || (prop::sample::select(kinds.clone()), 0..NAMES);
    let edit = prop_oneof![
        12 => (object(), any::<prop::sample::Index>()).prop_map(|((kind, number), form)| {
            Edit::Write(kind, number, form.index(FORMS[kind].forms.len()))
        }),
        3 => object().prop_map(|(kind, number)| Edit::Delete(kind, number)),
        verdicts => (any::<usize>(), any::<bool>()).prop_map(|(of, bad)| Edit::Verdict(of, bad)),
        verdicts => any::<usize>().prop_map(Edit::Refused),
        2 => any::<usize>().prop_map(Edit::Accepted),
        1 => Just(Edit::Settled),
        2 => (any::<usize>(), prop::bool::weighted(0.8))
            .prop_map(|(of, is_connected)| Edit::Connected(of, is_connected)),
        1 => (any::<usize>(), any::<bool>()).prop_map(|(of, bad)| Edit::Credentials(of, bad)),
        2 => (any::<usize>(), prop::option::of(0..3_u8), any::<bool>())
            .prop_map(|(of, found, bad)| Edit::Found(of, found, bad)),
    ];
    vec(vec(edit, 1..5), 1..14)
}

/// What was told, put together.
#[derive(Default)]
struct Told {
    resources: BTreeMap<ResourceId, Arc<Resource>>,
    credentials: BTreeMap<String, GenericSecret>,
    lookups: BTreeMap<String, Lookup>,
    statuses: BTreeMap<ObjectKey, Arc<Status>>,
    /// All forms of route tables.
    tables: Vec<(ResourceId, Arc<Resource>)>,
}

impl Told {
    fn take_in(&mut self, update: Update) {
        let tables = update.resources.iter();
        let tables = tables.filter(|(id, _)| id.kind == ResourceType::Route);
        let tables = tables.filter_map(|(id, form)| Some((id.clone(), form.clone()?)));
        self.tables.extend(tables);
        merge(&mut self.resources, update.resources);
        merge(&mut self.credentials, update.credentials);
        merge(&mut self.lookups, update.lookups);
        merge(&mut self.statuses, update.statuses);
    }

    /// In what it differs; secrets are not shown.
    fn difference(&self, other: &Self) -> Option<String> {
        let resources = differing(&self.resources, &other.resources, |it| {
            (it.version.clone(), it.value.clone(), it.provenance.clone())
        });
        let credentials = differing(&self.credentials, &other.credentials, Clone::clone);
        let lookups = differing(&self.lookups, &other.lookups, Clone::clone);
        let statuses = differing(&self.statuses, &other.statuses, Clone::clone);
        let shown: Vec<_> = statuses
            .iter()
            .map(|key| (key, self.statuses.get(key), other.statuses.get(key)))
            .collect();
        let same = resources.is_empty()
            && credentials.is_empty()
            && lookups.is_empty()
            && statuses.is_empty();
        (!same).then(|| format!("{resources:?} {credentials:?} {lookups:?} {shown:#?}"))
    }
}

fn merge<K: Ord, V>(all: &mut BTreeMap<K, V>, changes: BTreeMap<K, Option<V>>) {
    for (key, change) in changes {
        match change {
            Some(value) => all.insert(key, value),
            None => all.remove(&key),
        };
    }
}

fn differing<K: Ord + Clone, V, T: PartialEq>(
    one: &BTreeMap<K, V>,
    other: &BTreeMap<K, V>,
    content: impl Fn(&V) -> T,
) -> Vec<K> {
    let mut keys: Vec<K> = one.keys().chain(other.keys()).cloned().collect();
    keys.sort();
    keys.dedup();
    keys.retain(|key| one.get(key).map(&content) != other.get(key).map(&content));
    keys
}

/// A translator, and what it told.
struct Side {
    translator: Translator,
    told: Told,
}

impl Side {
    fn new() -> Self {
        let translator = Translator::new(TranslatorOptions {
            module: Module::So("/libtenon.so".into()),
            default_bind: "127.0.0.1:8080".parse().unwrap(),
            // Some of the tables are cut into parts, some into more of them, and some are not.
            parts_above: 1,
            more_parts_above: 2,
            // So are the routes of some virtual hosts.
            trees_above: 1,
            header_secrets_of_upstreams_namespace: false,
        });
        Self {
            translator,
            told: Told::default(),
        }
    }

    fn apply(&mut self, changes: Vec<Change>) {
        let update = self.translator.apply(changes);
        self.told.take_in(update);
    }

    fn apply_anew(&mut self, changes: Vec<Change>) {
        let update = self.translator.apply_anew(changes);
        self.told.take_in(update);
    }
}

/// The objects as a store has them: the last form that could be parsed, what is wrong with a newer one, and what is left of
/// that.
type Store = BTreeMap<ObjectKey, (Option<Arc<Object>>, Vec<Problem>, Option<Arc<Object>>)>;

fn store(objects: &mut Store, change: &Change) {
    match change {
        Change::Upsert(object) => {
            let stored = (Some(object.clone()), Vec::new(), None);
            objects.insert(object.key.clone(), stored);
        }
        Change::Reject(key, problems) => {
            let stored = objects.entry(key.clone()).or_default();
            (stored.1, stored.2) = (problems.clone(), None);
        }
        Change::RejectInPart(rest, problems) => {
            let stored = objects.entry(rest.key.clone()).or_default();
            (stored.1, stored.2) = (problems.clone(), Some(rest.clone()));
        }
        Change::Delete(key) => {
            objects.remove(key);
        }
        Change::Verdict(..)
        | Change::Refused(..)
        | Change::Accepted(..)
        | Change::Settled(_)
        | Change::Connected(..)
        | Change::Credentials { .. }
        | Change::Time(_)
        | Change::Found { .. } => {}
    }
}

fn change(edit: &Edit, told: &Told) -> Option<Change> {
    match edit {
        Edit::Write(kind, number, form) => {
            let of = &FORMS[*kind];
            Some(write(of, *number, of.forms[*form]))
        }
        Edit::Delete(kind, number) => Some(delete(&FORMS[*kind], *number)),
        Edit::Verdict(of, bad) => {
            let id = told
                .resources
                .keys()
                .nth(of % told.resources.len().max(1))?;
            let words = bad.then(|| format!("{} is bad", id.name));
            Some(Change::Verdict(id.clone(), words))
        }
        Edit::Refused(of) => {
            let (id, form) = told.tables.get(of % told.tables.len().max(1))?;
            let words = format!("{} is bad", id.name);
            Some(Change::Refused(id.clone(), form.clone(), words))
        }
        Edit::Accepted(of) => {
            let of = of % told.resources.len().max(1);
            let (id, resource) = told.resources.iter().nth(of)?;
            Some(Change::Accepted(id.clone(), resource.clone()))
        }
        Edit::Settled => Some(Change::Settled("gateway-proxy".into())),
        Edit::Connected(of, is_connected) => {
            let of = of % told.resources.len().max(1);
            let (id, _) = told.resources.iter().nth(of)?;
            Some(Change::Connected(id.proxy.clone(), *is_connected))
        }
        Edit::Found(of, answer, bad) => {
            let name = told.lookups.keys().nth(of % told.lookups.len().max(1))?;
            Some(found(name, *answer, *bad))
        }
        Edit::Credentials(of, bad) => {
            let name = told
                .credentials
                .keys()
                .nth(of % told.credentials.len().max(1))?;
            Some(Change::Credentials {
                name: name.clone(),
                problem: bad.then(|| "STS says no".to_owned()),
            })
        }
    }
}

/// One of a few answers to a lookup.
fn found(name: &str, answer: Option<u8>, bad: bool) -> Change {
    let instances = answer.map(|answer| {
        let instances = (0..answer).map(|number| Instance {
            ip: format!("10.1.{answer}.{number}").parse().ok(),
            port: Some(8080),
            data_center: Some("dc1".to_owned()),
            tags: BTreeMap::from([("a".to_owned(), String::new())]),
            ..Instance::default()
        });
        instances.collect()
    });
    Change::Found {
        name: name.to_owned(),
        instances,
        problem: bad.then(|| "no answer".to_owned()),
    }
}

/// Changes of one object keep their order; what changes of several objects come in does not matter.
fn reordered(changes: &[Change]) -> Vec<Change> {
    let mut changes = changes.to_vec();
    let of = |change: &Change| match change {
        Change::Upsert(object) => format!("0{}", object.key),
        Change::Reject(key, _) | Change::Delete(key) => format!("0{key}"),
        Change::RejectInPart(rest, _) => format!("0{}", rest.key),
        // What Envoy says has an order too.
        Change::Verdict(..)
        | Change::Refused(..)
        | Change::Accepted(..)
        | Change::Settled(_)
        | Change::Connected(..) => "1".to_owned(),
        Change::Credentials { name, .. } => format!("2{name}"),
        Change::Found { name, .. } => format!("3{name}"),
        Change::Time(_) => "4".to_owned(),
    };
    // Stable.
    changes.sort_by_key(|change| std::cmp::Reverse(of(change)));
    changes
}

fn check(script: &[Vec<Edit>]) -> Result<(), TestCaseError> {
    let (mut incremental, mut other_order, mut anew) = (Side::new(), Side::new(), Side::new());
    let mut objects = Store::new();
    for (step, batch) in script.iter().enumerate() {
        let changes: Vec<Change> = batch
            .iter()
            .filter_map(|edit| change(edit, &incremental.told))
            .collect();
        changes.iter().for_each(|it| store(&mut objects, it));
        other_order.apply(reordered(&changes));
        anew.apply_anew(changes.clone());
        incremental.apply(changes);
        for (what, side) in [("in another order", &other_order), ("anew", &anew)] {
            let difference = incremental.told.difference(&side.told);
            prop_assert!(
                difference.is_none(),
                "step {step}, {what}: {}",
                difference.unwrap()
            );
        }
    }
    let refusals = |edit: &Edit| matches!(edit, Edit::Verdict(_, true) | Edit::Refused(_));
    let was_refused = script.iter().flatten().any(refusals);
    if !was_refused {
        each_proxy_has_what_it_names(&incremental.told)?;
    }
    repair(&mut incremental, &mut objects, was_refused)
}

/// A translator, with what is tried before it is served.
struct WithTrials {
    side: Side,
    trials: Trials,
    asked: Vec<Trial>,
    /// The shapes that were taken.
    taken: BTreeSet<u64>,
}

impl WithTrials {
    fn new() -> Self {
        Self {
            side: Side::new(),
            trials: Trials::new([]),
            asked: Vec::new(),
            taken: BTreeSet::new(),
        }
    }

    /// Those of these places among what was asked are answered to.
    fn answer(&mut self, which: impl Fn(usize) -> bool) {
        let asked = std::mem::take(&mut self.asked);
        for (place, trial) in asked.into_iter().enumerate() {
            if which(place) {
                self.taken.extend(trial.shapes());
                self.trials.answer(&trial, Tried::Taken);
            } else {
                self.asked.push(trial);
            }
        }
    }

    /// Nothing is told that is of an unknown shape, or names a cluster that is to come and is not there.
    fn apply(&mut self, changes: Vec<Change>, wanted: &Told) -> Result<(), TestCaseError> {
        let translator = &mut self.side.translator;
        let (update, asked) = self.trials.apply(translator, changes, false);
        self.asked.extend(asked);
        let before: BTreeMap<_, _> = update
            .resources
            .keys()
            .filter_map(|id| Some((id.clone(), self.side.told.resources.get(id)?.clone())))
            .collect();
        let told = update.resources.clone();
        self.side.told.take_in(update);
        let has = |id: &ResourceId| self.side.told.resources.contains_key(id);
        let clusters = wanted.resources.keys();
        let clusters = clusters.filter(|id| id.kind == ResourceType::Cluster);
        let absent: Vec<_> = clusters.filter(|id| !has(id)).collect();
        for (id, resource) in &told {
            let Some(resource) = resource else { continue };
            let old = before.get(id).into_iter();
            let old: Vec<_> = old.flat_map(|it| Part::of(id.kind, it)).collect();
            let mut domains = BTreeSet::new();
            for part in Part::of(id.kind, resource) {
                if let Some(host) = part.host() {
                    let host_of = VirtualHost::decode(part.bytes()).unwrap();
                    for domain in host_of.domains {
                        let is_new = domains.insert(domain.to_ascii_lowercase());
                        prop_assert!(is_new, "{}: {host} has {domain}, too", id.name);
                    }
                }
                let shapes = part.shapes();
                prop_assert!(shapes.is_subset(&self.taken), "{} is untried", id.name);
                if old.iter().any(|it| it.bytes() == part.bytes()) {
                    continue;
                }
                for cluster in absent.iter().filter(|it| it.proxy == id.proxy) {
                    let name = cluster.name.as_bytes();
                    let exactly: Vec<_> = [name.len() as u8].iter().chain(name).copied().collect();
                    let mut windows = part.bytes().windows(exactly.len());
                    let names = windows.any(|it| it == exactly);
                    prop_assert!(!names, "{} names {}", id.name, cluster.name);
                }
            }
        }
        Ok(())
    }
}

/// What is tried first comes to the same in the end; `answers` says which trials are answered to after each batch.
fn check_trials(script: &[Vec<Edit>], answers: &[u8]) -> Result<(), TestCaseError> {
    let (mut plain, mut tried) = (Side::new(), WithTrials::new());
    for (batch, answers) in script.iter().zip(answers) {
        let changes = batch.iter().filter_map(|edit| change(edit, &plain.told));
        let changes: Vec<Change> = changes.collect();
        plain.apply(changes.clone());
        tried.apply(changes, &plain.told)?;
        tried.answer(|place| answers >> (place % 8) & 1 == 1);
        // With each look the next suspects may be tried.
        plain.apply(Vec::new());
        tried.apply(Vec::new(), &plain.told)?;
    }
    while !tried.asked.is_empty() {
        tried.answer(|_| true);
        plain.apply(Vec::new());
        tried.apply(Vec::new(), &plain.told)?;
    }
    prop_assert!(tried.trials.is_over());
    let difference = plain.told.difference(&tried.side.told);
    prop_assert!(difference.is_none(), "tried: {}", difference.unwrap());
    Ok(())
}

/// Where there are several proxies, each gets the clusters and secrets that its listeners and routes name, and no others.
fn each_proxy_has_what_it_names(told: &Told) -> Result<(), TestCaseError> {
    let all = || told.resources.iter();
    let proxies: BTreeSet<_> = all().map(|(id, _)| &id.proxy).collect();
    if proxies.len() < 2 {
        return Ok(());
    }
    let has = |text: &[u8], name: &[u8]| text.windows(name.len()).any(|it| it == name);
    let text = |id: &ResourceId| told.resources[id].value.clone();
    let clusters: BTreeSet<_> = all()
        .filter(|(id, _)| id.kind == ResourceType::Cluster)
        .map(|(id, _)| &*id.name)
        .collect();
    for proxy in proxies {
        let of = |kinds: &[ResourceType]| -> Vec<_> {
            let of_proxy = all().filter(|(id, _)| id.proxy == *proxy);
            let ids = of_proxy.filter(|(id, _)| kinds.contains(&id.kind));
            ids.map(|(id, _)| id).collect()
        };
        let roots = of(&[ResourceType::Listener, ResourceType::Route]);
        let named = |ids: &[&ResourceId], name: &[u8]| ids.iter().any(|id| has(&text(id), name));
        let chooses = named(&roots, b"x-to") || named(&roots, b"network.sni_cluster");
        let own = of(&[ResourceType::Cluster]);
        for name in &clusters {
            // As a text in a message.
            let exactly: Vec<_> = [name.len() as u8].into_iter().chain(name.bytes()).collect();
            let is_there = own.iter().any(|id| *id.name == **name);
            let upstream = name.split('/').next().unwrap_or_default();
            // Which other upstreams may name, and then all get it.
            let asked = *name == "n2_default";
            let may = chooses || asked || named(&roots, upstream.as_bytes());
            let must = chooses || named(&roots, &exactly);
            prop_assert!(may || !is_there, "{proxy} has {name}");
            prop_assert!(is_there || !must, "{proxy} has not {name}");
        }
        let users = of(&[ResourceType::Listener, ResourceType::Cluster]);
        for id in of(&[ResourceType::Secret]) {
            let name = &id.name;
            prop_assert!(named(&users, name.as_bytes()), "{proxy} has {name}");
        }
        for (name, secret) in &told.credentials {
            let is_there = secret.proxies.contains(proxy);
            prop_assert_eq!(
                named(&own, name.as_bytes()),
                is_there,
                "{}: {}",
                proxy,
                name
            );
        }
    }
    Ok(())
}

/// Makes each upstream, upstream group, virtual service and route one that was good last, takes back what was told from outside,
/// and compares with a translator that knows the objects only.
fn repair(
    incremental: &mut Side,
    objects: &mut Store,
    was_refused: bool,
) -> Result<(), TestCaseError> {
    let good = |of: &'static Forms| (0..NAMES).map(|number| write(of, number, of.repaired));
    let repaired = [
        "upstreams",
        "virtualservices",
        "upstreamgroups",
        "routeoptions",
        "httproutes",
    ];
    let repaired = repaired.map(|folder| &FORMS[place(folder)]);
    let mut changes: Vec<Change> = repaired.into_iter().flat_map(good).collect();
    changes.iter().for_each(|it| store(objects, it));
    let ids = incremental.told.resources.keys().cloned();
    changes.extend(ids.map(|id| Change::Verdict(id, None)));
    let names = incremental.told.credentials.keys().cloned();
    changes.extend(names.map(|name| Change::Credentials {
        name,
        problem: None,
    }));
    incremental.apply(changes);
    let all = objects.iter().flat_map(|(key, (object, problems, rest))| {
        let upsert = object.clone().map(Change::Upsert);
        let reject = (!problems.is_empty())
            .then(|| Change::rejected(key.clone(), problems.clone(), rest.clone()));
        upsert.into_iter().chain(reject)
    });
    let all: Vec<_> = all.collect();
    if was_refused {
        // What Envoy refused stays away until it is another one, or is taken away.
        let gone = objects.keys().cloned().map(Change::Delete);
        incremental.apply(gone.collect());
        incremental.apply(all.clone());
    }
    // A gateway whose newest form has another one's address keeps its own of before, unless it is new.
    let is_gateway = |key: &ObjectKey| key.kind == Kind::Gateway;
    let gone = objects.keys().filter(|key| is_gateway(key));
    incremental.apply(gone.cloned().map(Change::Delete).collect());
    let of_gateway = |change: &&Change| match change {
        Change::Upsert(object) => is_gateway(&object.key),
        Change::Reject(key, _) => is_gateway(key),
        _ => false,
    };
    incremental.apply(all.iter().filter(of_gateway).cloned().collect());
    let mut cold = Side::new();
    cold.apply(all);
    let proxies: BTreeSet<_> = cold.told.resources.keys().map(|id| &id.proxy).collect();
    let connected = proxies.into_iter().cloned();
    cold.apply(connected.map(|it| Change::Connected(it, true)).collect());
    for side in [&mut *incremental, &mut cold] {
        let told = side.told.resources.clone().into_iter();
        side.apply(told.map(|(id, it)| Change::Accepted(id, it)).collect());
    }
    let difference = incremental.told.difference(&cold.told);
    prop_assert!(difference.is_none(), "cold: {}", difference.unwrap());
    nothing_is_pending(&cold.told)
}

/// Where Envoys have accepted all that there is, nothing waits for them.
fn nothing_is_pending(told: &Told) -> Result<(), TestCaseError> {
    for (key, status) in &told.statuses {
        let conditions = status.conditions.iter();
        let mut conditions = conditions.flat_map(|it| {
            let listeners = it.listeners.iter().flat_map(|it| &it.conditions);
            it.own.iter().chain(listeners)
        });
        let pending = conditions.find(|it| it.reason == "Pending");
        prop_assert!(pending.is_none(), "{key}: {pending:?}");
    }
    Ok(())
}

/// How many scripts are tried: `EQUIVALENCE_SCRIPTS`, or as many as a run of all tests has time for.
fn scripts() -> u32 {
    let given = std::env::var("EQUIVALENCE_SCRIPTS").ok();
    given.map_or(128, |it| it.parse().unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: scripts(), ..ProptestConfig::default() })]

    #[test]
    fn edits_come_to_what_a_translation_of_everything_comes_to(script in edits()) {
        check(&script)?;
    }

    #[test]
    fn trials_come_to_what_is_served_without_them(
        script in edits(),
        answers in vec(any::<u8>(), 14),
    ) {
        check_trials(&script, &answers)?;
    }

    #[test]
    fn so_do_edits_of_routes_of_the_gateway_api(script in edits_of_routes()) {
        check(&script)?;
    }
}

/// So that no form is another kind of broken than it means to be.
#[test]
fn the_forms_of_the_scripts_are_what_they_seem() {
    for of in FORMS {
        let good = |text: &str| matches!(write(of, 1, text), Change::Upsert(_));
        let (good, bad): (Vec<&str>, Vec<&str>) = of.forms.iter().partition(|text| good(text));
        assert!(good.len() >= 3, "{}: {bad:#?}", of.folder);
        assert!(!bad.is_empty() && bad.len() <= 2, "{}: {bad:#?}", of.folder);
        assert!(matches!(write(of, 1, of.repaired), Change::Upsert(_)));
    }
}

/// Scripts that the two once came to different ends of.
#[test]
fn what_was_refused_is_no_form_to_go_back_to() {
    use Edit::{Settled, Verdict, Write};
    let bad = |number| Verdict(number, true);
    for script in [
        // What is served instead of a listener is refused, too.
        vec![
            vec![Write(0, 0, 8)],
            vec![Settled],
            vec![Write(2, 0, 16)],
            vec![bad(6_597_269_341_713_099_901)],
            vec![bad(12_132_575_762_559_256_744)],
        ],
        // A cluster is refused while it becomes another one, which is refused as well.
        vec![
            vec![Write(0, 0, 2)],
            vec![Write(1, 0, 5), bad(8_785_689_777_219_282_351)],
            vec![bad(14_796_727_024_428_196_836)],
        ],
    ] {
        check(&script).unwrap();
    }
}
