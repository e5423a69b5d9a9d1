//! TLS of a gateway's listeners: their certificates, and what clients are verified with.

use std::sync::Arc;

use tenon_model::gateway_api::{
    FrontendValidation, FullRef, GROUP, KubernetesGateway, Listener, ListenerTls, SecretRef,
    TlsMode, ValidationMode,
};
use tenon_model::{
    ClientRoots, Kind, ObjectKey, ObjectRef, Problem, Secret, Spec, SslCertificates, SslConfig,
};

use super::{Known, Reason, Seen};

/// What the TLS of a listener comes to.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct TlsForm {
    /// As a virtual service has it, for the listener's hostname; nothing: it is not the gateway that ends it.
    pub(crate) ssl: Option<Arc<SslConfig>>,
    /// What it refers to and is not there, or not to be used.
    pub(crate) unresolved: Option<Reason>,
    /// The field that says that.
    pub(crate) unresolved_at: String,
    /// Why it cannot be served as it is, though it would be good.
    pub(crate) unusable: Option<Reason>,
    /// Why it is not accepted.
    pub(crate) refused: Option<Reason>,
    /// What else is worth a word.
    pub(crate) problems: Vec<Problem>,
}

/// `path` is the listener's field, `owner` the Gateway or ListenerSet that has it.
pub(crate) fn resolve(
    path: &str,
    (owner, (key, gateway)): (&ObjectKey, (&ObjectKey, &KubernetesGateway)),
    listener: &Listener,
    known: &Seen<'_, impl Known>,
) -> TlsForm {
    let mut form = TlsForm::default();
    let mode = listener.tls.as_ref().map(|it| it.mode);
    if !["HTTPS", "TLS"].contains(&&*listener.protocol) || mode == Some(TlsMode::Passthrough) {
        return form;
    }
    let (mut ssl, warnings) = match &listener.tls {
        Some(tls) => tls.ssl_options(&format!("{path}.tls.options")),
        None => (SslConfig::default(), Vec::new()),
    };
    form.problems = warnings;
    // Roots beside the certificate are not meant for clients, unless an option says so.
    ssl.one_way_tls.get_or_insert(true);
    ssl.is_apart = true;
    ssl.sni_domains = listener.hostname.iter().cloned().collect();
    let mut certificates = Vec::new();
    let refs = listener
        .tls
        .iter()
        .flat_map(|tls: &ListenerTls| &tls.certificate_refs);
    for (index, reference) in refs.enumerate() {
        match certificate(owner, reference, known) {
            Ok(found) => certificates.push(found),
            Err(reason) => {
                form.lacks(format!("{path}.tls.certificateRefs[{index}]"), reason);
            }
        }
    }
    if certificates.is_empty() {
        let none = Reason::new("InvalidCertificateRef", "it names no certificate");
        form.lacks(format!("{path}.tls"), none);
        let text = form.unresolved.iter().map(|it| it.message.clone());
        form.unusable = Some(Reason::new("Invalid", text.collect::<String>()));
        return form;
    }
    ssl.more_certificates = certificates.split_off(1);
    ssl.certificates = certificates.pop().map(SslCertificates::SecretRef);
    if let Some((field, validation)) = validation(gateway, listener) {
        form.verify((key, &field), validation, &mut ssl, known);
    }
    form.ssl = Some(Arc::new(ssl));
    form
}

impl TlsForm {
    fn lacks(&mut self, field: String, reason: Reason) {
        if self.unresolved.is_none() {
            self.unresolved_at = field;
            self.unresolved = Some(reason);
        }
    }

    /// `field` says what clients are verified with.
    fn verify(
        &mut self,
        (key, field): (&ObjectKey, &str),
        validation: &FrontendValidation,
        ssl: &mut SslConfig,
        known: &Seen<'_, impl Known>,
    ) {
        let mut pem = String::new();
        for (index, reference) in validation.ca_certificate_refs.iter().enumerate() {
            match roots(key, reference, known) {
                Ok(roots) => {
                    pem.push_str(roots.trim_end());
                    pem.push('\n');
                }
                Err(reason) => {
                    self.lacks(format!("{field}.caCertificateRefs[{index}]"), reason);
                }
            }
        }
        if pem.is_empty() {
            let text = "none of its caCertificateRefs can be used";
            self.refused = Some(Reason::new("NoValidCACertificate", text));
        }
        ssl.clients = Some(ClientRoots {
            pem,
            required: validation.mode == ValidationMode::AllowValidOnly,
        });
    }
}

/// Whether clients need not have a good certificate somewhere, though they are asked for one.
pub(crate) fn is_insecure(gateway: &KubernetesGateway) -> bool {
    let frontend = gateway.tls.as_ref().and_then(|tls| tls.frontend.as_ref());
    let all = frontend.into_iter().flat_map(|it| {
        let ports = it.per_port.iter().map(|port| &port.tls);
        ports.chain([&it.default])
    });
    let mut validations = all.filter_map(|tls| tls.validation.as_ref());
    validations.any(|it| it.mode == ValidationMode::AllowInsecureFallback)
}

