//! Folders of resources.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Result, bail};
use tempfile::TempDir;
use tenon_model::{Object, Parsed, parse};

/// Virtual services that are in a file together, but for those that are edited.
const TOGETHER: usize = 100;
/// Upstreams that the virtual services of a folder share.
const UPSTREAMS: usize = 100;

/// By which API the hosts of a folder are described.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Api {
    /// A Gateway and VirtualServices.
    Edge,
    /// A Gateway and HTTPRoutes of Kubernetes' Gateway API.
    Gateway,
}

impl Api {
    pub(super) const ALL: [Self; 2] = [Self::Edge, Self::Gateway];

    /// What the names of its rows begin with.
    pub(super) fn rows(self) -> &'static str {
        match self {
            Self::Edge => "",
            Self::Gateway => "gateway-api/",
        }
    }

    /// What an Envoy says it is.
    pub(super) fn role(self) -> &'static str {
        match self {
            Self::Edge => "gloo-system~gateway-proxy",
            Self::Gateway => "gloo-kube-gateway-api~gloo-system~gloo-system-gw",
        }
    }

    /// The name of the only listener.
    pub(super) fn listener(self, port: u16) -> String {
        match self {
            Self::Edge => format!("listener-127.0.0.1-{port}"),
            Self::Gateway => format!("listener~{port}"),
        }
    }

    /// A host whose only route goes to an upstream, or answers with a status.
    pub(super) fn host(self, number: usize, status: Option<u16>) -> String {
        match self {
            Self::Edge => virtual_service(number, status),
            Self::Gateway => http_route(number, status),
        }
    }

    fn gateway(self, port: u16) -> String {
        match self {
            Self::Edge => format!(
                "apiVersion: gateway.solo.io/v1\nkind: Gateway\nmetadata: {{name: gw, namespace: gloo-system}}\nspec: {{bindAddress: 127.0.0.1, bindPort: {port}, httpGateway: {{}}}}\n"
            ),
            Self::Gateway => format!(
                "apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {{name: gw, namespace: gloo-system}}\nspec:\n  gatewayClassName: gloo-gateway\n  addresses: [{{type: IPAddress, value: 127.0.0.1}}]\n  listeners: [{{name: http, protocol: HTTP, port: {port}, allowedRoutes: {{namespaces: {{from: All}}}}}}]\n"
            ),
        }
    }

    /// A port that the listener can have: Envoy chooses one, where the API permits that.
    fn port(self) -> Result<u16> {
        match self {
            Self::Edge => Ok(0),
            Self::Gateway => tenon_e2e::free_port(),
        }
    }
}

fn http_route(number: usize, status: Option<u16>) -> String {
    let (action, answer) = match status {
        Some(status) => (
            format!(
                "filters: [{{type: ExtensionRef, extensionRef: {{group: gateway.gloo.solo.io, kind: DirectResponse, name: h{number}}}}}]"
            ),
            format!(
                "---\napiVersion: gateway.gloo.solo.io/v1alpha1\nkind: DirectResponse\nmetadata: {{name: h{number}, namespace: default}}\nspec: {{status: {status}, body: edited}}\n"
            ),
        ),
        None => (
            format!(
                "backendRefs: [{{group: gloo.solo.io, kind: Upstream, name: u{}}}]",
                number % UPSTREAMS
            ),
            String::new(),
        ),
    };
    format!(
        "apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {{name: h{number}, namespace: default}}\nspec:\n  parentRefs: [{{name: gw, namespace: gloo-system}}]\n  hostnames: [{}]\n  rules:\n  - {action}\n{answer}",
        host(number)
    )
}

/// The host of a virtual service.
pub(super) fn host(number: usize) -> String {
    format!("h{number}.example.com")
}

/// A virtual service whose only route goes to an upstream, or answers with a status.
pub(super) fn virtual_service(number: usize, status: Option<u16>) -> String {
    let action = match status {
        Some(status) => format!("directResponseAction: {{status: {status}, body: edited}}"),
        None => format!(
            "routeAction: {{single: {{upstream: {{name: u{}, namespace: default}}}}}}",
            number % UPSTREAMS
        ),
    };
    format!(
        "apiVersion: gateway.solo.io/v1\nkind: VirtualService\nmetadata: {{name: h{number}, namespace: default}}\nspec:\n  virtualHost:\n    domains: [{}]\n    routes:\n    - matchers: [{{prefix: /}}]\n      {action}\n",
        host(number)
    )
}

