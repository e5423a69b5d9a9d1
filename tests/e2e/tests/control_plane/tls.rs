//! TLS towards clients, on a real Envoy: which certificate a name gets, who is let in, and what a rotation costs.

use anyhow::Result;
use tenon_e2e::{Authority, Identity};

use super::*;

fn secure_gateway() -> Value {
    let spec = json!({"bindAddress": "127.0.0.1", "bindPort": 0, "ssl": true, "httpGateway": {}});
    object("Gateway", "gateway", spec)
}

fn secure(name: &str, secret: &str) -> Value {
    let domain = format!("{name}.example");
    object(
        "VirtualService",
        name,
        json!({
            "sslConfig": {
                "secretRef": {"name": secret, "namespace": "default"},
                "sniDomains": [domain],
            },
            "virtualHost": {"domains": [domain], "routes": [to_answer("/", name)]},
        }),
    )
}

async fn ask(client: &mut Client, host: &str) -> Result<tenon_e2e::Response> {
    let mut request = get("/");
    request.headers_mut().insert("host", host.parse()?);
    client.send(request).await
}

/// Two virtual hosts, `one.example` and `two.example`, each with its certificate.
async fn with_two_names() -> Result<(Authority, setting::Setting, [Identity; 2])> {
    let authority = Authority::new()?;
    let (one, two) = (
        authority.sign("one.example")?,
        authority.sign("two.example")?,
    );
    let setting = Resources::new()?
        .put("gateway", &secure_gateway())?
        .put("one-secret", &one.secret("one", None))?
        .put("two-secret", &two.secret("two", None))?
        .put("one", &secure("one", "one"))?
        .put("two", &secure("two", "two"))?
        .start(Filter::So)
        .await?;
    Ok((authority, setting, [one, two]))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_gets_its_certificate_and_its_virtual_host() -> Result<()> {
    let (authority, setting, [one, two]) = with_two_names().await?;
    let trusting = authority.client(None)?;
    for (name, identity) in [("one", &one), ("two", &two)] {
        let host = format!("{name}.example");
        let (mut client, shown) = Client::tls(setting.address, trusting.clone(), &host).await?;
        assert_eq!(shown, *identity.der());
        assert_eq!(ask(&mut client, &host).await?.text(), name);
    }
    // Nobody has a certificate for it.
    let refused = Client::tls(setting.address, trusting, "three.example").await;
    assert!(refused.is_err());
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_has_to_show_a_certificate_is_let_in_by_no_other_name() -> Result<()> {
    let authority = Authority::new()?;
    let (open, closed) = (
        authority.sign("open.example")?,
        authority.sign("closed.example")?,
    );
    let setting = Resources::new()?
        .put("gateway", &secure_gateway())?
        .put("open-secret", &open.secret("open", None))?
        .put("closed-secret", &closed.secret("closed", Some(&authority)))?
        .put("open", &secure("open", "open"))?
        .put("closed", &secure("closed", "closed"))?
        .start(Filter::So)
        .await?;
    let (without, with) = (
        authority.client(None)?,
        authority.client(Some(&authority.sign("client.example")?))?,
    );
    let (mut client, _) = Client::tls(setting.address, with, "closed.example").await?;
    assert_eq!(ask(&mut client, "closed.example").await?.text(), "closed");
    // In TLS 1.3 the client is done before the server looked at its certificate: the first answer tells.
    let refused = async {
        let (mut client, _) =
            Client::tls(setting.address, without.clone(), "closed.example").await?;
        ask(&mut client, "closed.example").await
    };
    assert!(refused.await.is_err());
    let (mut client, _) = Client::tls(setting.address, without, "open.example").await?;
    assert_eq!(ask(&mut client, "open.example").await?.text(), "open");
    assert_eq!(ask(&mut client, "closed.example").await?.status, 404);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_certificate_costs_no_connection_and_a_lost_one_nothing_before_a_restart()
-> Result<()> {
    let (authority, mut setting, [one, _]) = with_two_names().await?;
    let trusting = authority.client(None)?;
    let (mut old, shown) = Client::tls(setting.address, trusting.clone(), "one.example").await?;
    assert_eq!(shown, *one.der());
    let before = changes(&setting.envoy).await?;
    let new = authority.sign("one.example")?;
    setting.put("one-secret", &new.secret("one", None))?;
    let (address, trusting) = (setting.address, &trusting);
    deadline::until("the new certificate", || {
        let (trusting, new) = (trusting.clone(), new.der());
        async move {
            let (_, shown) = Client::tls(address, trusting, "one.example").await?;
            Ok((shown == *new).then_some(()))
        }
    })
    .await?;
    assert_eq!(ask(&mut old, "one.example").await?.text(), "one");
    assert_eq!(changes(&setting.envoy).await?, before);
    setting.remove("one-secret")?;
    setting
        .has_status("VirtualService", "one", "Warning", &["keeps it until"])
        .await?;
    // Nothing of it is on a disk.
    for replaced in [false, true] {
        if replaced {
            setting.replace_envoy(|| Ok(())).await?;
        }
        let trusting = trusting.clone();
        let (mut client, shown) = Client::tls(setting.address, trusting, "one.example").await?;
        assert_eq!(shown, *new.der());
        assert_eq!(ask(&mut client, "one.example").await?.text(), "one");
    }
    setting.tenon.process().kill()?;
    setting.tenon.serve_again().await?;
    let address = setting.address;
    deadline::until("no certificate", || {
        let trusting = trusting.clone();
        async move {
            let refused = Client::tls(address, trusting, "one.example").await.is_err();
            Ok(refused.then_some(()))
        }
    })
    .await?;
    let (mut client, _) = Client::tls(address, trusting.clone(), "two.example").await?;
    assert_eq!(ask(&mut client, "two.example").await?.text(), "two");
    let words = ["does not exist: nothing is served with it"];
    setting
        .has_status("VirtualService", "one", "Warning", &words)
        .await?;
    Ok(())
}
