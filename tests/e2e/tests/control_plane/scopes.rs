//! A route table in parts: it answers as a whole one does, and becomes one and the other while requests flow.

use anyhow::{Result, ensure};
use http::HeaderValue;
use serde_json::{Value, json};
use tenon_e2e::{Client, Envoy, Filter, Load, PlainDouble, get};

use super::setting::{Resources, Setting, object, service, to_answer, virtual_service};

/// Above how many virtual hosts a table is cut into parts.
const ABOVE: &str = "TENON_PARTS_ABOVE";

/// Domains of every form that Envoy has, with what it makes of their order and overlaps.
const DOMAINS: [&[&str]; 11] = [
    &["a.example.com"],
    &["b.example.com", "b.example.com:8080", "B2.example.com"],
    &["*.example.com"],
    &["*.deep.example.com", "exact.deep.example.com"],
    &["*-staging.example.com"],
    &["www.*"],
    &["www.example.*", "*.net"],
    &["localhost", "127.0.0.1", "[::1]:8080"],
    // Also asked for by the first.
    &["a.example.com", "second.example.com"],
    &["xn--bcher-kva.example", "under_score.example.com"],
    &["*.com:8080"],
];

/// Hosts that find them, and hosts that do not.
fn hosts(with_all: bool) -> Vec<String> {
    let plain = [
        "a.example.com",
        "b.example.com",
        "b2.example.com",
        "exact.deep.example.com",
        "other.deep.example.com",
        "web-staging.example.com",
        "www.example.org",
        "www.other.org",
        "www.",
        "two.net",
        "net",
        "example.com",
        "localhost",
        "127.0.0.1",
        "[::1]",
        "second.example.com",
        "xn--bcher-kva.example",
        "under_score.example.com",
        "elsewhere.test",
        "-",
    ];
    let mut hosts = Vec::new();
    for host in plain {
        let upper = host.to_uppercase();
        for ending in ["", ".", ":80", ":8080", ".:8080"] {
            hosts.push(format!("{host}{ending}"));
            hosts.push(format!("{upper}{ending}"));
        }
    }
    // Many, so that every part is asked.
    hosts.extend((0..600).map(|number| format!("n{number}.example.com")));
    hosts.extend((0..200).map(|number| format!("n{number}.test")));
    if with_all {
        hosts.push(String::new());
    }
    hosts
}

fn named(number: usize) -> Value {
    let domains = DOMAINS[number];
    let routes = [
        to_answer("/one", &format!("one of {number}")),
        to_answer("/", &format!("{number}")),
    ];
    object(
        "VirtualService",
        &format!("n{number:02}"),
        json!({"virtualHost": {"domains": domains, "routes": routes}}),
    )
}

async fn start(above: &str, filter: Filter, with_all: bool) -> Result<Setting> {
    let mut resources = Resources::new()?.with_environment(ABOVE, above);
    for number in 0..DOMAINS.len() {
        resources = resources.put(&format!("n{number}"), &named(number))?;
    }
    if with_all {
        let all = virtual_service("all", "*", &[to_answer("/", "all")]);
        resources = resources.put("all", &all)?;
    }
    resources.start(filter).await
}

/// How many scopes Envoy has.
async fn scopes(envoy: &Envoy) -> Result<usize> {
    let dump = envoy.admin().json("/config_dump").await?;
    let configs = dump["configs"].as_array().into_iter().flatten();
    let scoped = configs
        .filter_map(|config| config["dynamic_scoped_route_configs"].as_array())
        .flatten()
        .filter_map(|table| table["scoped_route_configs"].as_array());
    Ok(scoped.map(Vec::len).sum())
}

/// What each host is answered over both protocols: status, body, and why.
async fn answers(setting: &Setting, hosts: &[String]) -> Result<Vec<String>> {
    let mut answers = Vec::new();
    let [mut http1, mut http2] = setting.clients().await?;
    for host in hosts {
        for path in ["/", "/one"] {
            let mut request = get(path);
            request
                .headers_mut()
                .insert("host", HeaderValue::from_str(host)?);
            // A client cannot choose.
            request
                .headers_mut()
                .insert("x-tenon-scope", HeaderValue::from_static("forged"));
            let answer = http1.send(request).await?;
            answers.push(format!(
                "1 {host}{path}: {} {}",
                answer.status,
                answer.text()
            ));
            if host.parse::<http::uri::Authority>().is_err() {
                continue;
            }
            let mut request = get(path);
            request
                .headers_mut()
                .insert("host", HeaderValue::from_str(host)?);
            let answer = http2.send(request).await?;
            answers.push(format!(
                "2 {host}{path}: {} {}",
                answer.status,
                answer.text()
            ));
        }
    }
    Ok(answers)
}

