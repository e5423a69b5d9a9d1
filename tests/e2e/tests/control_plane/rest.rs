//! REST functions: templates make the requests of some routes, and only of these.

use serde_json::{Value, json};
use tenon_e2e::{Answer, PlainDouble, get, on_both_hosts, post};

use super::changes;
use super::setting::{Resources, object, virtual_service};

fn petstore(double: &PlainDouble, greeting: &str) -> Value {
    let address = double.address();
    object(
        "Upstream",
        "petstore",
        json!({"static": {
            "hosts": [{"addr": address.ip().to_string(), "port": address.port()}],
            "serviceSpec": {"rest": {
                "transformations": {
                    "findPet": {
                        "headers": {
                            ":method": {"text": "GET"},
                            ":path": {"text": "/api/pets/{{ default(id, \"\") }}"},
                            "x-greeting": {"text": greeting},
                            "content-length": {"text": "0"},
                            "content-type": {},
                            "transfer-encoding": {},
                        },
                        "body": {},
                    },
                    "addPet": {
                        "headers": {
                            ":path": {"text": "/api/pets"},
                            "content-type": {"text": "application/json"},
                        },
                        "body": {"text": "{\"name\":\"{{ name }}\"}"},
                    },
                    "toys": {"headers": {":path": {"text": "/api/{{ id }}/toys"}}},
                },
                "matchers": {"toys": [{"methods": ["GET"], "path": "/toys/{id}"}]},
            }},
        }}),
    )
}

fn to(rest: Value) -> Value {
    json!({
        "upstream": {"name": "petstore", "namespace": "default"},
        "destinationSpec": {"rest": rest},
    })
}

fn route(prefix: &str, rest: Value) -> Value {
    json!({"matchers": [{"prefix": prefix}], "routeAction": {"single": to(rest)}})
}

fn asked(double: &PlainDouble) -> (String, String, String, String) {
    let last = double.requests().pop().expect("the service was asked");
    let body = String::from_utf8_lossy(&last.body).into_owned();
    let greeting = last.header("x-greeting").to_owned();
    (last.method.to_string(), last.path, greeting, body)
}

on_both_hosts! {
    async fn templates_make_the_requests_of_rest_functions(filter: Filter) -> Result<()> {
        let web = PlainDouble::start().await?;
        let plain = json!({"destination": {"upstream": {"name": "petstore", "namespace": "default"}}, "weight": 1});
        let share = |weight: u32| json!({
            "destination": to(json!({"functionName": "addPet"})),
            "weight": weight,
        });
        let setting = Resources::new()?
            .put("petstore", &petstore(&web, "hello"))?
            .put("routes", &virtual_service("routes", "*", &[
                route("/find", json!({
                    "functionName": "findPet",
                    "parameters": {"path": "/find/{id}"},
                })),
                route("/answer", json!({
                    "functionName": "toys",
                    "parameters": {"path": "/answer/{id}"},
                    "responseTransformation": {"headers": {"x-name": {"text": "{{ name }}"}}},
                })),
                route("/toys", json!({})),
                json!({
                    "matchers": [{"prefix": "/plain-share"}],
                    "routeAction": {"multi": {"destinations": [share(0), plain.clone()]}},
                }),
                json!({
                    "matchers": [{"prefix": "/share"}],
                    "routeAction": {"multi": {"destinations": [share(1), {
                        "destination": plain["destination"].clone(), "weight": 0,
                    }]}},
                }),
                json!({
                    "matchers": [{"prefix": "/"}],
                    "routeAction": {"single": plain["destination"].clone()},
                }),
            ]))?
            .start(filter)
            .await?;
        let is = |method: &str, path: &str, greeting: &str, body: &str| {
            (method.to_owned(), path.to_owned(), greeting.to_owned(), body.to_owned())
        };
        for mut client in setting.clients().await? {
            assert_eq!(client.send(post("/find/7?x=1", "not JSON")).await?.status, 200);
            assert_eq!(asked(&web), is("GET", "/api/pets/7", "hello", ""));
            assert_eq!(client.send(get("/find/a%2Fb")).await?.status, 200);
            assert_eq!(asked(&web), is("GET", "/api/pets/a%2Fb", "hello", ""));
            assert_eq!(client.send(post("/share", r#"{"name":"rex"}"#)).await?.status, 200);
            assert_eq!(asked(&web), is("POST", "/api/pets", "", r#"{"name":"rex"}"#));
            assert_eq!(client.send(get("/toys/a%20b?x")).await?.status, 200);
            assert_eq!(asked(&web), is("GET", "/api/a%20b/toys", "", ""));
            let none = client.send(post("/toys/1", "")).await?;
            assert_eq!((none.status, none.header("allow")), (405, "GET, HEAD"));
            let answer = client.send(post("/answer/7", r#"{"name":"rex"}"#)).await?;
            assert_eq!((answer.status, answer.header("x-name")), (200, "rex"));
            let unreadable = client.send(post("/answer/7", "<html>")).await?;
            assert_eq!((unreadable.status, unreadable.header("x-tenon-error")), (502, "bad_function_response"));
            // What calls no function goes on as it is, to the same cluster.
            for path in ["/as/it?is", "/plain-share/x"] {
                assert_eq!(client.send(post(path, "body")).await?.text(), "body");
                assert_eq!(asked(&web), is("POST", path, "", "body"));
            }
            // The last: Envoy closes a connection of HTTP/1.1 after an answer of 400 that is its own.
            let wrong = client.send(post("/share", "name=rex")).await?;
            assert_eq!((wrong.status, wrong.header("x-tenon-error")), (400, "bad_request"));
        }
        assert_eq!(web.requests().len(), 16);

        // An edit of the functions is seen, and changes no route.
        let before = changes(&setting.envoy).await?;
        setting.put("petstore", &petstore(&web, "good day"))?;
        setting.sees("/find/1", |_| asked(&web).2 == "good day").await?;
        let mut after = changes(&setting.envoy).await?;
        for name in ["cluster_manager.cluster_modified", "cluster_manager.cluster_updated_via_merge"] {
            after.remove(name);
        }
        let kept = |name: &String| after.contains_key(name);
        let before: std::collections::BTreeMap<_, _> = before.into_iter().filter(|(name, _)| kept(name)).collect();
        assert_eq!(after, before);

        // A function that is broken keeps its last good form, and says so.
        setting.put("petstore", &petstore(&web, "{{ good"))?;
        tenon_e2e::deadline::until("the status", || async {
            let (state, messages) = setting.status("Upstream", "petstore").await?;
            let field = "spec.static.serviceSpec.rest.transformations.findPet.headers.x-greeting.text";
            Ok((state == "Rejected" && messages.contains(field)).then_some(()))
        })
        .await?;
        assert_eq!(setting.ask("/find/1").await?.status, 200);
        assert_eq!(asked(&web).2, "good day");

        // The access log shows what the client asked, not what templates made of it.
        web.answer(Answer::hang_up());
        assert_eq!(setting.ask("/find/lost").await?.status, 503);
        setting.envoy.admin().post("/reopen_logs").await?;
        tenon_e2e::deadline::until("the access log", || async {
            let log = std::fs::read_to_string(setting.access_log())?;
            let mut lines = log.lines();
            Ok(lines.any(|line| line.contains(r#"":path":"/find/lost""#) && line.contains(r#"":method":"POST""#)).then_some(()))
        })
        .await?;
        Ok(())
    }
}
