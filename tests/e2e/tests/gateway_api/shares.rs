//! What single backends of several have done with their shares of the requests.

use anyhow::{Result, ensure};
use serde_json::json;
use tenon_e2e::{Answer, PlainDouble, object};

use super::{Setting, backend, extension, rule, upstream, with};

#[tokio::test]
async fn each_share_is_rewritten_copied_answered_and_counted_by_itself() -> Result<()> {
    let (one, two, shadow) = (
        PlainDouble::saying("one").await?,
        PlainDouble::saying("two").await?,
        PlainDouble::start().await?,
    );
    let later = with(
        object(
            "DirectResponse",
            "later",
            json!({"status": 503, "body": "later"}),
        ),
        json!({"apiVersion": "gateway.gloo.solo.io/v1alpha1"}),
    );
    let objects = [
        upstream("one", &one),
        upstream("two", &two),
        upstream("shadow", &shadow),
        later,
    ];
    let rewrite = json!({"type": "URLRewrite", "urlRewrite": {
        "hostname": "one.example.com",
        "path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/x"},
    }});
    let copied =
        json!({"type": "RequestMirror", "requestMirror": {"backendRef": backend("shadow")}});
    let header = |value: &str| {
        let set = json!([{"name": "x-of", "value": value}]);
        json!({"type": "RequestHeaderModifier", "requestHeaderModifier": {"set": set}})
    };
    let away =
        json!({"type": "RequestRedirect", "requestRedirect": {"hostname": "other.example.com"}});
    let answered = extension("gateway.gloo.solo.io", "DirectResponse", "later");
    let rules = json!([rule(
        "/a",
        json!({
            "filters": [header("rule")],
            "backendRefs": [
                with(backend("one"), json!({"weight": 4, "filters": [rewrite, copied, header("one")]})),
                with(backend("two"), json!({"weight": 2})),
                with(backend("nobody"), json!({"weight": 2})),
                with(backend("two"), json!({"weight": 1, "filters": [away]})),
                with(backend("two"), json!({"weight": 1, "filters": [answered]})),
            ],
        })
    )]);
    let setting = Setting::start(&objects, rules).await?;
    let mut counts = [0_usize; 5];
    for _ in 0..400 {
        let answer = setting.ask("/a/b?c=d").await?;
        let share = match (answer.status, &*answer.text()) {
            (200, "one") => 0,
            (200, "two") => 1,
            (500, _) => 2,
            (302, _) => {
                ensure!(
                    answer.header("location").contains("//other.example.com"),
                    "{answer:?}"
                );
                3
            }
            (503, "later") => 4,
            _ => anyhow::bail!("{answer:?}"),
        };
        counts[share] += 1;
    }
    // Six standard deviations around each.
    for (count, (least, most)) in
        counts
            .iter()
            .zip([(100, 220), (32, 128), (32, 128), (4, 76), (4, 76)])
    {
        ensure!((least..=most).contains(count), "{counts:?}");
    }
    let (of_one, of_two) = (one.requests(), two.requests());
    assert_eq!((of_one.len(), of_two.len()), (counts[0], counts[1]));
    for sent in &of_one {
        assert_eq!(
            (&*sent.path, sent.header("host")),
            ("/x/b?c=d", "one.example.com")
        );
        assert_eq!(sent.header("x-of"), "one");
    }
    for sent in &of_two {
        assert_eq!(
            (&*sent.path, sent.header("host")),
            ("/a/b?c=d", "www.example.com")
        );
        assert_eq!(sent.header("x-of"), "rule");
    }
    let copies = shadow.wait_for_requests(counts[0]).await?;
    assert_eq!(copies.len(), counts[0]);
    Ok(())
}

#[tokio::test]
async fn a_share_is_tried_again_at_its_own_backend() -> Result<()> {
    let (one, two) = (
        PlainDouble::start().await?,
        PlainDouble::saying("two").await?,
    );
    one.answer(Answer::status(503));
    let objects = [upstream("one", &one), upstream("two", &two)];
    let full = json!({"type": "URLRewrite", "urlRewrite": {
        "path": {"type": "ReplaceFullPath", "replaceFullPath": "/x"},
    }});
    let rules = json!([rule(
        "/",
        json!({
            "retry": {"codes": [503], "attempts": 1},
            "backendRefs": [with(backend("one"), json!({"filters": [full]})), backend("two")],
        })
    )]);
    let setting = Setting::start(&objects, rules).await?;
    let mut failed = 0;
    for _ in 0..60 {
        let answer = setting.ask("/a").await?;
        match answer.status {
            503 => failed += 1,
            _ => assert_eq!(answer.text(), "two"),
        }
    }
    ensure!((6..=54).contains(&failed), "{failed} of 60");
    let tries = one.requests();
    assert_eq!(tries.len(), 2 * failed);
    ensure!(tries.iter().all(|it| it.path == "/x"), "{tries:?}");
    Ok(())
}
