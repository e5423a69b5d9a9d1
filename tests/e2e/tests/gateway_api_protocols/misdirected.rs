//! Requests that a connection is not for, on a real Envoy: HTTPS listeners that share a port, as the conformance suite's
//! `HTTPRouteHTTPSListenerDetectMisdirectedRequests` has them.

use std::fs;

use anyhow::Result;
use serde_json::{Value, json};
use tenon_e2e::deadline::within;
use tenon_e2e::{Authority, Client, PlainDouble, free_port, get};

use super::{at, gateway, resource, to, up_with, upstream};

/// The name that the connection is made with, the host that is asked for on it, and what answers.
const ASKED: [(&str, &str, u16, &str); 16] = [
    ("example.org", "example.org", 200, "v1"),
    ("example.org", "second-example.org", 421, ""),
    ("example.org", "unknown-example.org", 404, ""),
    ("second-example.org", "second-example.org", 200, "v2"),
    ("second-example.org", "SECOND-example.org:443", 200, "v2"),
    ("second-example.org", "example.org", 421, ""),
    ("second-example.org", "unknown-example.org", 421, ""),
    (
        "third-example.wildcard.org",
        "third-example.wildcard.org",
        200,
        "v3",
    ),
    (
        "third-example.wildcard.org",
        "fith-example.wildcard.org",
        200,
        "v3",
    ),
    (
        "third-example.wildcard.org",
        "fourth-example.wildcard.org",
        421,
        "",
    ),
    ("third-example.wildcard.org", "second-example.org", 421, ""),
    ("third-example.wildcard.org", "unknown-example.org", 421, ""),
    (
        "fourth-example.wildcard.org",
        "fourth-example.wildcard.org",
        200,
        "v1",
    ),
    (
        "fourth-example.wildcard.org",
        "fith-example.wildcard.org",
        421,
        "",
    ),
    ("unknown-example.org", "example.org", 200, "v1"),
    ("unknown-example.org", "unknown-example.org", 404, ""),
];

