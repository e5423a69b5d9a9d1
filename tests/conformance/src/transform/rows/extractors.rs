//! Parts of headers and bodies.

use tenon_contract::transform::{Empty, Extraction, ExtractionMode, TransformationTemplate};

use super::super::Row;
use crate::fake::{Request, Response};

fn of_header(name: &str, pattern: &str, group: u32) -> Extraction {
    Extraction {
        header: Some(name.into()),
        regex: pattern.into(),
        subgroup: group,
        ..Extraction::default()
    }
}

fn of_body(pattern: &str, group: u32) -> Extraction {
    Extraction {
        header: None,
        body: Some(Empty {}),
        ..of_header("", pattern, group)
    }
}

fn replacing(mode: ExtractionMode, extraction: Extraction, text: &str) -> Extraction {
    Extraction {
        mode,
        replacement_text: Some(text.into()),
        ..extraction
    }
}

/// A row whose extraction `id` is put into `x-id`.
fn shown(name: &'static str, extraction: Extraction) -> Row {
    Row::new(name).requests(|it| show(it, extraction))
}

fn show(template: &mut TransformationTemplate, extraction: Extraction) {
    template.extractors.insert("id".into(), extraction);
    let text = "[{{ id }}]";
    template.headers.insert("x-id".into(), text.into());
}

