//! Certificates that gateways show to backends, where a BackendTLSPolicy has them spoken to over TLS: the clusters of such
//! a backend are other ones at each proxy whose gateway shows one, under the same names.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use tenon_model::{Kind, Object, ObjectKey, ObjectRef, Spec, SslCertificates, Upstream};

use super::super::{Translator, Work};
use crate::cluster::{self, ClusterForm};
use crate::gateway_api::listeners::GatewayForm;
use crate::names;
use crate::output::ProxyName;

/// The secrets of the certificates, by the proxies that show them.
#[derive(Default)]
pub(super) struct Shown(BTreeMap<ProxyName, ObjectRef>);

/// The clusters of an upstream as some proxies get them, by their names.
pub(in crate::engine) type Apart = BTreeMap<ProxyName, Vec<(Arc<str>, Bytes)>>;

impl Translator {
    /// A gateway has another form than before, which may show another certificate.
    pub(super) fn change_shown(
        &mut self,
        (old, new): (Option<&GatewayForm>, Option<&GatewayForm>),
        work: &mut Work,
    ) {
        let [before, after] = [old, new].map(|form| form.and_then(GatewayForm::client_certificate));
        if before == after {
            return;
        }
        let shown = &mut self.front.shown.0;
        if let Some(old) = old {
            shown.remove(old.proxy.as_str());
        }
        if let (Some(new), Some(certificate)) = (new, after) {
            let proxy = ProxyName::from(new.proxy.as_str());
            shown.insert(proxy, certificate.clone());
        }
        let secrets = [before, after].into_iter().flatten();
        work.secrets
            .extend(secrets.map(|certificate| certificate.key(Kind::Secret)));
        let verified = self.clusters.unsorted();
        let verified = verified.filter(|(_, form)| is_verified(form).is_some());
        work.told.extend(verified.map(|(key, _)| key.clone()));
    }

    /// Whether a gateway shows a certificate.
    pub(in crate::engine) fn is_shown(&self, secret: &ObjectKey) -> bool {
        let mut shown = self.front.shown.0.values();
        shown.any(|certificate| certificate.key(Kind::Secret) == *secret)
    }

    /// Whether a proxy's gateway shows a certificate, which is served under this name.
    pub(in crate::engine) fn shows(
        &self,
        proxy: &ProxyName,
        secret: &ObjectKey,
        name: &str,
    ) -> bool {
        let shown = self.front.shown.0.get(proxy);
        shown.is_some_and(|certificate| {
            certificate.key(Kind::Secret) == *secret && names::tls_certificate(certificate) == name
        })
    }

    /// The clusters of an upstream as those proxies get them whose gateways show a certificate.
    pub(in crate::engine) fn apart(&self, key: &ObjectKey) -> Apart {
        let shown = &self.front.shown.0;
        let form = self.clusters.get(key).filter(|_| !shown.is_empty());
        let Some((object, upstream)) = form.and_then(|form| is_verified(form)) else {
            return Apart::new();
        };
        let mut forms: BTreeMap<&ObjectRef, Vec<_>> = BTreeMap::new();
        let mut apart = Apart::new();
        for (proxy, certificate) in shown {
            if self.reaches(proxy, key) {
                let clusters = forms
                    .entry(certificate)
                    .or_insert_with(|| self.showing(&object.key, upstream, certificate));
                apart.insert(proxy.clone(), clusters.clone());
            }
        }
        apart
    }

    fn showing(
        &self,
        key: &ObjectKey,
        upstream: &Upstream,
        certificate: &ObjectRef,
    ) -> Vec<(Arc<str>, Bytes)> {
        let mut upstream = upstream.clone();
        if let Some(ssl) = &mut upstream.ssl_config {
            ssl.certificates = Some(SslCertificates::SecretRef(certificate.clone()));
        }
        let module = &self.options.module;
        let form = cluster::translate(key, &upstream, module, &self.objects);
        form.clusters
    }
}

/// The upstream that is served, if it is verified as a policy says.
fn is_verified(form: &ClusterForm) -> Option<(&Object, &Upstream)> {
    let object = form.good.as_deref()?;
    match &object.spec {
        Spec::Upstream(upstream) => {
            let ssl = upstream.ssl_config.as_ref()?;
            ssl.backend.is_some().then_some((object, upstream))
        }
        _ => None,
    }
}
