//! A folder of resources on disk.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Component, Path, PathBuf};

/// Folders in folders.
const MAX_DEPTH: usize = 64;
/// Larger than any file of resources; what is larger is not read, so that it does not fill the memory.
const MAX_SIZE: u64 = 64 << 20;

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
    list_into(root, root, &mut Vec::new(), &mut listing);
    listing
}

/// `above` are the folders around this one, links followed: one that is met again below itself is a loop.
fn list_into(root: &Path, folder: &Path, above: &mut Vec<PathBuf>, listing: &mut Listing) {
    let entries = fs::read_dir(folder).and_then(Iterator::collect::<io::Result<Vec<_>>>);
    let entries = match entries {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound && !above.is_empty() => return,
        Err(error) => {
            listing.unknown.push((folder.to_owned(), error));
            return;
        }
    };
    let real = fs::canonicalize(folder).unwrap_or_else(|_| folder.to_owned());
    if above.contains(&real) || above.len() > MAX_DEPTH {
        return;
    }
    above.push(real);
    for entry in entries {
        let path = entry.path();
        let relative = path.strip_prefix(root).unwrap_or(&path);
        if is_hidden(relative) {
            continue;
        }
        if path.is_dir() {
            list_into(root, &path, above, listing);
        } else if is_resource_file(relative) {
            listing.files.insert(path);
        }
    }
    above.pop();
}

/// Reads a file. It is gone only if its name is, and the folder of resources is still there.
pub(crate) fn content(root: &Path, file: &Path) -> Content {
    match read(file) {
        Ok(bytes) => match String::from_utf8(bytes) {
            Ok(text) if text.trim().is_empty() => Content::Broken("the file is empty".to_owned()),
            Ok(text) => Content::Text(text),
            Err(_) => Content::Broken("the file is not UTF-8".to_owned()),
        },
        Err(error) if error.kind() == ErrorKind::NotFound && is_gone(root, file) => Content::Gone,
        Err(error) => Content::Broken(format!("cannot be read: {error}")),
    }
}

/// Reads a file, unless it is none: a pipe would never end, a device never be quiet.
fn read(file: &Path) -> io::Result<Vec<u8>> {
    let about = fs::metadata(file)?;
    if !about.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    if about.len() > MAX_SIZE {
        return Err(io::Error::other(format!(
            "it has {} bytes; at most {MAX_SIZE} are read",
            about.len()
        )));
    }
    fs::read(file)
}

fn is_gone(root: &Path, file: &Path) -> bool {
    let name_is_gone =
        matches!(fs::symlink_metadata(file), Err(error) if error.kind() == ErrorKind::NotFound);
    name_is_gone && root.is_dir()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn loops_of_links_are_walked_once() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("a")).unwrap();
        fs::write(root.path().join("a/x.yaml"), "").unwrap();
        for link in ["b", "c", "a/d", "a/e"] {
            symlink(root.path(), root.path().join(link)).unwrap();
        }
        let files: Vec<_> = list(root.path()).files.into_iter().collect();
        assert_eq!(files, [root.path().join("a/x.yaml")]);
    }

    #[test]
    fn what_is_no_regular_file_is_not_waited_for() {
        let root = tempfile::tempdir().unwrap();
        let file = root.path().join("x.yaml");
        symlink("/dev/zero", &file).unwrap();
        let Content::Broken(reason) = content(root.path(), &file) else {
            panic!("it was read")
        };
        assert!(reason.contains("no regular file"), "{reason}");
    }

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
