//! Servers of the user's that are asked on the way of a request (of the Settings).

use std::collections::BTreeMap;

use tenon_model_derive::Read;

use crate::ObjectRef;
use crate::options::ext_auth::ExtAuthServer;
use crate::options::ext_proc::ExtProcServer;
use crate::options::rate_limit::RateLimitServer;
use crate::options::rbac::RbacSettings;

/// Servers of the user's that are asked on the way of a request.
#[derive(Debug, Clone, PartialEq, Default, Read)]
pub struct Servers {
    /// Whether requests may pass.
    pub extauth: Option<ExtAuthServer>,
    /// The same: others, by name.
    pub named_extauth: BTreeMap<String, ExtAuthServer>,
    /// How often requests may come.
    pub ratelimit_server: Option<RateLimitServer>,
    /// One that sees and changes all requests and responses.
    pub ext_proc: Option<ExtProcServer>,
    /// The same, at an earlier place.
    pub ext_proc_early: Option<ExtProcServer>,
    /// The same, at a later place.
    pub ext_proc_late: Option<ExtProcServer>,
    /// What clients may do where nothing is said.
    #[read(default)]
    pub rbac: RbacSettings,
}

impl Servers {
    /// Who is asked whether requests may pass, by name; empty: the one without.
    pub fn ext_auth(&self, name: &str) -> Option<&ExtAuthServer> {
        match name {
            "" => self.extauth.as_ref(),
            name => self.named_extauth.get(name),
        }
    }

    /// The names of those.
    pub fn ext_auth_names(&self) -> impl Iterator<Item = &str> {
        let unnamed = self.extauth.iter().map(|_| "");
        unnamed.chain(self.named_extauth.keys().map(String::as_str))
    }

    /// The header in which it is told who the client is.
    pub fn user_id_header(&self) -> &str {
        match self.extauth.as_ref().map(|it| it.user_id_header.as_str()) {
            None | Some("") => "x-user-id",
            Some(header) => header,
        }
    }

    /// The upstreams of all of them.
    pub fn upstreams(&self) -> impl Iterator<Item = &ObjectRef> {
        let auth = self.extauth.iter().chain(self.named_extauth.values());
        let limit = self.ratelimit_server.iter();
        let proc = [&self.ext_proc_early, &self.ext_proc, &self.ext_proc_late];
        let proc = proc.into_iter().flatten();
        auth.map(|it| &it.extauthz_server_ref)
            .chain(limit.map(|it| &it.ratelimit_server_ref))
            .chain(proc.map(|it| &it.grpc_service.ext_proc_server_ref))
    }
}
