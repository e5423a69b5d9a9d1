//! From the model to Envoy's resources: pure, incremental, total.

mod output;

pub use output::{
    Change, CredentialSource, Module, ProxyName, Resource, ResourceId, ResourceType, State, Status,
    StatusMessage, Translator, TranslatorOptions, Update,
};