async fn compare(filter: Filter, with_all: bool) -> Result<()> {
    let hosts = hosts(with_all);
    let parts = start("1", filter, with_all).await?;
    let whole = start("1000", filter, with_all).await?;
    let expected = match filter {
        Filter::So => 256,
        Filter::Wasm => 0,
    };
    assert_eq!(scopes(&parts.envoy).await?, expected);
    assert_eq!(scopes(&whole.envoy).await?, 0);
    let (parts, whole) = (
        answers(&parts, &hosts).await?,
        answers(&whole, &hosts).await?,
    );
    let different: Vec<_> = parts.iter().zip(&whole).filter(|(a, b)| a != b).collect();
    assert!(different.is_empty(), "{different:#?}");
    // Both found what there is to find.
    let found = |body: &str| whole.iter().any(|it| it.ends_with(body));
    assert!((0..DOMAINS.len()).all(|number| found(&format!(": 200 {number}"))));
    assert_eq!(found(": 404 "), !with_all);
    Ok(())
}

tenon_e2e::on_both_hosts! {
    async fn a_table_in_parts_answers_as_a_whole_one(filter: Filter) -> Result<()> {
        compare(filter, false).await
    }

    async fn a_table_in_parts_with_a_host_for_all_answers_as_a_whole_one(filter: Filter) -> Result<()> {
        compare(filter, true).await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upstream_does_not_see_which_part_a_request_is_for() -> Result<()> {
    let plain = PlainDouble::start().await?;
    let to_plain = json!({
        "matchers": [{"prefix": "/"}],
        "routeAction": {"single": {"upstream": {"name": "plain", "namespace": "default"}}},
    });
    let setting = Resources::new()?
        .with_environment(ABOVE, "0")
        .put("plain", &service("plain", plain.address()))?
        .put("routes", &virtual_service("routes", "*", &[to_plain]))?
        .start(Filter::So)
        .await?;
    assert_eq!(scopes(&setting.envoy).await?, 64);
    assert_eq!(setting.ask("/").await?.status, 200);
    let requests = plain.wait_for_requests(1).await?;
    let names: Vec<_> = requests[0]
        .headers
        .keys()
        .map(|name| name.as_str())
        .collect();
    assert!(
        !names.iter().any(|name| name.starts_with("x-tenon-")),
        "{names:?}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_is_cut_into_parts_and_put_together_again_without_losing_a_request() -> Result<()> {
    resize("2", &["one"]).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_in_parts_gets_more_and_fewer_of_them_without_losing_a_request() -> Result<()> {
    resize("1", &["one", "two", "three"]).await
}

/// One virtual service more or less makes it another form. Connections that are kept see both, and those that are drained
/// after a change keep the form that they have.
async fn resize(above: &str, others: &[&str]) -> Result<()> {
    let more = |number: usize| {
        virtual_service(
            "more",
            &format!("more{number}.test"),
            &[to_answer("/", "more")],
        )
    };
    let mut resources = Resources::new()?
        .with_environment(ABOVE, above)
        .with_drain(6)
        .put(
            "all",
            &virtual_service("all", "*", &[to_answer("/", "all")]),
        )?;
    for name in others {
        let service = virtual_service(name, &format!("{name}.test"), &[to_answer("/", name)]);
        resources = resources.put(name, &service)?;
    }
    let setting = resources.start(Filter::So).await?;
    let fewest = scopes(&setting.envoy).await?;
    let load = Load::start(setting.address, "/", 8);
    load.more(100).await?;
    for round in 0..4 {
        let text = format!("all of round {round}");
        setting.put("more", &more(round))?;
        sees_host(&setting, &format!("more{round}.test"), "more").await?;
        load.more(100).await?;
        // An edit in the one form, and in the other.
        setting.put(
            "all",
            &virtual_service("all", "*", &[to_answer("/", &text)]),
        )?;
        setting.sees("/", |answer| answer.text() == text).await?;
        ensure!(
            scopes(&setting.envoy).await? > fewest,
            "it is in no more parts"
        );
        // Before connections of the form of before are gone, and after that.
        if round > 1 {
            drained(&setting).await?;
        }
        setting.remove("more")?;
        sees_host(&setting, &format!("more{round}.test"), &text).await?;
        load.more(100).await?;
        setting.put(
            "all",
            &virtual_service("all", "*", &[to_answer("/", "all")]),
        )?;
        setting.sees("/", |answer| answer.text() == "all").await?;
        if round > 1 {
            drained(&setting).await?;
        }
    }
    load.more(100).await?;
    let failures = load.stop().await?;
    assert!(failures.is_empty(), "{failures:#?}");
    // What is needed no more goes with the last connections.
    let envoy = &setting.envoy;
    tenon_e2e::deadline::until("as few parts as before", || async move {
        Ok((scopes(envoy).await? == fewest).then_some(()))
    })
    .await
}

/// Until the last connections of all earlier listeners are gone.
async fn drained(setting: &Setting) -> Result<()> {
    let envoy = &setting.envoy;
    tenon_e2e::deadline::until("the end of draining", || async move {
        let draining = envoy
            .admin()
            .stat("listener_manager.total_filter_chains_draining")
            .await?;
        Ok((draining == 0).then_some(()))
    })
    .await
}

async fn sees_host(setting: &Setting, host: &str, text: &str) -> Result<()> {
    tenon_e2e::deadline::until(&format!("{text} from {host}"), || async move {
        let mut request = get("/");
        request
            .headers_mut()
            .insert("host", HeaderValue::from_str(host)?);
        let answer = Client::http1(setting.address).await?.send(request).await?;
        Ok((answer.text() == text).then_some(()))
    })
    .await
}
