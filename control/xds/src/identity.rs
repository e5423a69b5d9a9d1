//! Who a client is, by its certificate.

use std::fmt;

use rustls_pki_types::CertificateDer;

use crate::node::Role;

/// The names of a certificate that was verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identity {
    uris: Vec<String>,
    dns: Vec<String>,
}

impl Identity {
    /// What the subject alternative names of a certificate say; nothing if it cannot be read.
    pub(crate) fn of(certificate: &CertificateDer<'_>) -> Self {
        let names = |names: &mut dyn Iterator<Item = &str>| names.map(ToOwned::to_owned).collect();
        match webpki::EndEntityCert::try_from(certificate) {
            Ok(read) => Self {
                uris: names(&mut read.valid_uri_names()),
                dns: names(&mut read.valid_dns_names()),
            },
            Err(_) => Self {
                uris: Vec::new(),
                dns: Vec::new(),
            },
        }
    }

    /// Whether a name is exactly that of a role; there are no wildcards.
    pub(crate) fn is(&self, role: &Role) -> bool {
        let path = spiffe_path(role);
        let by_uri = |uri: &String| {
            let id = uri.strip_prefix("spiffe://");
            let rest = id.and_then(|id| id.split_once('/'));
            rest.is_some_and(|(domain, rest)| !domain.is_empty() && *rest == path)
        };
        let name = dns_name(role);
        self.uris.iter().any(by_uri) || self.dns.iter().any(|dns| dns.eq_ignore_ascii_case(&name))
    }

    /// Why it may not be a role.
    pub(crate) fn objection(&self, role: &Role) -> String {
        format!(
            "role {role} needs a client certificate for the URI spiffe://<trust domain>/{} or the DNS name {}; this one is \
             for {self}",
            spiffe_path(role),
            dns_name(role)
        )
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self
            .uris
            .iter()
            .chain(&self.dns)
            .map(|name| &**name)
            .collect();
        if names.is_empty() {
            return formatter.write_str("no name of these kinds");
        }
        formatter.write_str(&names.join(", "))
    }
}

fn spiffe_path(role: &Role) -> String {
    format!("proxy/{}/{}", role.namespace, role.proxy)
}

fn dns_name(role: &Role) -> String {
    format!("{}.{}", role.proxy, role.namespace)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(uris: &[&str], dns: &[&str]) -> Identity {
        let owned = |names: &[&str]| names.iter().map(ToString::to_string).collect();
        Identity {
            uris: owned(uris),
            dns: owned(dns),
        }
    }

    fn role(proxy: &str) -> Role {
        Role {
            namespace: "edges".into(),
            proxy: proxy.into(),
        }
    }

    #[test]
    fn a_certificate_is_for_the_proxies_that_it_names_exactly() {
        for (uri, is) in [
            ("spiffe://example.org/proxy/edges/edge", true),
            ("spiffe://example.org/proxy/edges/edge2", false),
            ("spiffe://example.org/proxy/other/edge", false),
            ("spiffe://example.org/more/proxy/edges/edge", false),
            ("spiffe:///proxy/edges/edge", false),
            ("https://example.org/proxy/edges/edge", false),
        ] {
            assert_eq!(identity(&[uri], &[]).is(&role("edge")), is, "{uri}");
        }
        for (dns, is) in [
            ("edge.edges", true),
            ("Edge.Edges", true),
            ("*.edges", false),
            ("edge.edges.svc", false),
            ("edge", false),
        ] {
            assert_eq!(identity(&[], &[dns]).is(&role("edge")), is, "{dns}");
        }
        assert!(identity(&["spiffe://x/other"], &["a.edges", "b.edges"]).is(&role("b")));
        assert!(!identity(&[], &[]).is(&role("edge")));
    }

    #[test]
    fn the_objection_says_what_would_do() {
        let text =
            identity(&["spiffe://example.org/proxy/edges/other"], &[]).objection(&role("edge"));
        assert_eq!(
            text,
            "role edges~edge needs a client certificate for the URI spiffe://<trust domain>/proxy/edges/edge or the DNS \
             name edge.edges; this one is for spiffe://example.org/proxy/edges/other"
        );
        assert!(
            identity(&[], &[])
                .objection(&role("edge"))
                .ends_with("for no name of these kinds")
        );
    }

    #[test]
    fn what_is_no_certificate_is_nobody() {
        let identity = Identity::of(&CertificateDer::from(vec![1, 2, 3]));
        assert!(!identity.is(&role("edge")));
    }
}
