//! The functions of an upstream that calls "by table" are for.

use std::sync::{Arc, OnceLock};

use tenon_contract::{CallConfig, CallTarget, FunctionEntry, FunctionTarget, Provider};

use super::call::Call;
use crate::matching::{Error as Conflict, Functions, Matched, NoMatch};
use crate::transform::Invalid;

/// Why an upstream's configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Its functions cannot be told apart.
    #[error(transparent)]
    Functions(#[from] Conflict),
    /// A function is not of the upstream's provider.
    #[error("functions[{0}]: is of another provider than the upstream")]
    Provider(usize),
    /// A call of a filter among a listener's own is not valid.
    #[error("calls[{0}].call: {1}")]
    Call(usize, &'static str),
    /// Nor is the one that is meant for other requests.
    #[error("calls[{0}].{1}")]
    Matcher(usize, Invalid),
}

/// A table, compiled.
#[derive(Debug, Default)]
pub(super) struct Table {
    functions: Functions,
    entries: Vec<FunctionEntry>,
}

/// A call "by table": how whatever function is called that a request is for.
#[derive(Debug)]
pub(super) struct CallByTable {
    config: CallConfig,
    /// By the number of the function, compiled when it is first called. `None`: it cannot be.
    calls: Box<[OnceLock<Option<Arc<Call>>>]>,
}

impl Table {
    /// Compiles the functions of an upstream of `provider`.
    pub(super) fn compile(entries: Vec<FunctionEntry>, provider: &Provider) -> Result<Self, Error> {
        let functions = Functions::compile(
            entries
                .iter()
                .map(|entry| (&entry.methods[..], &entry.path[..])),
        )?;
        let foreign = entries.iter().position(|entry| {
            !matches!(
                (&entry.target, provider),
                (FunctionTarget::Aws(_), Provider::Aws(_))
                    | (FunctionTarget::Azure(_), Provider::Azure(_))
            )
        });
        match foreign {
            Some(index) => Err(Error::Provider(index)),
            None => Ok(Self { functions, entries }),
        }
    }

    /// A call of whatever function a request is for.
    pub(super) fn call(&self, config: CallConfig) -> CallByTable {
        CallByTable {
            config,
            calls: self.entries.iter().map(|_| OnceLock::new()).collect(),
        }
    }

    /// The function that a request is for.
    pub(super) fn find(&self, method: &[u8], path: &[u8]) -> Result<Matched, NoMatch> {
        self.functions.find(method, path)
    }

    /// The call of the function of a number.
    pub(super) fn resolve(&self, by_table: &CallByTable, index: usize) -> Option<Arc<Call>> {
        let (entry, call) = (self.entries.get(index)?, by_table.calls.get(index)?);
        call.get_or_init(|| by_table.of(entry).map(Arc::new))
            .clone()
    }
}

impl CallByTable {
    fn of(&self, entry: &FunctionEntry) -> Option<Call> {
        let mut config = self.config.clone();
        config.function.clone_from(&entry.function);
        config.by_table = false;
        match (&mut config.target, &entry.target) {
            (CallTarget::Aws(call), FunctionTarget::Aws(function)) => {
                call.name.clone_from(&function.name);
                call.qualifier.clone_from(&function.qualifier);
            }
            (CallTarget::Azure(call), FunctionTarget::Azure(function)) => {
                call.clone_from(function);
            }
            _ => return None,
        }
        let mut call = Call::compile(config).ok()?;
        call.resource = Some(entry.path.clone());
        Some(call)
    }
}
