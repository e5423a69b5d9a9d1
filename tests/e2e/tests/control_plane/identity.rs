//! An Envoy whose certificate names its proxy, and one whose certificate names another.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use anyhow::Result;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, SanType};
use serde_json::{Value, json};
use tempfile::TempDir;
use tenon_bootstrap::{BootstrapOptions, bootstrap};
use tenon_e2e::{Client, Envoy, EnvoyOptions, Filter, Tenon, TenonOptions, deadline, post};

use super::setting::{object, to_answer, virtual_service};

type Issuer = CertifiedIssuer<'static, KeyPair>;

fn issuer() -> Result<Issuer> {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    Ok(CertifiedIssuer::self_signed(params, KeyPair::generate()?)?)
}

/// Writes a certificate and its key: `<file>.pem` and `<file>.key`.
fn issue(issuer: &Issuer, folder: &Path, file: &str, name: SanType) -> Result<()> {
    let mut params = CertificateParams::default();
    // Another name than the issuer's: where both are the same, Envoy takes the certificate for one that signed itself.
    params.distinguished_name.push(DnType::CommonName, file);
    params.subject_alt_names = vec![name];
    let key = KeyPair::generate()?;
    let certificate = params.signed_by(&key, issuer)?.pem();
    for (ending, text) in [("pem", certificate), ("key", key.serialize_pem())] {
        let new = folder.join("new");
        fs::write(&new, text)?;
        fs::rename(new, folder.join(format!("{file}.{ending}")))?;
    }
    Ok(())
}

/// The bootstrap of an Envoy with a role and a certificate.
fn with_certificate(folder: &Path, xds: SocketAddr, role: &str, file: &str) -> Result<String> {
    let text = bootstrap(&BootstrapOptions {
        node_id: file.into(),
        node_cluster: "gateway".into(),
        role: role.into(),
        xds_addr: xds,
        admin_addr: SocketAddr::from(([127, 0, 0, 1], 0)),
        delta: true,
    });
    let mut bootstrap: Value = serde_json::from_str(&text)?;
    let named = |name: &str| json!({"filename": folder.join(name)});
    bootstrap["static_resources"]["clusters"][0]["transport_socket"] = json!({
        "name": "envoy.transport_sockets.tls",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
            "sni": "tenon.example",
            "common_tls_context": {
                "tls_certificates": [{
                    "certificate_chain": named(&format!("{file}.pem")),
                    "private_key": named(&format!("{file}.key")),
                }],
                "validation_context": {
                    "trusted_ca": named("ca.pem"),
                    "match_typed_subject_alt_names": [{"san_type": "DNS", "matcher": {"exact": "tenon.example"}}],
                },
            },
        },
    });
    Ok(bootstrap.to_string())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_envoy_gets_what_is_of_the_proxy_in_its_certificate_and_is_told_why_not() -> Result<()> {
    let folder = TempDir::with_prefix("tenon-identity-")?;
    let path = folder.path();
    let issuer = issuer()?;
    fs::write(path.join("ca.pem"), issuer.pem())?;
    let server_name = || Ok::<_, anyhow::Error>(SanType::DnsName("tenon.example".try_into()?));
    issue(&issuer, path, "server", server_name()?)?;
    let edge = SanType::URI("spiffe://example.org/proxy/gloo-system/edge".try_into()?);
    issue(&issuer, path, "edge", edge)?;
    let resources = path.join("resources");
    fs::create_dir(&resources)?;
    let gateway = |name: &str| {
        object(
            "Gateway",
            name,
            json!({"bindAddress": "127.0.0.1", "bindPort": 0, "httpGateway": {}, "proxyNames": [name]}),
        )
    };
    for (file, resource) in [
        ("edge", gateway("edge")),
        ("inner", gateway("inner")),
        (
            "routes",
            virtual_service("routes", "*", &[to_answer("/", "hello")]),
        ),
    ] {
        fs::write(resources.join(format!("{file}.yaml")), resource.to_string())?;
    }
    let mut options = TenonOptions::new(&resources, Filter::So);
    options.arguments = [
        "--xds-tls-cert",
        "server.pem",
        "--xds-tls-key",
        "server.key",
        "--xds-client-ca",
        "ca.pem",
    ]
    .map(|argument| match argument.strip_prefix("--") {
        Some(_) => argument.to_owned(),
        None => path.join(argument).display().to_string(),
    })
    .into();
    let tenon = Tenon::serve(options).await?;
    let xds = tenon.ready().xds;

    let config = with_certificate(path, xds, "gloo-system~edge", "edge")?;
    let envoy = Envoy::start_with(&config, &EnvoyOptions::default()).await?;
    let address = envoy.listener("listener-127.0.0.1-0").await?;
    let ask = || async { Client::http1(address).await?.send(post("/", "{}")).await };
    deadline::until("an answer", || async {
        Ok((ask().await?.text() == "hello").then_some(()))
    })
    .await?;

    // The same certificate for another proxy, and for one that there is not.
    for role in ["gloo-system~inner", "gloo-system~nobody"] {
        let config = with_certificate(path, xds, role, "edge")?;
        let refused = Envoy::launch(&config, &EnvoyOptions::default()).await?;
        let text = format!(
            "role {role} needs a client certificate for the URI spiffe://<trust domain>/proxy/"
        );
        for (whose, log) in [
            ("Envoy", &(|| refused.log()) as &dyn Fn() -> String),
            ("Tenon", &|| tenon.log()),
        ] {
            deadline::until(&format!("the refusal in the log of {whose}"), || {
                let found = log().contains(&text);
                async move { Ok(found.then_some(())) }
            })
            .await?;
        }
    }
    let refusals = r#"tenon_xds_refused_clients_total{reason="identity"}"#;
    deadline::until("the refusals to be counted", || async {
        let metrics = tenon.admin().get("/metrics").await?;
        Ok(metrics.contains(refusals).then_some(()))
    })
    .await?;

    // A rotation of the control plane's own certificate: the Envoy that comes back takes it.
    issue(&issuer, path, "server", server_name()?)?;
    let config = with_certificate(path, xds, "gloo-system~edge", "edge")?;
    let again = Envoy::start_with(&config, &EnvoyOptions::default()).await?;
    again.listener("listener-127.0.0.1-0").await?;
    assert!(
        tenon.log().contains("took new certificates for ADS"),
        "{}",
        tenon.log()
    );
    Ok(())
}
