//! Other objects that a listener's options name.

use std::collections::BTreeSet;

use tenon_model::http_listener::{
    HttpListenerOptions, ListenerExtProc, ListenerExtProcEarly, ListenerExtProcLate,
};
use tenon_model::listener_tracing::Collector;
use tenon_model::options::ext_proc::ExtProcServer;
use tenon_model::{Kind, ObjectKey, ObjectRef, Problem};

use super::HttpForm;
use crate::cluster::{self, Secrets};
use crate::options;
use crate::route::Upstreams;
use crate::transcoder;

/// What a listener's options come to.
pub(crate) struct Found {
    pub(crate) form: HttpForm,
    pub(crate) problems: Vec<Problem>,
    /// What was looked at.
    pub(crate) reads: BTreeSet<ObjectKey>,
}

/// Looks for what options name; `path` is their own. What is not there is left out, because Envoy would refuse the listener.
pub(crate) fn look_up(
    path: &str,
    options: &HttpListenerOptions,
    (upstreams, secrets): (&impl Upstreams, &impl Secrets),
) -> Found {
    let mut found = Found {
        form: HttpForm {
            options: options.clone(),
            transcoder: None,
        },
        problems: Vec::new(),
        reads: BTreeSet::new(),
    };
    found.collector(path, upstreams);
    for (field, upstream) in servers(options) {
        let so_what = ", which is to be asked";
        found.has(&format!("{path}.{field}"), upstream, so_what, upstreams);
    }
    let forwarded = options.dynamic_forward_proxy.as_ref();
    if let Some(ssl) = forwarded.and_then(|it| it.ssl_config.as_ref()) {
        let at = format!("{path}.dynamicForwardProxy.sslConfig");
        let (problems, reads) = cluster::check_tls(ssl, &at, secrets);
        found.problems.extend(problems);
        found.reads.extend(reads);
    }
    if let Some(spec) = &options.grpc_json_transcoder {
        match transcoder::config(spec, secrets, &mut found.reads) {
            Ok(config) => found.form.transcoder = config,
            Err((field, text)) => {
                let field = format!("{path}.grpcJsonTranscoder.{field}");
                found.problems.push(Problem::error(field, text));
            }
        }
    }
    found
}

impl Found {
    fn collector(&mut self, path: &str, upstreams: &impl Upstreams) {
        let settings = &self.form.options.http_connection_manager_settings;
        let tracing = settings.tracing.as_ref();
        let Some(provider) = tracing.and_then(|it| it.provider.clone()) else {
            return;
        };
        if let Collector::CollectorUpstreamRef(upstream) = provider.collector() {
            let field = format!(
                "{path}.httpConnectionManagerSettings.tracing.{}.collectorUpstreamRef",
                provider.field()
            );
            if !self.has(&field, upstream, ": nothing is traced", upstreams) {
                let options = &mut self.form.options;
                options.http_connection_manager_settings.tracing = None;
            }
        }
    }

    fn has(
        &mut self,
        field: &str,
        upstream: &ObjectRef,
        so_what: &str,
        upstreams: &impl Upstreams,
    ) -> bool {
        self.reads.insert(upstream.key(Kind::Upstream));
        let there = options::server(upstream, upstreams);
        // It may come yet.
        if let Err(reason) = &there {
            let text = format!("{reason}{so_what}");
            self.problems.push(Problem::warning(field, text));
        }
        there.is_ok()
    }
}

/// The upstreams that are asked on the way of a request, and where they are named.
fn servers(options: &HttpListenerOptions) -> Vec<(&'static str, &ObjectRef)> {
    let auth = options.extauth.as_ref();
    let auth = auth.map(|it| ("extauth.extauthzServerRef", &it.extauthz_server_ref));
    let limit = options.ratelimit_server.as_ref().map(|it| {
        let field = "ratelimitServer.ratelimitServerRef";
        (field, &it.ratelimit_server_ref)
    });
    fn proc<'a>(
        field: &'static str,
        server: &'a ExtProcServer,
    ) -> Option<(&'static str, &'a ObjectRef)> {
        Some((field, &server.grpc_service.ext_proc_server_ref))
    }
    let early = options.ext_proc_early.as_ref().and_then(|it| match it {
        ListenerExtProcEarly::DisableExtProcEarly(_) => None,
        ListenerExtProcEarly::ExtProcEarly(it) => {
            proc("extProcEarly.grpcService.extProcServerRef", it)
        }
    });
    let regular = options.ext_proc.as_ref().and_then(|it| match it {
        ListenerExtProc::DisableExtProc(_) => None,
        ListenerExtProc::ExtProc(it) => proc("extProc.grpcService.extProcServerRef", it),
    });
    let late = options.ext_proc_late.as_ref().and_then(|it| match it {
        ListenerExtProcLate::DisableExtProcLate(_) => None,
        ListenerExtProcLate::ExtProcLate(it) => {
            proc("extProcLate.grpcService.extProcServerRef", it)
        }
    });
    [auth, limit, early, regular, late]
        .into_iter()
        .flatten()
        .collect()
}
