//! The last good text of each resource, kept across restarts.
//!
//! One file for each file of resources, readable by its owner only, because resources may be secrets; replaced as a
//! whole, so that a crash leaves the old or the new one.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tenon_model::ObjectKey;

use crate::tree;

/// A text, and the resources for which it is the last good one.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Form {
    #[serde(with = "shared")]
    pub(crate) text: Arc<str>,
    keys: BTreeSet<String>,
}

#[derive(Serialize, Deserialize)]
struct Record {
    file: PathBuf,
    forms: Vec<Form>,
}

/// A text that others have too.
mod shared {
    use std::sync::Arc;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(text: &Arc<str>, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(text)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Arc<str>, D::Error> {
        String::deserialize(from).map(Arc::from)
    }
}

impl Form {
    pub(crate) fn new(text: Arc<str>) -> Self {
        Self {
            text,
            keys: BTreeSet::new(),
        }
    }

    pub(crate) fn add(&mut self, key: &ObjectKey) {
        self.keys.insert(tree::name(key));
    }

    /// The resources of another form too.
    pub(crate) fn add_all(&mut self, other: &Self) {
        self.keys.extend(other.keys.iter().cloned());
    }

    pub(crate) fn has(&self, key: &ObjectKey) -> bool {
        self.keys.contains(&tree::name(key))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Keeps the resources that still need it.
    pub(crate) fn keep(&mut self, needed: &BTreeSet<String>) {
        self.keys.retain(|key| needed.contains(key));
    }
}

pub(crate) struct LastGood {
    folder: PathBuf,
}

impl LastGood {
    pub(crate) fn open(folder: &Path) -> io::Result<Self> {
        let folder = folder.join("last-good");
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(&folder)?;
        Ok(Self { folder })
    }

    /// The forms of a file; none if there are none, or they cannot be read: a good file needs none.
    pub(crate) fn load(&self, file: &Path) -> Vec<Form> {
        let record = fs::read(self.path(file))
            .ok()
            .and_then(|bytes| serde_json::from_slice::<Record>(&bytes).ok());
        record
            .filter(|record| record.file == file)
            .map(|record| record.forms)
            .unwrap_or_default()
    }

    pub(crate) fn save(&self, file: &Path, forms: &[Form]) -> io::Result<()> {
        let record = Record {
            file: file.to_owned(),
            forms: forms.to_vec(),
        };
        let mut temporary = tempfile::NamedTempFile::new_in(&self.folder)?;
        temporary.write_all(&serde_json::to_vec(&record)?)?;
        temporary.as_file().sync_data()?;
        temporary.persist(self.path(file))?;
        Ok(())
    }

    pub(crate) fn remove(&self, file: &Path) {
        // It may never have had a good form.
        let _ = fs::remove_file(self.path(file));
    }

    /// Forgets the files below a folder that are gone.
    pub(crate) fn retain(&self, root: &Path, exists: impl Fn(&Path) -> bool) {
        let Ok(entries) = fs::read_dir(&self.folder) else {
            return;
        };
        for path in entries.flatten().map(|entry| entry.path()) {
            let record = fs::read(&path)
                .ok()
                .and_then(|bytes| serde_json::from_slice::<Record>(&bytes).ok());
            if let Some(record) = record
                && record.file.starts_with(root)
                && !exists(&record.file)
            {
                let _ = fs::remove_file(path);
            }
        }
    }

    fn path(&self, file: &Path) -> PathBuf {
        let hash = Sha256::digest(file.as_os_str().as_encoded_bytes());
        let name: String = hash[..16]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        self.folder.join(name + ".json")
    }
}
