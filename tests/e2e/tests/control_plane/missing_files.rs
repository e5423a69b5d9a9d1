//! Files of certificates that are not there where Envoy runs.

use super::*;

/// Envoy's words name the file and no resource; over SDS each secret is found out by itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_that_envoy_cannot_read_are_said_of_who_named_them() -> Result<()> {
    let setting = Resources::new()?
        .put(
            "plain",
            &virtual_service("plain", "*", &[to_answer("/", "plain")]),
        )?
        .start(Filter::So)
        .await?;
    let gateway = json!({
        "bindAddress": "127.0.0.1",
        "bindPort": tenon_e2e::free_port()?,
        "ssl": true,
        "httpGateway": {},
    });
    let file = |name: &str| setting.folder().join(name);
    let mut secure = virtual_service("secure", "secure.example", &[to_answer("/", "secure")]);
    secure["spec"]["sslConfig"] = json!({
        "sslFiles": {"tlsCert": file("tls.crt"), "tlsKey": file("tls.key"), "rootCa": file("ca.crt")},
        "sniDomains": ["secure.example"],
    });
    setting.put("secure-gateway", &object("Gateway", "secure", gateway))?;
    setting.put("secure", &secure)?;
    let path = file("").display().to_string();
    let words = ["Envoy refuses it: ", &path];
    setting
        .has_status("VirtualService", "secure", "Rejected", &words)
        .await?;
    for (kind, name) in [("VirtualService", "plain"), ("Gateway", "gateway")] {
        setting.has_status(kind, name, "Accepted", &[]).await?;
    }
    setting.put(
        "plain",
        &virtual_service("plain", "*", &[to_answer("/", "edited")]),
    )?;
    setting.sees("/", |answer| answer.text() == "edited").await
}
