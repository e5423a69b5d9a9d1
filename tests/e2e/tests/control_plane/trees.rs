//! The routes of a virtual host in a tree: it answers as a list does, and its routes do all that those of a list do.

use anyhow::{Result, ensure};
use http::{HeaderValue, Method};
use serde_json::{Value, json};
use tenon_e2e::{Answer, Filter, LambdaDouble, PlainDouble, get, post};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::setting::{
    Resources, Setting, object, secret, service, to_answer, to_function, upstream, virtual_service,
};

/// Above how many routes those of a virtual host are in a tree.
const ABOVE: &str = "TENON_TREES_ABOVE";

/// Numbers that are the same each time.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.0 >> 33) as usize % limit
    }

    fn one_of<'a, T: ?Sized>(&mut self, of: &[&'a T]) -> &'a T {
        of[self.below(of.len())]
    }

    /// A path of few words, so that many begin alike.
    fn path(&mut self) -> String {
        let words = [
            "a", "b", "ab", "A", "orders", "order", "a;v=1", "x.y", "%41", "é",
        ];
        let segments = (0..=self.below(3)).map(|_| self.one_of(&words));
        let path: Vec<_> = segments.collect();
        format!("/{}{}", path.join("/"), self.one_of(&["", "", "/"]))
    }

    fn matcher(&mut self) -> Value {
        let path = self.path();
        let mut matcher = match self.below(10) {
            0..=3 => json!({"prefix": path}),
            4..=6 => json!({"exact": path}),
            7 => json!({"prefix": path, "caseSensitive": false}),
            8 => json!({"exact": path, "caseSensitive": false}),
            _ => json!({"regex": self.one_of(&[
                "/a/.*", "/ab?", "/a|/b", "/orders?/[ab]", ".*/b", "/x\\.y/.+", "(?i)/ORDERS/.*",
            ])}),
        };
        match self.below(8) {
            0 => matcher["methods"] = json!(["POST"]),
            1 => matcher["headers"] = json!([{"name": "x-a", "value": "1"}]),
            2 => matcher["queryParameters"] = json!([{"name": "q"}]),
            _ => {}
        }
        matcher
    }
}

fn answering(number: usize, matcher: &Value) -> Value {
    json!({
        "matchers": [matcher],
        "directResponseAction": {"status": 200, "body": format!("route {number}")},
    })
}

/// Whether a virtual host of Envoy's has a tree.
async fn has_tree(setting: &Setting) -> Result<bool> {
    let dump = setting.envoy.admin().json("/config_dump").await?;
    let text = dump.to_string();
    ensure!(text.contains("\"domains\""), "no virtual hosts");
    Ok(text.contains("prefix_match_map"))
}

async fn answers(setting: &Setting) -> Result<Vec<String>> {
    let mut numbers = Numbers(7);
    let mut answers = Vec::new();
    let [mut http1, mut http2] = setting.clients().await?;
    for round in 0..600 {
        let mut path = numbers.path();
        path.push_str(numbers.one_of(&["", "", "", "?q=1", "?", "b", "/b?x=/a", "/../a"]));
        let method = [Method::GET, Method::POST][numbers.below(2)].clone();
        for client in [&mut http1, &mut http2] {
            // Not in a URI.
            let mut asked = get(&path.replace('é', "%C3%A9"));
            *asked.method_mut() = method.clone();
            if round % 3 == 0 {
                asked
                    .headers_mut()
                    .insert("x-a", HeaderValue::from_static("1"));
            }
            let answer = client.send(asked).await?;
            answers.push(format!(
                "{method} {path}: {} {}",
                answer.status,
                answer.text()
            ));
        }
    }
    answers.push(without_a_path(setting).await?);
    Ok(answers)
}