/// What clients are verified with at the port of a listener, if it is for HTTPS, and the field that says it.
fn validation<'a>(
    gateway: &'a KubernetesGateway,
    listener: &Listener,
) -> Option<(String, &'a FrontendValidation)> {
    let frontend = gateway.tls.as_ref()?.frontend.as_ref()?;
    let mut ports = frontend.per_port.iter().enumerate();
    let (field, tls) = match ports.find(|(_, it)| it.port == listener.port) {
        Some((index, port)) => (format!("perPort[{index}].tls"), &port.tls),
        None => ("default".to_owned(), &frontend.default),
    };
    let validation = tls.validation.as_ref()?;
    let field = format!("spec.tls.frontend.{field}.validation");
    (listener.protocol == "HTTPS").then_some((field, validation))
}

/// The secret of the certificate that a gateway shows to backends, if it says one, or why there is none.
pub(crate) fn client_certificate(
    key: &ObjectKey,
    gateway: &KubernetesGateway,
    known: &Seen<'_, impl Known>,
) -> Option<Result<ObjectRef, Reason>> {
    let backend = gateway.tls.as_ref()?.backend.as_ref()?;
    let reference = backend.client_certificate_ref.as_ref()?;
    let found = certificate(key, reference, known);
    Some(found.map_err(|why| match why.reason {
        "InvalidCertificateRef" => Reason::new("InvalidClientCertificateRef", why.message),
        _ => why,
    }))
}

/// The secret of a certificate.
fn certificate(
    owner: &ObjectKey,
    reference: &SecretRef,
    known: &Seen<'_, impl Known>,
) -> Result<ObjectRef, Reason> {
    let invalid = |text: String| Err(Reason::new("InvalidCertificateRef", text));
    let is_secret = ["", "core"].contains(&&*reference.group) && reference.kind == "Secret";
    if !is_secret {
        return invalid(format!(
            "certificates are Secrets, not a {}{}",
            reference.kind,
            of_group(&reference.group)
        ));
    }
    let namespace = reference.namespace.as_deref().unwrap_or(&owner.namespace);
    permitted(owner, (Kind::Secret, namespace, &reference.name), known)?;
    let secret = ObjectRef {
        namespace: namespace.into(),
        name: reference.name.as_str().into(),
    };
    let key = secret.key(Kind::Secret);
    match known.spec(&key) {
        Some(Spec::Secret(found)) => match found {
            Secret::Tls(tls) if tls.cert_chain.is_some() => Ok(secret),
            _ => invalid(format!("Secret {secret} has no certificate with its key")),
        },
        _ if known.is_there(&key) => {
            invalid(format!("Secret {secret} is rejected; its status says why"))
        }
        _ => invalid(format!("Secret {secret} does not exist")),
    }
}

/// What `ca.crt` of a ConfigMap or of a Secret says.
fn roots<'a>(
    gateway: &ObjectKey,
    reference: &FullRef,
    known: &Seen<'a, impl Known>,
) -> Result<&'a str, Reason> {
    let kind = match (reference.group.as_str(), reference.kind.as_str()) {
        ("" | "core", "ConfigMap") => Kind::ConfigMap,
        ("" | "core", "Secret") => Kind::Secret,
        (group, kind) => {
            let text = format!(
                "roots are in ConfigMaps or Secrets, not in a {kind}{}",
                of_group(group)
            );
            return Err(Reason::new("InvalidCACertificateKind", text));
        }
    };
    let namespace = reference.namespace.as_deref().unwrap_or(&gateway.namespace);
    permitted(gateway, (kind, namespace, &reference.name), known)?;
    let named = ObjectRef {
        namespace: namespace.into(),
        name: reference.name.as_str().into(),
    };
    bundle(kind, &named, known).map_err(|text| Reason::new("InvalidCACertificateRef", text))
}

/// The roots that a ConfigMap or a Secret has.
pub(crate) fn bundle<'a>(
    kind: Kind,
    named: &ObjectRef,
    known: &Seen<'a, impl Known>,
) -> Result<&'a str, String> {
    let key = named.key(kind);
    let roots = match known.spec(&key) {
        Some(Spec::ConfigMap(map)) => map.data.get("ca.crt").map(String::as_str),
        Some(Spec::Secret(secret)) => match secret {
            Secret::Tls(tls) => tls.root_ca.as_deref(),
            _ => None,
        },
        _ if known.is_there(&key) => return Err(format!("{key} is rejected; its status says why")),
        _ => return Err(format!("{key} does not exist")),
    };
    let roots = roots.ok_or_else(|| format!("{key} has no ca.crt"))?;
    match tenon_model::check_roots(roots) {
        Ok(()) => Ok(roots),
        Err(reason) => Err(format!("ca.crt of {key}: {reason}")),
    }
}

fn permitted(
    owner: &ObjectKey,
    (kind, namespace, name): (Kind, &str, &str),
    known: &Seen<'_, impl Known>,
) -> Result<(), Reason> {
    let of = owner.kind.to_string();
    let from = (GROUP, of.as_str(), &*owner.namespace);
    let to = kind.to_string();
    if known.may_refer(from, ("", &to, namespace), name) {
        return Ok(());
    }
    let text = format!(
        "no ReferenceGrant in namespace {namespace} permits {of}s of namespace {} to refer to {kind} {name}",
        owner.namespace
    );
    Err(Reason::new("RefNotPermitted", text))
}

fn of_group(group: &str) -> String {
    match group {
        "" => String::new(),
        group => format!(" of {group}"),
    }
}
