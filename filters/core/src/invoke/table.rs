//! The functions of an upstream that calls "by table" are for.

use std::borrow::Cow;
use std::sync::{Arc, OnceLock};

use tenon_contract::{CallConfig, CallTarget, FunctionEntry, FunctionTarget, Provider};

use super::call::Call;
use super::rest;
use crate::matching::{Error as Conflict, Functions, Matched, NoMatch};
use crate::transform::{Invalid, Transformation};

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
    Call(usize, Cow<'static, str>),
    /// Nor is the one that is meant for other requests.
    #[error("calls[{0}].{1}")]
    Matcher(usize, Invalid),
    /// The templates of a function are none.
    #[error("{0}")]
    Templates(String),
    /// A function has no templates.
    #[error("functions[{index}]: there is no REST function {name:?}")]
    Unknown {
        /// Which function, from 0.
        index: usize,
        /// The name that it gives.
        name: String,
    },
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
                    | (FunctionTarget::Rest(_), Provider::Rest(_))
            )
        });
        check_templates(&entries, provider)?;
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
    pub(super) fn resolve(
        &self,
        by_table: &CallByTable,
        index: usize,
        provider: &Provider,
    ) -> Option<Arc<Call>> {
        let (entry, call) = (self.entries.get(index)?, by_table.calls.get(index)?);
        call.get_or_init(|| by_table.of(entry, provider).map(Arc::new))
            .clone()
    }
}

/// Refuses templates at load that no call could use.
fn check_templates(entries: &[FunctionEntry], provider: &Provider) -> Result<(), Error> {
    let Provider::Rest(rest) = provider else {
        return Ok(());
    };
    for (name, template) in &rest.functions {
        Transformation::of_template(template, &[])
            .map_err(|invalid| Error::Templates(rest::said(name, &invalid)))?;
    }
    for (index, entry) in entries.iter().enumerate() {
        if let FunctionTarget::Rest(function) = &entry.target
            && !rest.functions.contains_key(&function.name)
        {
            let name = function.name.clone();
            return Err(Error::Unknown { index, name });
        }
    }
    Ok(())
}

impl CallByTable {
    fn of(&self, entry: &FunctionEntry, provider: &Provider) -> Option<Call> {
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
            (CallTarget::Rest(call), FunctionTarget::Rest(function)) => {
                call.name.clone_from(&function.name);
            }
            _ => return None,
        }
        Call::compile(config, provider, Some(&entry.path)).ok()
    }
}
