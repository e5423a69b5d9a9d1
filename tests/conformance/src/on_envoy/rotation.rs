//! Secrets in files that Envoy watches.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;
use serde_json::json;
use tenon_e2e::Admin;

/// A secret that is to be changed while a request is under way.
#[derive(Debug, Clone)]
pub(super) struct Rotation {
    pub(super) file: PathBuf,
    pub(super) name: String,
    pub(super) text: String,
    pub(super) admin: Admin,
}

impl Rotation {
    /// Changes the file and waits until Envoy has taken it.
    pub(super) async fn rotate(self) -> Result<()> {
        let taken = format!("sds.{}.update_success", self.name);
        let before = self.admin.stat(&taken).await?;
        write_secret(&self.file, &self.name, &self.text)?;
        self.admin.stat_until(&taken, |now| now > before).await?;
        Ok(())
    }
}

/// Writes a file of one secret, in one move as Envoy asks for.
pub(super) fn write_secret(file: &Path, name: &str, text: &str) -> Result<()> {
    let content = json!({"resources": [{
        "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret",
        "name": name,
        "generic_secret": {"secret": {"inline_string": text}},
    }]});
    let new = file.with_extension("new");
    fs::write(&new, content.to_string())?;
    fs::rename(new, file)?;
    Ok(())
}
