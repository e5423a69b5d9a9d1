//! What a route does besides forwarding.

use std::time::Duration;

use crate::ObjectRef;
use crate::header::{self, HeaderManipulation};
use crate::matcher;
use crate::options::faults::Faults;
use crate::read::{Fields, Node, Read};
use crate::regex;
use crate::retries::{self, RetryPolicy};
use crate::transformation::{self, Transformations};
use crate::upstream::is_host_name;

/// What a route does besides forwarding.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RouteOptions {
    /// How long a request may take, tries included; zero: for ever.
    pub timeout: Option<Duration>,
    /// Which failures are tried again.
    pub retries: Option<RetryPolicy>,
    /// What takes the place of the matched prefix.
    pub prefix_rewrite: Option<String>,
    /// What takes the place of what an expression matches in the path.
    pub regex_rewrite: Option<RegexRewrite>,
    /// What takes the place of the host.
    pub host_rewrite: Option<HostRewrite>,
    /// Headers to add and remove.
    pub headers: HeaderManipulation,
    /// Where a copy of the request goes.
    pub shadowing: Option<Shadowing>,
    /// Faults on purpose.
    pub faults: Option<Faults>,
    /// What is changed of requests and responses.
    pub transformations: Option<Transformations>,
}

impl RouteOptions {
    /// What several say in this order: of each option, the first that says something counts.
    ///
    /// As Gloo, which merges what stands at the top, not what stands below it.
    pub fn merged<'a>(in_order: impl IntoIterator<Item = &'a Self>) -> Self {
        let nothing = Self::default();
        let in_order = in_order.into_iter();
        in_order.fold(nothing, |first, then| first.or(then))
    }

    /// Whether an option is set, by its name in what users write.
    pub fn sets(&self, name: &str) -> bool {
        match name {
            "timeout" => self.timeout.is_some(),
            "retries" => self.retries.is_some(),
            "prefixRewrite" => self.prefix_rewrite.is_some(),
            "regexRewrite" => self.regex_rewrite.is_some(),
            "hostRewrite" => matches!(self.host_rewrite, Some(HostRewrite::Literal(_))),
            "autoHostRewrite" => matches!(self.host_rewrite, Some(HostRewrite::Auto)),
            "headerManipulation" => self.headers != HeaderManipulation::default(),
            "faults" => self.faults.is_some(),
            "shadowing" => self.shadowing.is_some(),
            "transformations" | "stagedTransformations" => self.transformations.is_some(),
            _ => false,
        }
    }

    /// These, and what a parent says besides.
    pub fn or(self, parent: &Self) -> Self {
        let rewrites = self.prefix_rewrite.is_some() || self.regex_rewrite.is_some();
        let Self {
            timeout,
            retries,
            prefix_rewrite,
            regex_rewrite,
            host_rewrite,
            headers,
            shadowing,
            faults,
            transformations,
        } = self;
        let of_parent = |is_free: bool| is_free.then_some(parent);
        Self {
            timeout: timeout.or(parent.timeout),
            retries: retries.or_else(|| parent.retries.clone()),
            // Envoy takes one of them only.
            prefix_rewrite: prefix_rewrite.or_else(|| of_parent(!rewrites)?.prefix_rewrite.clone()),
            regex_rewrite: regex_rewrite.or_else(|| of_parent(!rewrites)?.regex_rewrite.clone()),
            host_rewrite: host_rewrite.or_else(|| parent.host_rewrite.clone()),
            headers: match headers == HeaderManipulation::default() {
                true => parent.headers.clone(),
                false => headers,
            },
            shadowing: shadowing.or_else(|| parent.shadowing.clone()),
            faults: faults.or_else(|| parent.faults.clone()),
            transformations: Transformations::over(
                transformations,
                parent.transformations.as_ref(),
            ),
        }
    }
}

/// What takes the place of what an expression matches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegexRewrite {
    /// The expression.
    pub pattern: String,
    /// What takes its place, with `\1` for its groups.
    pub substitution: String,
}

/// What takes the place of the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostRewrite {
    /// This one.
    Literal(String),
    /// The name of the upstream's host.
    Auto,
}

/// Where a copy of the request goes.
#[derive(Debug, Clone, PartialEq)]
pub struct Shadowing {
    /// The upstream.
    pub upstream: ObjectRef,
    /// Of how many requests, in percent.
    pub percentage: f64,
}

/// Gloo's other options of a route.
const LATER: [&str; 35] = [
    "ai",
    "appendXForwardedHost",
    "bufferPerRoute",
    "cors",
    "csrf",
    "dlp",
    "envoyMetadata",
    "extProc",
    "extProcEarly",
    "extProcLate",
    "extauth",
    "extensions",
    "hostRewriteHeader",
    "hostRewritePathRegex",
    "idleTimeout",
    "jwt",
    "jwtProvidersStaged",
    "jwtStaged",
    "lbHash",
    "maxStreamDuration",
    "rateLimitConfigs",
    "rateLimitEarlyConfigs",
    "rateLimitRegularConfigs",
    "ratelimit",
    "ratelimitBasic",
    "ratelimitEarly",
    "ratelimitRegular",
    "rbac",
    "rateLimitRegular",
    "rateLimitEarly",
    "stats",
    "tracing",
    "upgrades",
    "waf",
    "caching",
];

