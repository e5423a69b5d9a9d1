//! Parts of headers and body, by name.

use std::borrow::Cow;

use tenon_contract::transform::{Extraction, ExtractionMode};

use super::pattern::{FullMatch, Replacement, Search};
use super::{Place, headers};
use crate::host::{Headers, Side};
#[cfg(doc)]
use crate::inja::MAX_OUTPUT;

/// An extractor, compiled.
#[derive(Debug)]
pub(super) struct Extractor {
    source: Source,
    mode: Mode,
}

#[derive(Debug)]
enum Source {
    Header(String),
    Body,
}

#[derive(Debug)]
enum Mode {
    Extract(FullMatch, usize),
    SingleReplace(Search, usize, String),
    ReplaceAll(Search, Replacement),
}

impl Extractor {
    pub(super) fn compile(config: &Extraction, place: &mut Place<'_>) -> Option<Self> {
        let source = match (&config.header, &config.body) {
            (Some(name), None) => {
                headers::read_name(name, &mut place.at("header")).map(Source::Header)
            }
            (None, Some(_)) => Some(Source::Body),
            _ => place.refuse("expected one of header and body"),
        };
        let mode = compile_mode(config, place);
        Some(Self {
            source: source?,
            mode: mode?,
        })
    }

    pub(super) fn needs_body(&self) -> bool {
        matches!(self.source, Source::Body)
    }

    /// What it makes of a message. Nothing is an empty text, as is a header that is not there. `None` where it would be
    /// longer than [`MAX_OUTPUT`].
    pub(super) fn extract(&self, host: &impl Headers, side: Side, body: &[u8]) -> Option<String> {
        let source = match &self.source {
            Source::Body => Cow::Borrowed(body),
            Source::Header(name) => match host.header(side, name) {
                Some(value) => value,
                None => return Some(String::new()),
            },
        };
        let text = String::from_utf8_lossy(&source);
        let found = match &self.mode {
            Mode::Extract(pattern, group) => {
                pattern.group(&text, *group).unwrap_or_default().to_owned()
            }
            Mode::SingleReplace(pattern, group, replacement) => {
                match pattern.group_of_whole(&text, *group) {
                    Some(place) => {
                        let before = text.get(..place.start).unwrap_or_default();
                        let after = text.get(place.end..).unwrap_or_default();
                        [before, replacement, after].concat()
                    }
                    None => text.into_owned(),
                }
            }
            Mode::ReplaceAll(pattern, replacement) => {
                return pattern.replace_all(&text, replacement);
            }
        };
        Some(found)
    }
}

fn compile_mode(config: &Extraction, place: &mut Place<'_>) -> Option<Mode> {
    let group = usize::try_from(config.subgroup).unwrap_or(usize::MAX);
    let replacement = |place: &mut Place<'_>, mode: &str| match &config.replacement_text {
        Some(text) => Some(text.clone()),
        None => place
            .at("replacementText")
            .refuse(format!("is required in the mode {mode}")),
    };
    let mode = match config.mode {
        ExtractionMode::Extract => {
            let pattern = place
                .at("regex")
                .accept(FullMatch::compile(&config.regex))?;
            check_group(group, pattern.groups(), place)?;
            Mode::Extract(pattern, group)
        }
        ExtractionMode::SingleReplace => {
            let pattern = place.at("regex").accept(Search::compile(&config.regex))?;
            check_group(group, pattern.groups(), place)?;
            Mode::SingleReplace(pattern, group, replacement(place, "SINGLE_REPLACE")?)
        }
        ExtractionMode::ReplaceAll => {
            let pattern = place.at("regex").accept(Search::compile(&config.regex))?;
            if group != 0 {
                return place
                    .at("subgroup")
                    .refuse("must be 0 in the mode REPLACE_ALL");
            }
            let text = replacement(place, "REPLACE_ALL")?;
            Mode::ReplaceAll(pattern, Replacement::compile(&text))
        }
    };
    Some(mode)
}

fn check_group(group: usize, groups: usize, place: &mut Place<'_>) -> Option<()> {
    if group > groups {
        return place.at("subgroup").refuse(format!(
            "there is no group {group}: the expression has {groups}"
        ));
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use tenon_contract::transform::{Empty, Transformation as Config, TransformationTemplate};

    use super::*;
    use crate::inja::MAX_NESTING;
    use crate::transform::Transformation;

    #[test]
    fn a_name_of_many_parts_is_refused_rather_than_nested() {
        for (parts, faults) in [(MAX_NESTING, 0), (MAX_NESTING + 1, 1)] {
            let extraction = Extraction {
                body: Some(Empty {}),
                ..Extraction::default()
            };
            let template = TransformationTemplate {
                extractors: [(vec!["a"; parts].join("."), extraction)].into(),
                ..TransformationTemplate::default()
            };
            let config = Config {
                transformation_template: Some(template),
                ..Config::default()
            };
            let found = Transformation::new(&config).err().unwrap_or_default();
            assert_eq!(found.len(), faults, "{found:?}");
        }
    }
}
