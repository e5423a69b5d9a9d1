//! Virtual services that delegate to route tables, on the requests that flow.

use anyhow::Result;
use serde_json::{Value, json};
use tenon_e2e::{Answer, LambdaDouble, on_both_hosts};

use super::setting::{
    Resources, Setting, object, secret, to_answer, to_function, upstream, virtual_service,
};

fn table(name: &str, team: &str, weight: i32, routes: &[Value]) -> Value {
    let mut table = object(
        "RouteTable",
        name,
        json!({"weight": weight, "routes": routes}),
    );
    table["metadata"]["labels"] = json!({"team": team});
    table
}

fn delegate(prefix: &str, to: Value) -> Value {
    json!({"matchers": [{"prefix": prefix}], "delegateAction": to})
}

/// What is answered, and the code of Tenon's own error.
async fn answers(setting: &Setting, path: &str) -> Result<(u16, String)> {
    let answer = setting.ask(path).await?;
    Ok(match answer.header("x-tenon-error") {
        "" => (answer.status, answer.text()),
        code => (answer.status, code.to_owned()),
    })
}

fn ok(text: &str) -> (u16, String) {
    (200, text.to_owned())
}

on_both_hosts! {
    async fn a_broken_table_is_beside_good_ones_in_the_order_of_their_weights(filter: Filter) -> Result<()> {
        let lambda = LambdaDouble::start().await?;
        lambda.answer("blue", [Answer::body("blue")]);
        lambda.answer("green", [Answer::body("green")]);
        let routes = [
            delegate("/team", json!({"selector": {"labels": {"team": "a"}}})),
            delegate("/good", json!({"ref": {"name": "good"}})),
            delegate("/bad", json!({"ref": {"name": "bad"}})),
            to_answer("/bad/sibling", "sibling"),
            to_answer("/", "rest"),
        ];
        let late = table("late", "a", 10, &[to_answer("/team", "late")]);
        let early = table("early", "a", -1, &[to_answer("/team/x", "early")]);
        let good = table("good", "", 0, &[to_function("/good", "lambda", "blue"), to_answer("/elsewhere", "never")]);
        let bad = |function: &str| table("bad", "", 0, &[
            to_function("/bad/call", "lambda", function),
            to_answer("/bad/answer", "answer"),
        ]);
        let nonsense = object("RouteTable", "bad", json!({"routes": [{"nonsense": 1}]}));
        let setting = Resources::new()?
            .put("secret", &secret("lambda", &LambdaDouble::key()))?
            .put("lambda", &upstream("lambda", &lambda))?
            .put("web", &virtual_service("web", "*", &routes))?
            .put("late", &late)?
            .put("early", &early)?
            .put("good", &good)?
            .put("bad", &nonsense)?
            .start(filter)
            .await?;

        // The smallest weight comes first, though both are for the path.
        assert_eq!(answers(&setting, "/team/x").await?, ok("early"));
        assert_eq!(answers(&setting, "/team/y").await?, ok("late"));
        // A function behind a table is called as any.
        assert_eq!(answers(&setting, "/good").await?, ok("blue"));
        // The table that cannot be read answers for itself alone.
        assert_eq!(answers(&setting, "/bad/call").await?, (500, "invalid_route".into()));
        assert_eq!(answers(&setting, "/bad/sibling").await?, ok("sibling"));
        assert_eq!(answers(&setting, "/other").await?, ok("rest"));
        assert_eq!(setting.status("RouteTable", "bad").await?.0, "Rejected");
        let (state, why) = setting.status("RouteTable", "good").await?;
        assert_eq!(state, "Warning");
        assert!(why.contains("spec.routes[1].matchers[0]"), "{why}");

        // Of one that can be read, the broken route.
        setting.put("bad", &bad("red"))?;
        setting.sees("/bad/answer", |answer| answer.text() == "answer").await?;
        assert_eq!(answers(&setting, "/bad/call").await?, (500, "invalid_route".into()));
        let (state, why) = setting.status("RouteTable", "bad").await?;
        assert_eq!(state, "Rejected");
        assert!(why.contains("spec.routes[0].routeAction.single.destinationSpec.aws.logicalName"), "{why}");
        assert_eq!(setting.status("VirtualService", "web").await?.0, "Accepted");

        // Once it was good, it stays so whatever becomes of it; its neighbours follow their edits.
        setting.put("bad", &bad("green"))?;
        setting.sees("/bad/call", |answer| answer.text() == "green").await?;
        setting.put("bad", &bad("red"))?;
        setting.put("late", &table("late", "a", -2, &[to_answer("/team", "first")]))?;
        setting.sees("/team/x", |answer| answer.text() == "first").await?;
        assert_eq!(answers(&setting, "/bad/call").await?, ok("green"));
        let (state, why) = setting.status("RouteTable", "bad").await?;
        assert_eq!(state, "Rejected");
        assert!(why.contains("its last good form stays in use"), "{why}");

        // A table that comes to be selected is served, without an edit of who selects.
        setting.put("new", &table("new", "a", -3, &[to_answer("/team/new", "new")]))?;
        setting.sees("/team/new", |answer| answer.text() == "new").await?;
        setting.remove("new")?;
        setting.sees("/team/new", |answer| answer.text() == "first").await?;
        Ok(())
    }
}
