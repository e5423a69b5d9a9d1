//! Options of routes and virtual hosts that Envoy's own filters carry out, on the requests that flow.

use anyhow::Result;
use http::{HeaderName, HeaderValue, Method, Request};
use serde_json::{Value, json};
use tenon_e2e::{
    Answer, Client, Filter, PlainDouble, RequestBody, get, on_both_hosts, post, request,
};

use super::setting::{Resources, service, virtual_service};

/// A route to an ordinary service.
pub(crate) fn to_service(prefix: &str, options: Value) -> Value {
    json!({
        "matchers": [{"prefix": prefix}],
        "routeAction": {"single": {"upstream": {"name": "web", "namespace": "default"}}},
        "options": options,
    })
}

pub(crate) fn headed(
    mut request: Request<RequestBody>,
    headers: &[(&str, &str)],
) -> Result<Request<RequestBody>> {
    for (name, value) in headers {
        let (name, value) = (HeaderName::try_from(*name)?, HeaderValue::from_str(value)?);
        request.headers_mut().insert(name, value);
    }
    Ok(request)
}

pub(crate) fn settings(spec: Value) -> Value {
    json!({
        "apiVersion": "gloo.solo.io/v1",
        "kind": "Settings",
        "metadata": {"name": "default", "namespace": "gloo-system"},
        "spec": spec,
    })
}

on_both_hosts! {
    async fn a_filter_is_on_where_it_is_configured_and_where_requests_come_to_it(filter: Filter) -> Result<()> {
        let web = PlainDouble::start().await?;
        let moving = json!({"stagedTransformations": {"early": {"requestTransforms": [{
            "clearRouteCache": true,
            "requestTransformation": {"transformationTemplate": {
                "headers": {":path": {"text": "/last{{ header(\":path\") }}"}},
                "passthrough": {},
            }},
        }]}}});
        let teapot = json!({"faults": {"abort": {"percentage": 100, "httpStatus": 418}}});
        let routes = [
            to_service("/faulty", teapot),
            to_service("/moving", moving),
            to_service("/last", json!({"bufferPerRoute": {"buffer": {"maxRequestBytes": 1000}}})),
            to_service("/", json!({})),
        ];
        let setting = Resources::new()?
            .put("web", &service("web", web.address()))?
            .put("routes", &virtual_service("routes", "*", &routes))?
            .start(filter)
            .await?;
        assert_eq!(setting.status("VirtualService", "routes").await?, ("Accepted".into(), "[]".into()));
        for mut client in setting.clients().await? {
            assert_eq!(client.send(get("/faulty")).await?.status, 418);
            assert_eq!(client.send(get("/other")).await?.status, 200);
            let large = || vec![b'x'; 200_000];
            assert_eq!(client.send(post("/other", large())).await?.status, 200);
            assert_eq!(client.send(post("/moving", "small")).await?.status, 200);
        }
        for path in ["/last", "/moving"] {
            // An early answer costs the connection.
            for mut client in setting.clients().await? {
                let answer = client.send(post(path, vec![b'x'; 200_000])).await?;
                assert_eq!(answer.status, 413, "{path}: the route that it comes to takes less");
            }
        }
        Ok(())
    }
}

/// Signed with the key below, until the year 2100: `{"sub": "ada", "role": "admin"}` and `{"sub": "bob", "role": "user"}`.
pub(crate) const ADA: &str = "eyJhbGciOiAiSFMyNTYiLCAidHlwIjogIkpXVCJ9.eyJpc3MiOiAiaHR0cHM6Ly9pc3N1ZXIuZXhhbXBsZSIsICJzdWIiOiAiYWRhIiwgInJvbGUiOiAiYWRtaW4iLCAiZXhwIjogNDEwMjQ0NDgwMH0.J_GgjgoPeSysED_K629s5Hxm9RrtkzORX_MXbX-W3RQ";
pub(crate) const BOB: &str = "eyJhbGciOiAiSFMyNTYiLCAidHlwIjogIkpXVCJ9.eyJpc3MiOiAiaHR0cHM6Ly9pc3N1ZXIuZXhhbXBsZSIsICJzdWIiOiAiYm9iIiwgInJvbGUiOiAidXNlciIsICJleHAiOiA0MTAyNDQ0ODAwfQ.KUUDY45bD_J0wXgzzKzf9rVZmnsf84uuJ8cgcYRJKXw";

/// Signed with ES256 by the private key of the public one below, until the year 2100: `{"sub": "eve"}`.
const EVE: &str = "eyJhbGciOiAiRVMyNTYiLCAidHlwIjogIkpXVCJ9.eyJzdWIiOiAiZXZlIiwgImV4cCI6IDQxMDI0NDQ4MDB9.IbfCH3tQmrZxuxnZ3zLQTjQMLOWfINILQXGIcLsuxUJG3rnaYRWqpVRuEiqQjYtC8xqvriHBDmsVDaK-uMImtg";
const EVES_KEY: &str = "-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEPEmx/koUMEbovC7wTFdbvXl9eitg
i2xd2O0NE6v9gyE/Do4UqnTzNK2haz9FAXOG6opogLj9GS1SVdniTl7ZWw==
-----END PUBLIC KEY-----";