pub(super) fn upstream(number: usize) -> String {
    let port = 10_000 + number % 10_000;
    format!(
        "apiVersion: gloo.solo.io/v1\nkind: Upstream\nmetadata: {{name: u{number}, namespace: default}}\nspec:\n  static:\n    hosts: [{{addr: 127.0.0.1, port: {port}}}]\n"
    )
}

pub(super) fn lambda(number: usize) -> String {
    format!(
        "apiVersion: gloo.solo.io/v1\nkind: Upstream\nmetadata: {{name: u{number}, namespace: default}}\nspec:\n  aws:\n    region: us-east-1\n    lambdaFunctions:\n    - {{logicalName: one, lambdaFunctionName: one}}\n    - {{logicalName: two, lambdaFunctionName: two}}\n"
    )
}

/// The resources of a text.
pub(super) fn objects(text: &str) -> Result<Vec<Arc<Object>>> {
    let parsed = parse("bench.yaml", text).into_iter();
    let objects = parsed.map(|parsed| match parsed {
        Parsed::Object(object) => Ok(Arc::from(object)),
        other => bail!("{other:?}"),
    });
    objects.collect()
}

/// All the resources of a folder with so many virtual services, parsed.
pub(super) fn all_objects(api: Api, hosts: usize) -> Result<Vec<Arc<Object>>> {
    let mut text = api.gateway(8080);
    for number in 0..UPSTREAMS {
        text += &format!("---\n{}", upstream(number));
    }
    let mut all = objects(&text)?;
    for number in 0..hosts {
        all.extend(objects(&api.host(number, None))?);
    }
    Ok(all)
}

/// A folder on disk.
pub(super) struct Folder {
    folder: TempDir,
    api: Api,
    port: u16,
}

impl Folder {
    /// One with so many virtual services; the first `edited` of them have files of their own and answer 200.
    pub(super) fn new(api: Api, hosts: usize, edited: usize) -> Result<Self> {
        let folder = Self::of_gateway(api)?;
        let upstreams: Vec<_> = (0..UPSTREAMS).map(upstream).collect();
        folder.write("upstreams", &upstreams.join("---\n"))?;
        for number in 0..edited.min(hosts) {
            folder.edit(number, 200)?;
        }
        let others: Vec<usize> = (edited..hosts).collect();
        for (part, numbers) in others.chunks(TOGETHER).enumerate() {
            let texts = numbers.iter().map(|number| api.host(*number, None));
            let texts: Vec<_> = texts.collect();
            folder.write(&format!("part{part}"), &texts.join("---\n"))?;
        }
        Ok(folder)
    }

    /// One with a single virtual service of so many routes, each for one path and answering 201, and one for all others.
    pub(super) fn of_routes(routes: usize) -> Result<Self> {
        let folder = Self::of_gateway(Api::Edge)?;
        let mut text = "apiVersion: gateway.solo.io/v1\nkind: VirtualService\nmetadata: {name: many, namespace: default}\nspec:\n  virtualHost:\n    routes:\n".to_owned();
        for number in 0..routes {
            let path = super::routes::path(number);
            text += &format!(
                "    - {{matchers: [{{exact: {path}}}], directResponseAction: {{status: 201}}}}\n"
            );
        }
        text += "    - {matchers: [{prefix: /}], directResponseAction: {status: 404}}\n";
        folder.write("many", &text)?;
        Ok(folder)
    }

    fn of_gateway(api: Api) -> Result<Self> {
        let folder = Self {
            folder: TempDir::with_prefix("tenon-bench-")?,
            api,
            port: api.port()?,
        };
        fs::create_dir(folder.path())?;
        folder.write("gateway", &api.gateway(folder.port))?;
        Ok(folder)
    }

    /// The name of its listener.
    pub(super) fn listener(&self) -> String {
        self.api.listener(self.port)
    }

    /// Where the resources are.
    pub(super) fn path(&self) -> PathBuf {
        self.folder.path().join("resources")
    }

    /// Has a virtual service answer with another status.
    pub(super) fn edit(&self, number: usize, status: u16) -> Result<()> {
        self.write(&format!("h{number}"), &self.api.host(number, Some(status)))
    }

    fn write(&self, name: &str, text: &str) -> Result<()> {
        let path: &Path = &self.path();
        let new = path.join(format!(".{name}.new"));
        fs::write(&new, text)?;
        Ok(fs::rename(new, path.join(format!("{name}.yaml")))?)
    }
}
