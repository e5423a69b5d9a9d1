//! Extractors: any expression is compiled or refused in its place, and what it makes of any text is what its mode says,
//! in time that is bounded.

use tenon_conformance::Protocol;
use tenon_conformance::fake::Request;
use tenon_conformance::transform::{Row, run_on_fake};
use tenon_contract::transform::{
    Empty, Extraction, ExtractionMode, InjaTemplate, TransformationTemplate,
};

use crate::input::Input;

/// Gloo's modes.
const MODES: [ExtractionMode; 3] = [
    ExtractionMode::Extract,
    ExtractionMode::SingleReplace,
    ExtractionMode::ReplaceAll,
];

/// How much of a text is looked at: an expression that looks far ahead of each match does so anew for the next one, and
/// then the time is not that of the text's length but of its square.
const LONGEST: usize = 2048;

/// Choices of mode, source and group; the expression and the replacement on a line each; then the text.
pub(crate) fn run(bytes: &[u8]) {
    let mut input = Input(bytes);
    let mode = input.one_of(&MODES);
    let from_body = input.choice(2) == 0;
    let subgroup = u32::try_from(input.choice(4)).unwrap_or_default();
    let lines = [input.line(), input.line()].map(std::str::from_utf8);
    let [Ok(regex), Ok(replacement)] = lines else {
        return;
    };
    let text = &input.0[..input.0.len().min(LONGEST)];
    let extraction = Extraction {
        regex: regex.to_owned(),
        subgroup,
        mode,
        ..Extraction::default()
    };
    let replace = |with: &str| Extraction {
        replacement_text: Some(with.to_owned()),
        ..extraction.clone()
    };
    let Some(found) = extract(&replace(replacement), from_body, text) else {
        return;
    };
    let text = match from_body {
        true => String::from_utf8_lossy(text),
        false => String::from_utf8_lossy(header(text)),
    };
    match mode {
        ExtractionMode::Extract => assert!(text.contains(&*found), "{found:?} of {text:?}"),
        ExtractionMode::SingleReplace => {
            let around = found.len().checked_sub(replacement.len());
            let replaced = around.is_some_and(|around| {
                (0..=around).any(|before| {
                    let (Some(before), Some(after)) =
                        (found.get(..before), found.get(before + replacement.len()..))
                    else {
                        return false;
                    };
                    found[before.len()..].starts_with(replacement)
                        && text.starts_with(before)
                        && text[before.len()..].ends_with(after)
                })
            });
            assert!(found == text || replaced, "{found:?} of {text:?}");
        }
        ExtractionMode::ReplaceAll => {
            let same = extract(&replace("$&"), from_body, text.as_bytes());
            assert_eq!(same.as_deref(), Some(&*text), "what was found, for itself");
            let none = extract(&replace(""), from_body, text.as_bytes());
            assert!(none.is_some_and(|none| none.len() <= text.len()));
        }
    }
}

/// What a template prints of it; `None` where it is refused, or comes out too long.
fn extract(extraction: &Extraction, from_body: bool, text: &[u8]) -> Option<String> {
    let mut extraction = extraction.clone();
    let mut request = Request::new("POST", "/");
    if from_body {
        extraction.body = Some(Empty {});
        request = request.body_frames([text]);
    } else {
        extraction.header = Some("x-source".to_owned());
        request = request.header("x-source", header(text));
    }
    let row = Row::new("fuzz").request(request).requests(|template| {
        *template = TransformationTemplate {
            advanced_templates: true,
            extractors: [("x".to_owned(), extraction)].into(),
            body: Some(InjaTemplate::from(r#"{{ extraction("x") }}"#)),
            ..TransformationTemplate::default()
        };
    });
    let observed = run_on_fake(&row, Protocol::Http2, false).expect("a filter without rules");
    let sent = observed.sent.first()?;
    Some(String::from_utf8(sent.body.clone()).expect("made of texts"))
}

/// As much of it as can be a header's value.
fn header(text: &[u8]) -> &[u8] {
    let visible = |byte: &u8| !matches!(byte, 0..32 | 0x7f);
    let end = text.iter().position(|byte| !visible(byte));
    text[..end.unwrap_or(text.len())].trim_ascii()
}