fn token(of: &str) -> [(&'static str, String); 1] {
    [("authorization", format!("Bearer {of}"))]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn envoy_s_own_filters_do_what_options_say() -> Result<()> {
    let (web, auth) = (PlainDouble::start().await?, PlainDouble::start().await?);
    let tokens = json!({"providers": {"p": {
        "issuer": "https://issuer.example",
        "claimsToHeaders": [{"claim": "sub", "header": "x-sub"}],
        "jwks": {"local": {"key": json!({"kty": "oct", "alg": "HS256", "k": "YSBrZXkgb2YgdGhlIHRlc3Rz"}).to_string()}},
    }}});
    let pem = json!({"providers": {"p": {
        "claimsToHeaders": [{"claim": "sub", "header": "x-sub"}],
        "jwks": {"local": {"key": EVES_KEY}},
    }}});
    let mut users = tokens.clone();
    users["validationPolicy"] = json!("ALLOW_MISSING");
    users["providers"]["p"]["claimsToHeaders"] = json!([{"claim": "sub", "header": "x-user-id"}]);
    let admins = json!({"policies": {"admins": {
        "principals": [{"jwtPrincipal": {"claims": {"role": "admin"}, "provider": "p"}}],
    }}});
    let routes = [
        to_service(
            "/cors",
            json!({"cors": {
                "allowOrigin": ["https://a.example"], "allowMethods": ["PUT"], "maxAge": "60",
            }}),
        ),
        to_service(
            "/csrf",
            json!({"csrf": {
                "filterEnabled": {"defaultValue": {"numerator": 100}},
                "additionalOrigins": [{"suffix": ".friend.example"}],
            }}),
        ),
        to_service(
            "/local",
            json!({"ratelimit": {"localRatelimit": {"maxTokens": 2, "fillInterval": "3600s"}}}),
        ),
        to_service(
            "/basic",
            json!({
                "ratelimitBasic": {
                    "anonymousLimits": {"unit": "DAY", "requestsPerUnit": 1},
                    "authorizedLimits": {"unit": "DAY", "requestsPerUnit": 2},
                },
                "jwtProvidersStaged": {"afterExtAuth": users},
            }),
        ),
        to_service("/asked", json!({"extauth": {"customAuth": {}}})),
        to_service(
            "/asked-elsewhere",
            json!({"extauth": {"customAuth": {"name": "gone"}}}),
        ),
        to_service(
            "/tokens/admin",
            json!({
                "jwtProvidersStaged": {"beforeExtAuth": tokens}, "rbac": admins,
            }),
        ),
        to_service(
            "/tokens/pem",
            json!({"jwtProvidersStaged": {"afterExtAuth": pem}}),
        ),
        to_service(
            "/tokens",
            json!({"jwtProvidersStaged": {"afterExtAuth": tokens}}),
        ),
        to_service("/", json!({})),
    ];
    let server = |name: &str| {
        json!({
            "extauthzServerRef": {"name": name, "namespace": "default"},
            "requestTimeout": "60s",
            "httpService": {
                "pathPrefix": "/check",
                "request": {"allowedHeaders": ["x-pass"]},
                "response": {"allowedUpstreamHeaders": ["x-who"], "allowedClientHeaders": ["x-why"]},
            },
        })
    };
    let setting = Resources::new()?
        .put("web", &service("web", web.address()))?
        .put("auth", &service("auth", auth.address()))?
        .put(
            "settings",
            &settings(json!({
                "extauth": server("auth"), "namedExtauth": {"gone": server("gone")},
            })),
        )?
        .put(
            "routes",
            &virtual_service("routes", "*", &[&routes[..5], &routes[9..]].concat()),
        )?
        .put(
            "more",
            &virtual_service("more", "more.example", &routes[5..]),
        )?
        .start(Filter::So)
        .await?;
    assert_eq!(
        setting.status("VirtualService", "routes").await?.0,
        "Accepted"
    );
    let (state, why) = setting.status("VirtualService", "more").await?;
    assert_eq!(state, "Rejected");
    assert!(
        why.contains("upstream default/gone does not exist, which is to be asked"),
        "{why}"
    );

    for (round, mut client) in setting.clients().await?.into_iter().enumerate() {
        cors(&mut client).await?;
        csrf(&mut client).await?;
        limits(&mut client, round).await?;
        asked(&mut client, &auth, &web).await?;
        tokens_needed(&mut client, &web).await?;
    }
    Ok(())
}

async fn cors(client: &mut Client) -> Result<()> {
    let preflight = [
        ("origin", "https://a.example"),
        ("access-control-request-method", "PUT"),
    ];
    let answer = client
        .send(headed(
            request(Method::OPTIONS, "/cors", get("/").into_body()),
            &preflight,
        )?)
        .await?;
    assert_eq!(
        (answer.status, answer.header("access-control-allow-methods")),
        (200, "PUT")
    );
    assert_eq!(answer.header("access-control-max-age"), "60");
    let answer = client
        .send(headed(get("/cors"), &[("origin", "https://a.example")])?)
        .await?;
    assert_eq!(
        answer.header("access-control-allow-origin"),
        "https://a.example"
    );
    let answer = client
        .send(headed(get("/cors"), &[("origin", "https://b.example")])?)
        .await?;
    assert_eq!(answer.header("access-control-allow-origin"), "");
    let answer = client
        .send(headed(
            get("/elsewhere"),
            &[("origin", "https://a.example")],
        )?)
        .await?;
    assert_eq!(answer.header("access-control-allow-origin"), "");
    Ok(())
}

/// Without a body that an early answer would leave behind.
fn empty_post(path: &str) -> Request<RequestBody> {
    request(Method::POST, path, get("/").into_body())
}

async fn csrf(client: &mut Client) -> Result<()> {
    for (origin, status) in [
        ("https://evil.example", 403),
        ("https://one.friend.example", 200),
    ] {
        let answer = client
            .send(headed(empty_post("/csrf"), &[("origin", origin)])?)
            .await?;
        assert_eq!(answer.status, status, "{origin}");
    }
    let answer = client
        .send(headed(
            post("/elsewhere", "{}"),
            &[("origin", "https://evil.example")],
        )?)
        .await?;
    assert_eq!(answer.status, 200);
    Ok(())
}

/// Two at once, and then none for an hour.
async fn limits(client: &mut Client, round: usize) -> Result<()> {
    let mut statuses = Vec::new();
    for _ in 0..2 {
        statuses.push(client.send(get("/local")).await?.status);
    }
    let expected = if round == 0 { [200, 200] } else { [429, 429] };
    assert_eq!(statuses, expected);
    for (user, expected) in [
        ("", [200, 429, 429]),
        (ADA, [200, 200, 429]),
        (BOB, [200, 200, 429]),
    ] {
        for (number, status) in expected.into_iter().enumerate() {
            // Another name each time does not help.
            let mut headers = vec![("x-user-id", format!("forged-{number}"))];
            headers.extend(
                (!user.is_empty())
                    .then(|| token(user))
                    .into_iter()
                    .flatten(),
            );
            let headers: Vec<_> = headers
                .iter()
                .map(|(name, value)| (*name, value.as_str()))
                .collect();
            let answer = client.send(headed(get("/basic"), &headers)?).await?;
            let expected = if round == 0 { status } else { 429 };
            assert_eq!(answer.status, expected, "{user:?}");
        }
    }
    Ok(())
}

async fn asked(client: &mut Client, auth: &PlainDouble, web: &PlainDouble) -> Result<()> {
    auth.forget();
    auth.answer(
        Answer::status(403)
            .header("x-why", "no")
            .header("x-other", "hidden"),
    );
    web.forget();
    let answer = client
        .send(headed(get("/asked/one"), &[("x-pass", "p")])?)
        .await?;
    assert_eq!(
        (
            answer.status,
            answer.header("x-why"),
            answer.header("x-other")
        ),
        (403, "no", "")
    );
    let check = auth.requests();
    assert_eq!(
        (check.len(), &*check[0].path, check[0].header("x-pass")),
        (1, "/check/asked/one", "p")
    );
    assert_eq!(web.requests().len(), 0);
    auth.answer(Answer::status(200).header("x-who", "ada"));
    assert_eq!(client.send(get("/asked/two")).await?.status, 200);
    assert_eq!(
        web.requests()
            .last()
            .map(|it| it.header("x-who").to_owned()),
        Some("ada".into())
    );
    assert_eq!(client.send(get("/elsewhere")).await?.status, 200);
    assert_eq!(auth.requests().len(), 2, "other routes ask nobody");
    Ok(())
}

async fn tokens_needed(client: &mut Client, web: &PlainDouble) -> Result<()> {
    for (path, of, status) in [
        ("/tokens/a", None, 401),
        ("/tokens/a", Some("forged.to.ken"), 401),
        ("/tokens/a", Some(BOB), 200),
        ("/tokens/admin", None, 401),
        ("/tokens/admin", Some(BOB), 403),
        ("/tokens/admin", Some(ADA), 200),
        ("/tokens/pem", Some(EVE), 200),
        ("/tokens/pem", Some(ADA), 401),
        ("/asked-elsewhere", None, 500),
        ("/free", None, 200),
    ] {
        let mut headers = vec![
            ("host", "more.example".to_owned()),
            ("x-sub", "forged".to_owned()),
        ];
        headers.extend(of.into_iter().flat_map(token));
        let headers: Vec<_> = headers
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        let answer = client.send(headed(get(path), &headers)?).await?;
        assert_eq!(answer.status, status, "{path} {}", answer.text());
        let sub = web
            .requests()
            .last()
            .map(|it| it.header("x-sub").to_owned());
        match (status, of) {
            (200, Some(BOB)) => assert_eq!(sub.as_deref(), Some("bob")),
            (200, Some(EVE)) => assert_eq!(sub.as_deref(), Some("eve")),
            (200, Some(_)) => assert_eq!(sub.as_deref(), Some("ada")),
            _ => {}
        }
    }
    Ok(())
}