pub(crate) fn read(node: &Node<'_>, namespace: &str) -> Option<RouteOptions> {
    node.object(|fields| {
        fields.later(&LATER);
        fields.one_of(&["prefixRewrite", "regexRewrite"]);
        fields.one_of(&["hostRewrite", "autoHostRewrite"]);
        Some(RouteOptions {
            timeout: fields.field("timeout", |node| node.duration()),
            retries: fields.field("retries", |node| retries::read(&node)),
            prefix_rewrite: fields.field("prefixRewrite", |node| match node.text()? {
                "" => None,
                _ => matcher::path(&node),
            }),
            regex_rewrite: fields.field("regexRewrite", |node| regex_rewrite(&node)),
            host_rewrite: read_host_rewrite(fields),
            headers: fields
                .field("headerManipulation", |node| {
                    header::read_manipulation(&node)
                })
                .unwrap_or_default(),
            shadowing: fields.field("shadowing", |node| read_shadowing(&node, namespace)),
            faults: fields.field("faults", |node| Faults::read(&node)),
            transformations: transformation::read(fields),
        })
    })
}

fn read_host_rewrite(fields: &mut Fields<'_>) -> Option<HostRewrite> {
    let literal = fields.field("hostRewrite", |node| host(&node));
    let auto = fields.flag("autoHostRewrite");
    match literal {
        Some(host) => Some(HostRewrite::Literal(host)),
        None => auto.then_some(HostRewrite::Auto),
    }
}

/// A host, with or without a port.
pub(crate) fn host(node: &Node<'_>) -> Option<String> {
    let host = header::value(node)?;
    let name = host.split(':').next().unwrap_or_default();
    if !is_host_name(name) && !host.starts_with('[') {
        return node.error(format!("{host:?} is not a host"));
    }
    Some(host)
}

pub(crate) fn regex_rewrite(node: &Node<'_>) -> Option<RegexRewrite> {
    node.object(read_regex_rewrite)
}

fn read_regex_rewrite(fields: &mut Fields<'_>) -> Option<RegexRewrite> {
    let pattern = fields.required("pattern", |node| {
        node.object(|fields| {
            fields.ignored(&["googleRe2"]);
            fields.required("regex", |node| regex::read(&node))
        })
    });
    let groups = pattern
        .as_ref()
        .map_or(usize::MAX, |pattern| pattern.groups);
    let substitution = fields.field("substitution", |node| {
        let text = header::value(&node)?;
        match check_substitution(&text, groups) {
            Ok(()) => Some(text),
            Err(reason) => node.error(reason),
        }
    });
    Some(RegexRewrite {
        pattern: pattern?.pattern,
        substitution: substitution.unwrap_or_default(),
    })
}

fn check_substitution(text: &str, groups: usize) -> Result<(), String> {
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            continue;
        }
        match chars.next() {
            Some('\\') => {}
            Some(digit @ '0'..='9') if (digit as usize - '0' as usize) <= groups => {}
            Some(digit @ '0'..='9') => {
                return Err(format!(
                    "{text:?}: there is no group {digit}, only {groups}"
                ));
            }
            _ => {
                return Err(format!(
                    r"{text:?}: after \ only a digit or another \ may stand"
                ));
            }
        }
    }
    Ok(())
}

fn read_shadowing(node: &Node<'_>, namespace: &str) -> Option<Shadowing> {
    node.object(|fields| {
        fields.later(&["disableShadowHostSuffixAppend", "hostRewriteLiteral"]);
        let upstream = fields.required("upstream", |node| node.reference(namespace));
        let percentage = fields.field("percentage", |node| {
            let percentage = node.float()?;
            if !(0.0..=100.0).contains(&percentage) {
                return node.error(format!("{percentage} is not from 0 to 100"));
            }
            Some(percentage)
        });
        Some(Shadowing {
            upstream: upstream?,
            percentage: percentage.unwrap_or_default(),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_each_option_the_first_that_says_something_counts() {
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        let first = RouteOptions {
            timeout: seconds(1),
            prefix_rewrite: Some("/".into()),
            ..RouteOptions::default()
        };
        let second = RouteOptions {
            timeout: seconds(2),
            host_rewrite: Some(HostRewrite::Auto),
            regex_rewrite: Some(RegexRewrite {
                pattern: "a".into(),
                substitution: "b".into(),
            }),
            ..RouteOptions::default()
        };
        let merged = RouteOptions::merged([&RouteOptions::default(), &first, &second]);
        let expected = RouteOptions {
            host_rewrite: Some(HostRewrite::Auto),
            ..first
        };
        assert_eq!(merged, expected);
    }

    #[test]
    fn substitutions_name_only_groups_that_there_are() {
        for (text, groups, good) in [
            ("/x", 0, true),
            (r"/\1/\2", 2, true),
            (r"/\0", 0, true),
            (r"\\n", 0, true),
            (r"/\2", 1, false),
            (r"/\n", 0, false),
            ("\\", 0, false),
        ] {
            assert_eq!(check_substitution(text, groups).is_ok(), good, "{text}");
        }
    }
}