/// Asks all of that of an Envoy of a control plane with these arguments.
async fn ask_all(arguments: &[&str], verified: bool) -> Result<()> {
    let authority = Authority::new()?;
    let port = free_port()?;
    let listener = |name: &str, hostname: Option<&str>| {
        let secrets = json!([{"name": name}]);
        let mut listener = json!({
            "name": name, "port": port, "protocol": "HTTPS", "tls": {"certificateRefs": secrets},
        });
        if let Some(hostname) = hostname {
            listener["hostname"] = json!(hostname);
        }
        listener
    };
    let listeners = json!([
        listener("any", None),
        listener("second", Some("second-example.org")),
        listener("wild", Some("*.wildcard.org")),
        listener("fourth", Some("fourth-example.wildcard.org")),
    ]);
    let mut resources: Vec<Value> = vec![authority.config_map("roots")];
    for name in ["any", "second", "wild", "fourth"] {
        // Good for all of them, as clients want it that keep their connections.
        let names: Vec<_> = ASKED.iter().map(|(name, ..)| *name).collect();
        resources.push(authority.sign_for(&names)?.secret(name, None));
    }
    let mut doubles = Vec::new();
    for name in ["v1", "v2", "v3"] {
        let double = PlainDouble::saying(name).await?;
        resources.push(upstream(name, double.address()));
        doubles.push(double);
    }
    for (name, section, hostnames, backend) in [
        ("one", "any", json!(["example.org"]), "v1"),
        ("two", "second", json!([]), "v2"),
        ("three", "wild", json!([]), "v3"),
        ("four", "fourth", json!([]), "v1"),
    ] {
        // More of them, so that there is something to make a tree of.
        let more = (0..15).map(|number| {
            json!({
                "matches": [{"path": {"value": format!("/not-asked/{number}")}}],
                "backendRefs": [to("v3")],
            })
        });
        let rule = json!({
            "matches": [{"path": {"value": "/detect-misdirected-requests"}}],
            "backendRefs": [to(backend)],
        });
        let spec = json!({
            "parentRefs": [{"name": "gw", "sectionName": section}],
            "hostnames": hostnames,
            "rules": more.chain([rule]).collect::<Vec<_>>(),
        });
        resources.push(resource("HTTPRoute", "v1", name, spec));
    }
    let roots = json!([{"group": "", "kind": "ConfigMap", "name": "roots"}]);
    let validation = json!({"default": {"validation": {"caCertificateRefs": roots}}});
    resources.push(match verified {
        true => gateway(listeners, json!({"tls": {"frontend": validation}})),
        false => gateway(listeners, json!({})),
    });
    let (tenon, _folder) = up_with("gw", arguments, &resources).await?;
    let own = authority.sign("client.test")?;
    let config = authority.client(verified.then_some(&own))?;
    for (name, host, status, text) in ASKED {
        let mut client = Client::tls_http2(at(&tenon, port)?, &config, name).await?;
        // No client can say which listener it came to.
        for forged in [None, Some(host)] {
            let mut request = get("/detect-misdirected-requests");
            let headers = request.headers_mut();
            headers.insert("host", host.parse()?);
            if let Some(forged) = forged {
                headers.insert("x-tenon-listener", forged.parse()?);
            }
            let answer = client.send(request).await?;
            assert_eq!(
                (answer.status, &*answer.text()),
                (status, text),
                "{host} at {name}, {arguments:?}"
            );
        }
    }
    if arguments.contains(&"--trees-above") {
        let routes = "/config_dump?resource=dynamic_route_configs";
        let (_, routes) = tenon.envoy_admin().ask(routes).await?;
        assert!(routes.contains("matcher_tree"), "{routes}");
    }
    for request in doubles.iter().flat_map(PlainDouble::requests) {
        assert!(request.headers.get("x-tenon-listener").is_none());
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_that_a_connection_is_not_for_are_misdirected() -> Result<()> {
    ask_all(&[], false).await?;
    ask_all(&["--trees-above", "1"], false).await?;
    ask_all(&["--parts-above", "1"], false).await?;
    ask_all(&[], true).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_listener_that_gets_a_neighbour_goes_on() -> Result<()> {
    let authority = Authority::new()?;
    let port = free_port()?;
    let web = PlainDouble::saying("web").await?;
    let listener = |name: &str| {
        let tls = json!({"certificateRefs": [{"name": "both"}]});
        let host = format!("{name}.test");
        json!({"name": name, "port": port, "protocol": "HTTPS", "hostname": host, "tls": tls})
    };
    let route = json!({"parentRefs": [{"name": "gw"}], "rules": [{"backendRefs": [to("web")]}]});
    let (tenon, folder) = up_with(
        "gw",
        &[],
        &[
            gateway(json!([listener("a")]), json!({})),
            authority
                .sign_for(&["a.test", "b.test"])?
                .secret("both", None),
            upstream("web", web.address()),
            resource("HTTPRoute", "v1", "web", route),
        ],
    )
    .await?;
    let address = at(&tenon, port)?;
    let config = authority.client(None)?;
    let open = async |name: &str| Client::tls_http2(address, &config, name).await;
    let status = async |client: &mut Client, host: &str| {
        let mut request = get("/");
        request.headers_mut().insert("host", host.parse()?);
        Ok::<_, anyhow::Error>(client.send(request).await?.status)
    };
    let mut kept = open("a.test").await?;
    assert_eq!(status(&mut kept, "a.test").await?, 200);
    let both = gateway(json!([listener("a"), listener("b")]), json!({}));
    fs::write(folder.path().join("0.yaml"), both.to_string())?;
    let turned_away = async {
        loop {
            // An Envoy may end a connection to a listener that has changed, but says so.
            if let Ok(status) = status(&mut kept, "a.test").await {
                assert_eq!(status, 200);
            }
            assert_eq!(status(&mut open("a.test").await?, "a.test").await?, 200);
            if let Ok(mut other) = open("b.test").await {
                // Its routes may come a moment after its listener.
                let own = status(&mut other, "b.test").await?;
                if (own, status(&mut other, "a.test").await?) == (200, 421) {
                    return Ok(());
                }
            }
        }
    };
    within("a request that is turned away", turned_away).await?
}