pub(super) fn all() -> Vec<Row> {
    use ExtractionMode::{ReplaceAll, SingleReplace};
    let request = || Request::get("/users/12?x=y").header("x-text", "aXbXc");
    let post = |body: &str| Request::post("/", body);
    vec![
        shown(
            "a-group-of-a-header",
            of_header(":path", r"/users/([0-9]+).*", 1),
        )
        .request(request())
        .sends("x-id", ["[12]"]),
        shown("all-of-a-match", of_header("X-Text", ".*", 0))
            .request(request())
            .sends("x-id", ["[aXbXc]"]),
        shown(
            "an-extractor-has-to-match-all-of-the-source",
            of_header(":path", r"/users/([0-9]+)", 1),
        )
        .request(request())
        .sends("x-id", ["[]"]),
        shown(
            "a-header-that-is-not-there-has-nothing",
            of_header("x-none", "(.*)", 1),
        )
        .sends("x-id", ["[]"]),
        shown(
            "a-group-that-takes-no-part-has-nothing",
            of_header("x-text", "a(x)?.*", 1),
        )
        .request(request())
        .sends("x-id", ["[]"]),
        shown(
            "only-the-first-value-of-a-header-is-searched",
            of_header("x-text", "(.*)", 1),
        )
        .request(request().header("x-text", "second"))
        .sends("x-id", ["[aXbXc]"]),
        shown(
            "a-part-of-a-body",
            of_body(r#"[\s\S]*"id": *"(\w+)"[\s\S]*"#, 1),
        )
        .request(post("{\n\"id\": \"i1\",\n\"b\": 2}"))
        .sends("x-id", ["[i1]"]),
        shown(
            "a-part-of-a-body-that-is-no-json",
            of_body("<id>(.*)</id>", 1),
        )
        .request(post("<id>7</id>"))
        .sends("x-id", ["[7]"]),
        shown(
            "a-part-of-a-body-that-comes-in-frames",
            of_body("ab(c+)d", 1),
        )
        .request(Request::new("POST", "/").body_frames(["abc", "ccd"]))
        .sends("x-id", ["[ccc]"]),
        shown(
            "a-group-is-replaced",
            replacing(SingleReplace, of_header("x-text", "a(X)b.*", 1), "-"),
        )
        .request(request())
        .sends("x-id", ["[a-bXc]"]),
        shown(
            "a-source-that-does-not-match-as-a-whole-stays",
            replacing(SingleReplace, of_header("x-text", "a(X)b", 1), "-"),
        )
        .request(request())
        .sends("x-id", ["[aXbXc]"]),
        shown(
            "a-whole-source-is-replaced",
            replacing(SingleReplace, of_header("x-text", ".*", 0), "new"),
        )
        .request(request())
        .sends("x-id", ["[new]"]),
        shown(
            "a-single-replacement-knows-no-groups",
            replacing(SingleReplace, of_header("x-text", "a(X).*", 1), "$1"),
        )
        .request(request())
        .sends("x-id", ["[a$1bXc]"]),
        shown(
            "all-matches-are-replaced",
            replacing(ReplaceAll, of_header("x-text", "X", 0), "-"),
        )
        .request(request())
        .sends("x-id", ["[a-b-c]"]),
        shown(
            "replacements-of-all-matches-know-groups",
            replacing(ReplaceAll, of_header("x-text", "(X)([a-z])", 0), "$2$$$1$&"),
        )
        .request(request())
        .sends("x-id", ["[ab$XXbc$XXc]"]),
        shown(
            "nothing-to-replace-leaves-the-source",
            replacing(ReplaceAll, of_header("x-text", "Z", 0), "-"),
        )
        .request(request())
        .sends("x-id", ["[aXbXc]"]),
        shown(
            "an-extraction-hides-a-value-of-the-body",
            of_header("x-text", ".*", 0),
        )
        .request(post(r#"{"id":"of the body"}"#).header("x-text", "of the header"))
        .sends("x-id", ["[of the header]"]),
        Row::new("an-extraction-with-dots-is-nested-in-the-body")
            .requests(|it| {
                it.extractors
                    .insert("a.b".into(), of_header("x-text", ".*", 0));
                it.headers
                    .insert("x-id".into(), "{{ a.b }} {{ a.c }}".into());
            })
            .request(post(r#"{"a":{"c":"d"}}"#).header("x-text", "x"))
            .sends("x-id", ["x d"]),
        Row::new("extractions-are-read-by-function-in-advanced-templates")
            .requests(|it| {
                it.advanced_templates = true;
                it.extractors
                    .insert("a.b".into(), of_header("x-text", ".*", 0));
                it.headers.insert(
                    "x-id".into(),
                    r#"{{ extraction("a.b") }}[{{ extraction("none") }}]"#.into(),
                );
            })
            .request(request())
            .sends("x-id", ["aXbXc[]"]),
        Row::new("extractions-are-merged-into-the-body")
            .requests(|it| {
                it.extractors
                    .insert("a.b".into(), of_header(":path", "/(.*)", 1));
                it.extractors
                    .insert("z".into(), of_header("x-none", ".*", 0));
                it.merge_extractors_to_body = Some(Empty {});
            })
            .request(Request::post("/p", r#"{"b": 1.50, "a": {"c": [true]}}"#))
            .sends_body(r#"{"a":{"b":"p","c":[true]},"b":1.5,"z":""}"#),
        Row::new("extractions-are-merged-into-no-body")
            .requests(|it| {
                it.extractors
                    .insert("a".into(), of_header(":path", "/(.*)", 1));
                it.merge_extractors_to_body = Some(Empty {});
            })
            .request(Request::post("/p", "").empty_end_frame())
            .not_on_wasm("Envoy tells proxy-wasm of an empty body as of none")
            .sends_body(r#"{"a":"p"}"#),
        Row::new("a-body-that-cannot-hold-an-extraction-is-refused")
            .requests(|it| {
                it.extractors
                    .insert("a".into(), of_header(":path", "/(.*)", 1));
                it.merge_extractors_to_body = Some(Empty {});
            })
            .request(Request::post("/p", "[1]"))
            .refused(
                tenon_core::invoke::Code::BadRequest,
                ["bad request: ", "\"a\""],
            ),
        Row::new("a-part-of-a-response")
            .responses(|it| show(it, of_body("he(.*)", 1)))
            .header("x-id", ["[llo]"]),
        Row::new("a-part-of-a-response-s-header")
            .responses(|it| show(it, of_header(":status", "(.).*", 1)))
            .answer(Response::status(503))
            .header("x-id", ["[5]"]),
    ]
}
