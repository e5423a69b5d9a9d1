//! Where resources come from.
//!
//! A [`Source`] tells changes in batches; the first batch is all that there is. [`Files`] reads folders of YAML and JSON
//! and watches them. It never translates, and it never takes a resource away because a file is broken or half-written:
//! the last good form stays, and the resource's status says what is wrong.

#![forbid(unsafe_code)]

use tenon_translate::Change;
use tokio::sync::mpsc;

mod files;
mod folder;
mod last_good;
mod pending;
mod tree;

pub use files::{Files, Proofs};

/// Changes that belong together.
#[derive(Debug, Default)]
pub struct Batch {
    /// What changed, one thing after the other.
    pub changes: Vec<Change>,
    /// With the first batch: what was in use in an earlier run, of resources that are others now. It is what to go back to
    /// if the newest form cannot be used ([`Files::with_proofs`]).
    pub last_good: Vec<Change>,
    /// What cannot be told about any resource: a text that does not even say which one it is. Path and reason.
    pub complaints: Vec<String>,
}

/// Why a source cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A folder of resources is not there, or is none.
    #[error("{path}: {reason}")]
    Folder {
        /// The folder.
        path: String,
        /// Why.
        reason: std::io::Error,
    },
    /// Changes cannot be watched.
    #[error("cannot watch {path}: {reason}")]
    Watch {
        /// The folder.
        path: String,
        /// Why.
        reason: notify::Error,
    },
}

/// A place where resources are kept.
pub trait Source {
    /// Reads what is there, without watching it.
    ///
    /// # Errors
    /// The place cannot be read.
    fn read(&mut self) -> Result<Batch, Error>;

    /// Tells what is there, and then every change, until the receiver is dropped.
    ///
    /// # Errors
    /// The place cannot be read or watched.
    fn watch(self) -> Result<mpsc::Receiver<Batch>, Error>;
}
