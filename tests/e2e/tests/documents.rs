//! What the documents say about the code is true.

use std::fs;
use std::path::{Path, PathBuf};

use tenon_contract::transform::TransformConfig;
use tenon_contract::{FunctionConfig, SecretBlob};

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

/// The texts in backticks outside of code blocks that look like paths inside the repository.
fn paths(document: &str) -> Vec<&str> {
    let prose = document.split("```").step_by(2);
    prose
        .flat_map(|text| text.split('`').skip(1).step_by(2))
        .filter(|text| text.contains('/') && !text.starts_with('/'))
        .filter(|text| {
            text.chars()
                .all(|c| c.is_ascii_alphanumeric() || "._-/".contains(c))
        })
        .collect()
}

#[test]
fn every_path_that_the_documents_name_exists() {
    let documents = [
        ("ARCHITECTURE.md", 15),
        ("docs/filters.md", 8),
        ("docs/hosts.md", 3),
    ];
    for (name, least) in documents {
        let document = fs::read_to_string(root().join(name)).unwrap();
        let paths = paths(&document);
        assert!(paths.len() > least, "{name}: {paths:?}");
        let missing: Vec<_> = paths
            .iter()
            .filter(|path| !root().join(path).exists())
            .collect();
        assert!(missing.is_empty(), "{name}: {missing:?}");
    }
}

#[test]
fn the_architecture_names_every_crate() {
    let document = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let (_, members) = manifest.split_once("members = [").unwrap();
    let (members, _) = members.split_once(']').unwrap();
    for member in members.split('"').skip(1).step_by(2) {
        assert!(document.contains(&format!("`{member}/`")), "{member}");
    }
}

/// The documents, those of `docs/` and its folders among them.
fn documents() -> Vec<PathBuf> {
    let mut documents: Vec<_> = [
        "README.md",
        "CONTRIBUTING.md",
        "examples/gateway-api/README.md",
        "examples/lambda/README.md",
    ]
    .map(|name| root().join(name))
    .into();
    let mut folders = vec![root().join("docs")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false => documents.push(path),
            }
        }
    }
    documents
}

#[test]
fn relative_links_lead_somewhere() {
    for path in documents() {
        let document = fs::read_to_string(&path).unwrap();
        for link in document.split("](").skip(1) {
            let link = link.split(')').next().unwrap();
            if !link.contains("://") {
                let leads_to = path.with_file_name(link);
                assert!(leads_to.exists(), "{}: {link}", path.display());
            }
        }
    }
}

#[test]
fn make_targets_that_the_documents_name_exist() {
    let makefile = fs::read_to_string(root().join("Makefile")).unwrap();
    for name in ["README.md", "CONTRIBUTING.md"] {
        let document = fs::read_to_string(root().join(name)).unwrap();
        let named = document.split("`make ").chain(document.split("\nmake "));
        for target in named.skip(1).filter_map(|text| {
            let end = text.find(|c: char| !c.is_ascii_lowercase() && c != '-');
            text.get(..end?).filter(|target| !target.is_empty())
        }) {
            assert!(
                makefile.contains(&format!("\n{target}:")),
                "{name}: {target}"
            );
        }
    }
}

#[test]
fn the_configurations_and_secrets_that_the_documents_show_are_read() {
    let document = fs::read_to_string(root().join("docs/filters.md")).unwrap();
    let shown: Vec<_> = document
        .split("```json\n")
        .skip(1)
        .filter_map(|text| text.split("```").next())
        .collect();
    let [function, secrets, transform] = shown[..] else {
        panic!("{shown:?}")
    };
    let function = FunctionConfig::from_json(function.as_bytes()).unwrap();
    let FunctionConfig::Downstream(config) = function.value else {
        panic!("not for a listener")
    };
    assert_eq!(function.unknown, Vec::<String>::new());
    tenon_core::invoke::Upstream::downstream(config).unwrap();
    let transform = TransformConfig::from_json(transform.as_bytes()).unwrap();
    assert_eq!(transform.unknown, Vec::<String>::new());
    tenon_core::transform::Transformer::new(&transform.value).unwrap();
    for secret in secrets.lines() {
        SecretBlob::from_json(secret.as_bytes()).unwrap();
    }
}
