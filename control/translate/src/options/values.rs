//! Values that several options have.

use envoy_types::pb::envoy::r#type::matcher::v3 as envoy;
use envoy_types::pb::envoy::r#type::matcher::v3::string_matcher::MatchPattern;
use envoy_types::pb::envoy::r#type::v3::{FractionalPercent, fractional_percent::DenominatorType};
use tenon_model::options::values::{
    Denominator, RuntimeFractionalPercent, StringMatcher, StringPattern,
};

use crate::proto::{core, regex};

pub(crate) fn runtime_share(share: &RuntimeFractionalPercent) -> core::RuntimeFractionalPercent {
    let denominator = match share.default_value.denominator {
        Denominator::Hundred => DenominatorType::Hundred,
        Denominator::TenThousand => DenominatorType::TenThousand,
        Denominator::Million => DenominatorType::Million,
    };
    core::RuntimeFractionalPercent {
        default_value: Some(FractionalPercent {
            numerator: share.default_value.numerator,
            denominator: denominator.into(),
        }),
        runtime_key: share.runtime_key.clone(),
    }
}

pub(crate) fn string_matcher(matcher: &StringMatcher) -> envoy::StringMatcher {
    let pattern = match &matcher.pattern {
        StringPattern::Exact(text) => MatchPattern::Exact(text.clone()),
        StringPattern::Prefix(text) => MatchPattern::Prefix(text.clone()),
        StringPattern::Suffix(text) => MatchPattern::Suffix(text.clone()),
        StringPattern::SafeRegex(it) => MatchPattern::SafeRegex(regex(&it.regex)),
    };
    let is_regex = matches!(pattern, MatchPattern::SafeRegex(_));
    envoy::StringMatcher {
        match_pattern: Some(pattern),
        // Envoy: "no effect for regex match".
        ignore_case: matcher.ignore_case && !is_regex,
    }
}
