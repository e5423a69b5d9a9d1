//! Where the file of the filters is.

use std::env;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use tenon_translate::{Module, TranslatorOptions};

use crate::cli::{Filter, FilterArgs};

/// The file of the filters.
pub(crate) struct Found {
    pub(crate) path: PathBuf,
    /// Whether it is on this machine; Envoy may be on another.
    pub(crate) exists: bool,
    filter: Filter,
    parts_above: usize,
    trees_above: usize,
    header_secrets_of_upstreams_namespace: bool,
}

/// The file that the flags name, else the one beside this binary, else the one in `dist/`.
pub(crate) fn find(args: &FilterArgs) -> Found {
    let name = match args.filter {
        Filter::So => "libtenon.so",
        Filter::Wasm => "tenon.wasm",
    };
    let beside = env::current_exe()
        .ok()
        .and_then(|exe| Some(exe.parent()?.join(name)));
    let dist = Path::new("dist").join(name);
    let path = args.module.clone().unwrap_or_else(|| {
        beside
            .filter(|path| path.is_file())
            .unwrap_or_else(|| dist.clone())
    });
    let path = std::path::absolute(&path).unwrap_or(path);
    Found {
        exists: path.is_file(),
        filter: args.filter,
        parts_above: args.parts_above,
        trees_above: args.trees_above,
        header_secrets_of_upstreams_namespace: args.header_secrets_of_upstreams_namespace,
        path,
    }
}

impl Found {
    /// What the translation has to know.
    pub(crate) fn options(&self, default_bind: SocketAddr) -> TranslatorOptions {
        let path = self.path.to_string_lossy().into_owned();
        TranslatorOptions {
            module: match self.filter {
                Filter::So => Module::So(path),
                Filter::Wasm => Module::Wasm(path),
            },
            default_bind,
            parts_above: self.parts_above,
            more_parts_above: self.parts_above.max(1).saturating_mul(4),
            trees_above: self.trees_above,
            header_secrets_of_upstreams_namespace: self.header_secrets_of_upstreams_namespace,
        }
    }
}
