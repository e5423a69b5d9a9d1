//! What the documents say about the code is true.

use std::fs;
use std::path::Path;

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
    for (name, least) in [("ARCHITECTURE.md", 15), ("docs/hosts.md", 3)] {
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

#[test]
fn relative_links_lead_somewhere() {
    for name in ["README.md", "CONTRIBUTING.md", "examples/lambda/README.md"] {
        let document = fs::read_to_string(root().join(name)).unwrap();
        let folder = root().join(name);
        for link in document.split("](").skip(1) {
            let link = link.split(')').next().unwrap();
            if !link.contains("://") {
                assert!(folder.with_file_name(link).exists(), "{name}: {link}");
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
