//! A folder of resources on disk.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Component, Path, PathBuf};

/// Folders in folders; more is a loop of links.
const MAX_DEPTH: usize = 64;

/// What is in a folder.
#[derive(Default)]
pub(crate) struct Listing {
    pub(crate) files: BTreeSet<PathBuf>,
    /// Folders that cannot be read; what was known below them is not gone.
    pub(crate) unknown: Vec<(PathBuf, io::Error)>,
}

/// What a path on disk is, links followed.
pub(crate) enum Content {
    Text(String),
    Gone,
    Broken(String),
}

/// Whether a path below a folder is a file of resources by its name. What begins with a full stop is not: editors' and
/// Kubernetes' own files.
pub(crate) fn is_resource_file(relative: &Path) -> bool {
    let extension = relative
        .extension()
        .and_then(|extension| extension.to_str());
    matches!(extension, Some("yaml" | "yml" | "json")) && !is_hidden(relative)
}

pub(crate) fn is_hidden(relative: &Path) -> bool {
    relative.components().any(|component| match component {
        Component::Normal(name) => name.as_encoded_bytes().starts_with(b"."),
        _ => false,
    })
}

/// All files of resources below a folder, links followed.
pub(crate) fn list(root: &Path) -> Listing {
    let mut listing = Listing::default();
    list_into(root, root, 0, &mut listing);
    listing
}

fn list_into(root: &Path, folder: &Path, depth: usize, listing: &mut Listing) {
    let entries = fs::read_dir(folder).and_then(Iterator::collect::<io::Result<Vec<_>>>);
    let entries = match entries {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound && depth > 0 => return,
        Err(error) => {
            listing.unknown.push((folder.to_owned(), error));
            return;
        }
    };
    for entry in entries {
        let path = entry.path();
        let relative = path.strip_prefix(root).unwrap_or(&path);
        if is_hidden(relative) {
            continue;
        }
        if path.is_dir() {
            if depth < MAX_DEPTH {
                list_into(root, &path, depth + 1, listing);
            }
        } else if is_resource_file(relative) {
            listing.files.insert(path);
        }
    }
}

/// Reads a file. It is gone only if its name is, and the folder of resources is still there.
pub(crate) fn content(root: &Path, file: &Path) -> Content {
    match fs::read(file) {
        Ok(bytes) => match String::from_utf8(bytes) {
            Ok(text) if text.trim().is_empty() => Content::Broken("the file is empty".to_owned()),
            Ok(text) => Content::Text(text),
            Err(_) => Content::Broken("the file is not UTF-8".to_owned()),
        },
        Err(error) if error.kind() == ErrorKind::NotFound && is_gone(root, file) => Content::Gone,
        Err(error) => Content::Broken(format!("cannot be read: {error}")),
    }
}

fn is_gone(root: &Path, file: &Path) -> bool {
    let name_is_gone =
        matches!(fs::symlink_metadata(file), Err(error) if error.kind() == ErrorKind::NotFound);
    name_is_gone && root.is_dir()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_resources_are_known_by_their_names() {
        for (path, expected) in [
            ("a.yaml", true),
            ("upstreams/default/a.yml", true),
            ("a.json", true),
            ("a.yaml~", false),
            (".a.yaml", false),
            (".a.yaml.swp", false),
            ("..data/a.yaml", false),
            ("README.md", false),
        ] {
            assert_eq!(is_resource_file(Path::new(path)), expected, "{path}");
        }
    }
}
