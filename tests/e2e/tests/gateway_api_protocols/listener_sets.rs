//! ListenerSets: more listeners for a gateway, of which the first in the order is served, by requests.

use std::fs;

use anyhow::Result;
use serde_json::{Value, json};
use tenon_e2e::{Authority, Client, PlainDouble, Tenon, deadline, free_port};

use super::{ask, at, gateway, resource, to, up, upstream};

/// A ListenerSet of the gateway.
fn listener_set(name: &str, created: &str, listeners: Value) -> Value {
    let spec = json!({"parentRef": {"name": "gw"}, "listeners": listeners});
    let mut set = resource("ListenerSet", "v1", name, spec);
    set["metadata"]["creationTimestamp"] = created.into();
    set
}

/// A route of a parent, to an upstream of its own name.
fn route(name: &str, parent: Value) -> Value {
    let spec = json!({"parentRefs": [parent], "rules": [{"backendRefs": [to(name)]}]});
    resource("HTTPRoute", "v1", name, spec)
}

fn of_set(name: &str) -> Value {
    json!({"kind": "ListenerSet", "name": name})
}

/// What a host at a port answers.
async fn answer(tenon: &Tenon, port: u16, host: &str) -> Result<(u16, String)> {
    let mut client = Client::http1(at(tenon, port)?).await?;
    let answer = ask(&mut client, host).await?;
    Ok((answer.status, answer.text()))
}

async fn comes_to_answer(
    tenon: &Tenon,
    (port, host): (u16, &str),
    expected: (u16, &str),
) -> Result<()> {
    let what = format!("{host} answers {expected:?}");
    deadline::until(&what, || async {
        let (status, text) = answer(tenon, port, host).await?;
        Ok(((status, &*text) == expected).then_some(()))
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn listeners_of_listener_sets_are_served_and_the_first_of_those_that_conflict() -> Result<()>
{
    let authority = Authority::new()?;
    let identity = authority.sign("tls.test")?;
    let (own, first, second) = (
        PlainDouble::saying("own").await?,
        PlainDouble::saying("first").await?,
        PlainDouble::saying("second").await?,
    );
    let (shared, more, secure) = (free_port()?, free_port()?, free_port()?);
    let http = |name: &str, port: u16, host: &str| json!({"name": name, "port": port, "protocol": "HTTP", "hostname": host});
    let of_first = json!([
        http("shared", shared, "shared.test"),
        http("more", more, "more.test"),
        {
            "name": "tls", "port": secure, "protocol": "HTTPS", "hostname": "tls.test",
            "tls": {"certificateRefs": [{"name": "identity"}]},
        },
    ]);
    let of_second = json!([
        http("shared", shared, "shared.test"),
        http("of-gateway", shared, "own.test"),
        http("apart", shared, "apart.test"),
    ]);
    let allowing = |from: &str| {
        let listeners = json!([http("own", shared, "own.test")]);
        let allowed = json!({"allowedListeners": {"namespaces": {"from": from}}});
        gateway(listeners, allowed)
    };
    let (tenon, folder) = up(&[
        allowing("Same"),
        listener_set("first", "2026-01-01T00:00:00Z", of_first),
        listener_set("second", "2026-01-02T00:00:00Z", of_second),
        route("own", json!({"name": "gw"})),
        route("first", of_set("first")),
        route("second", of_set("second")),
        upstream("own", own.address()),
        upstream("first", first.address()),
        upstream("second", second.address()),
        identity.secret("identity", None),
    ])
    .await?;
    for (port, host, expected) in [
        (shared, "own.test", "own"),
        (shared, "shared.test", "first"),
        (more, "more.test", "first"),
        (shared, "apart.test", "second"),
    ] {
        let found = answer(&tenon, port, host).await?;
        assert_eq!(found, (200, expected.to_owned()), "{host}");
    }
    assert_eq!(answer(&tenon, more, "shared.test").await?.0, 404);
    let trusting = authority.client(None)?;
    let (mut client, shown) = Client::tls(at(&tenon, secure)?, trusting, "tls.test").await?;
    assert_eq!(shown, *identity.der());
    assert_eq!(ask(&mut client, "tls.test").await?.text(), "first");
    // The next in the order gets what the first had.
    fs::remove_file(folder.path().join("1.yaml"))?;
    comes_to_answer(&tenon, (shared, "shared.test"), (200, "second")).await?;
    assert_eq!(answer(&tenon, shared, "own.test").await?.1, "own");
    // Without being allowed they have no listeners; the gateway's own stays.
    let edited = folder.path().join("edited");
    fs::write(&edited, allowing("None").to_string())?;
    fs::rename(edited, folder.path().join("0.yaml"))?;
    comes_to_answer(&tenon, (shared, "shared.test"), (404, "")).await?;
    assert_eq!(answer(&tenon, shared, "apart.test").await?.0, 404);
    assert_eq!(answer(&tenon, shared, "own.test").await?.1, "own");
    Ok(())
}
