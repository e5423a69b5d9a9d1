//! The Envoy that is measured: a listener, a route and a cluster for each row, so that no row pays for another's filters.

mod anatomy;
mod functions;
mod transforms;

use std::collections::HashMap;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use tempfile::TempDir;
use tenon_e2e::gateway::{cluster, listener, router};
use tenon_e2e::{Envoy, EnvoyOptions};

use crate::rows::Row;
use crate::{cpu, function};

pub(crate) struct Gateway {
    addresses: HashMap<String, SocketAddr>,
    process: u32,
    _envoy: Envoy,
    _folder: TempDir,
}

impl Gateway {
    /// Starts it with so many workers on core 0, and the function behind it with all else on core 1.
    pub(crate) async fn start(rows: &[Row], workers: u32) -> Result<Self> {
        let folder = TempDir::with_prefix("tenon-bench-")?;
        let function = function::start(rows)?;
        fs::write(
            folder.path().join("sds.json"),
            functions::secret().to_string(),
        )?;
        let config = gateway_config(rows, function, folder.path())?;
        let options = EnvoyOptions {
            concurrency: workers,
            ..EnvoyOptions::default()
        };
        let mut gateway = Envoy::start_with(&config.to_string(), &options).await?;
        let mut addresses = HashMap::new();
        for row in rows {
            addresses.insert(row.id(), gateway.listener(&row.id()).await?);
        }
        let process = gateway.process().id();
        cpu::pin(process, 0)?;
        cpu::pin(0, 1)?;
        Ok(Self {
            addresses,
            process,
            _envoy: gateway,
            _folder: folder,
        })
    }

    /// Where a row's requests go.
    pub(crate) fn address(&self, row: &Row) -> Result<SocketAddr> {
        let address = self.addresses.get(&row.id());
        address.copied().with_context(|| row.name())
    }

    /// The measured Envoy's process.
    pub(crate) fn process(&self) -> u32 {
        self.process
    }

    /// The measured Envoy's time on the processor so far.
    pub(crate) fn cpu(&self) -> Result<Duration> {
        cpu::of(self.process)
    }
}

/// What a row has besides a plain proxy.
struct Way {
    /// Filters of the listener, before the router.
    listener: Vec<Value>,
    route: Value,
    /// Filters of the cluster, before its codec.
    cluster: Vec<Value>,
}

impl Way {
    /// A plain proxy.
    fn plain(row: &Row) -> Self {
        Self {
            listener: Vec::new(),
            route: json!({
                "match": {"prefix": "/"},
                "route": {"cluster": row.id(), "timeout": "30s"},
            }),
            cluster: Vec::new(),
        }
    }
}

fn gateway_config(rows: &[Row], function: SocketAddr, folder: &Path) -> Result<Value> {
    let (mut listeners, mut clusters) = (Vec::new(), Vec::new());
    for row in rows {
        let way = match row.group.name {
            "transform" => transforms::way(row)?,
            "anatomy" => anatomy::way(row, function, folder)?,
            _ => functions::way(row, function, folder)?,
        };
        let filters = way.listener.into_iter().chain([router()]);
        let mut listener = listener(filters.collect(), vec![way.route], json!({}));
        listener["name"] = json!(row.id());
        listeners.push(listener);
        let mut cluster = cluster(&row.id(), function, way.cluster);
        if row.variant == "codec-only" {
            anatomy::write_codec_only(&mut cluster);
        }
        clusters.push(cluster);
    }
    Ok(json!({
        "node": {"id": "bench", "cluster": "bench"},
        "static_resources": {"listeners": listeners, "clusters": clusters},
    }))
}