/// The answer to a request that has no path, over HTTP/1.1.
async fn without_a_path(setting: &Setting) -> Result<String> {
    let mut connection = TcpStream::connect(setting.address).await?;
    connection
        .write_all(b"CONNECT a.example.com:80 HTTP/1.1\r\nhost: a.example.com:80\r\n\r\n")
        .await?;
    let mut read = Vec::new();
    while !String::from_utf8_lossy(&read).contains("\r\n\r\n") {
        ensure!(connection.read_buf(&mut read).await? > 0, "no answer");
    }
    let text = String::from_utf8_lossy(&read);
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tree_answers_as_a_list_does() -> Result<()> {
    let plain = PlainDouble::start().await?;
    for (seed, for_the_rest) in [(1, false), (2, true)] {
        let mut numbers = Numbers(seed);
        let mut routes: Vec<_> = (0..250)
            .map(|number| answering(number, &numbers.matcher()))
            .collect();
        routes.push(json!({
            "matchers": [{"connectMatcher": {}}],
            "routeAction": {"single": {"upstream": {"name": "plain", "namespace": "default"}}},
            "options": {"upgrades": [{"connectTerminate": {}}]},
        }));
        if for_the_rest {
            routes.push(to_answer("/", "the rest"));
        }
        let mut all = Vec::new();
        for above in ["20", "100000"] {
            let setting = Resources::new()?
                .with_environment(ABOVE, above)
                .put("plain", &service("plain", plain.address()))?
                .put("routes", &virtual_service("routes", "*", &routes))?
                .start(Filter::So)
                .await?;
            assert_eq!(has_tree(&setting).await?, above == "20");
            all.push(answers(&setting).await?);
        }
        let pairs = all[0].iter().zip(&all[1]);
        let different: Vec<_> = pairs.filter(|(tree, list)| tree != list).collect();
        assert!(different.is_empty(), "{different:#?}");
        assert_eq!(all[1].last().map(String::as_str), Some("HTTP/1.1 200 OK"));
        let mut found = all[1].clone();
        found.retain(|answer| answer.contains(": 200 route "));
        found.sort();
        found.dedup_by_key(|answer| answer.rsplit(' ').next().unwrap_or_default().to_owned());
        assert!(found.len() > 30, "{found:#?}");
        assert_eq!(all[1].iter().any(|it| it.contains(": 404 ")), !for_the_rest);
    }
    Ok(())
}

tenon_e2e::on_both_hosts! {
    /// Functions, transformations, tables and edits.
    async fn routes_in_a_tree_do_what_they_do_in_a_list(filter: Filter) -> Result<()> {
        let lambda = LambdaDouble::start().await?;
        lambda.answer("blue", [Answer::body("blue")]);
        let plain = PlainDouble::start().await?;
        let many = |from: usize| (from..from + 60).map(|it| to_answer(&format!("/p{it:03}"), &format!("{it}")));
        let transformation = json!({"transformationTemplate": {"headers": {"x-set": {"text": "by the route"}}, "passthrough": {}}});
        let to_plain = json!({
            "matchers": [{"prefix": "/plain"}],
            "routeAction": {"single": {"upstream": {"name": "plain", "namespace": "default"}}},
            "options": {
                "prefixRewrite": "/rewritten",
                "stagedTransformations": {"regular": {"requestTransforms": [{"requestTransformation": transformation}]}},
            },
        });
        let to_table = json!({"matchers": [{"prefix": "/p1"}], "delegateAction": {"ref": {"name": "table", "namespace": "default"}}});
        let routes = |answer: &str| {
            let own = [
                to_function("/blue", "lambda", "blue"),
                to_plain.clone(),
                to_table.clone(),
                to_answer("/edited", answer),
            ];
            let routes: Vec<_> = many(0).chain(own).collect();
            virtual_service("routes", "*", &routes)
        };
        let table: Vec<_> = many(100).collect();
        let setting = Resources::new()?
            .with_environment(ABOVE, "100")
            .put("secret", &secret("lambda", &LambdaDouble::key()))?
            .put("lambda", &upstream("lambda", &lambda))?
            .put("plain", &service("plain", plain.address()))?
            .put("table", &object("RouteTable", "table", json!({"routes": table})))?
            .put("routes", &routes("one"))?
            .start(filter)
            .await?;
        assert!(has_tree(&setting).await?);
        assert_eq!(setting.ask("/p007").await?.text(), "7");
        assert_eq!(setting.ask("/p142/x?y").await?.text(), "142");
        assert_eq!(setting.ask("/none").await?.status, 404);
        setting.sees("/blue", |answer| answer.text() == "blue").await?;
        let [mut client, _] = setting.clients().await?;
        assert_eq!(client.send(get("/plain/a?b=c")).await?.status, 200);
        let asked = plain.wait_for_requests(1).await?;
        assert_eq!(asked[0].headers["x-set"], "by the route");
        assert_eq!(asked[0].path, "/rewritten/a?b=c");
        assert_eq!(client.send(post("/edited", "{}")).await?.text(), "one");
        setting.put("routes", &routes("two"))?;
        setting.sees("/edited", |answer| answer.text() == "two").await?;
        Ok(())
    }
}
