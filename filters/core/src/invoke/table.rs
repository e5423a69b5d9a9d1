//! The functions of an upstream that calls "by table" are for.

use std::borrow::Cow;
use std::sync::{Arc, OnceLock};

use tenon_contract::transform::TransformationTemplate;
use tenon_contract::{CallConfig, CallTarget, FunctionEntry, FunctionTarget, Provider, Sorted};

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
    entries: Vec<Entry>,
}

/// A function of a table.
#[derive(Debug)]
pub(super) struct Entry {
    function: FunctionEntry,
    /// The templates of a REST function, for calls without parameters of their own.
    pub(super) templates: Option<Arc<Transformation>>,
}

impl Entry {
    /// The template of its path.
    pub(super) fn path(&self) -> &str {
        &self.function.path
    }
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
        let templates = templates(&entries, provider)?;
        if let Some(index) = foreign {
            return Err(Error::Provider(index));
        }
        let entries = entries.into_iter().zip(templates);
        let entries = entries.map(|(function, templates)| Entry {
            function,
            templates,
        });
        Ok(Self {
            functions,
            entries: entries.collect(),
        })
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

/// Compiles the templates of an upstream's functions: those that are found by the table are kept, others are only refused
/// at load where no call could use them.
fn templates(
    entries: &[FunctionEntry],
    provider: &Provider,
) -> Result<Vec<Option<Arc<Transformation>>>, Error> {
    let Provider::Rest(rest) = provider else {
        return Ok(vec![None; entries.len()]);
    };
    let mut kept = Vec::with_capacity(entries.len());
    for (index, entry) in entries.iter().enumerate() {
        kept.push(match &entry.target {
            FunctionTarget::Rest(function) => {
                let name = &function.name;
                let template = rest.functions.get(name).ok_or_else(|| Error::Unknown {
                    index,
                    name: name.clone(),
                })?;
                let names = rest::names(&entry.path);
                Some(Arc::new(compile(name, template, &names)?))
            }
            _ => None,
        });
    }
    let found: Sorted<&str, ()> = entries
        .iter()
        .filter_map(|entry| match &entry.target {
            FunctionTarget::Rest(function) => Some((&*function.name, ())),
            _ => None,
        })
        .collect();
    for (name, template) in &rest.functions {
        if !found.contains_key(&**name) {
            compile(name, template, &[])?;
        }
    }
    Ok(kept)
}

fn compile(
    function: &str,
    template: &TransformationTemplate,
    given: &[String],
) -> Result<Transformation, Error> {
    Transformation::of_template(template, given)
        .map_err(|invalid| Error::Templates(rest::said(function, &invalid)))
}

impl CallByTable {
    fn of(&self, entry: &Entry, provider: &Provider) -> Option<Call> {
        let function = &entry.function;
        let mut config = self.config.clone();
        config.function.clone_from(&function.function);
        config.by_table = false;
        match (&mut config.target, &function.target) {
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
        Call::compile(config, provider, Some(entry)).ok()
    }
}

#[cfg(test)]
mod tests {
    use tenon_contract::FunctionConfig;

    use super::*;

    #[test]
    fn templates_are_compiled_once_for_all_calls_without_parameters() {
        let text = r#"{"version":1,"upstream":{"upstream":"u","rest":{"functions":{"f":{"headers":{"a":{"text":"{{ id }}"}}}}},
            "functions":[{"function":"f","path":"/f/{id}","rest":{"name":"f"}}]}}"#;
        let read = FunctionConfig::from_json(text.as_bytes()).unwrap();
        assert_eq!(read.unknown, Vec::<String>::new());
        let FunctionConfig::Upstream(config) = read.value else {
            panic!("not an upstream")
        };
        let table = Table::compile(config.functions, &config.provider).unwrap();
        let templates = || Arc::strong_count(table.entries[0].templates.as_ref().unwrap());
        let call = |extractors: &str| {
            let rest = format!(
                r#"{{"version":1,"function":"","byTable":true,"rest":{{"name":""{extractors}}}}}"#
            );
            let read = CallConfig::from_json(rest.as_bytes()).unwrap();
            assert_eq!(read.unknown, Vec::<String>::new());
            let call = table.call(read.value);
            assert!(table.resolve(&call, 0, &config.provider).is_some());
            call
        };
        let plain = [call(""), call("")];
        assert_eq!(templates(), 3);
        let own = call(r#","extractors":{"id":{"header":"x-id","regex":"(.*)","subgroup":1}}"#);
        assert_eq!(templates(), 3);
        drop((plain, own));
    }
}
