//! Values that several options have.

use envoy_types::pb::envoy::r#type::matcher::v3 as envoy;
use envoy_types::pb::envoy::r#type::matcher::v3::string_matcher::MatchPattern;
use envoy_types::pb::envoy::r#type::v3::{self, fractional_percent::DenominatorType};
use tenon_model::options::values::{
    Denominator, FractionalPercent, RuntimeFractionalPercent, StringMatcher, StringPattern,
};

use crate::proto::{core, regex};

pub(crate) fn runtime_share(share: &RuntimeFractionalPercent) -> core::RuntimeFractionalPercent {
    core::RuntimeFractionalPercent {
        default_value: Some(percent(&share.default_value)),
        runtime_key: share.runtime_key.clone(),
    }
}

pub(crate) fn percent(share: &FractionalPercent) -> v3::FractionalPercent {
    let denominator = match share.denominator {
        Denominator::Hundred => DenominatorType::Hundred,
        Denominator::TenThousand => DenominatorType::TenThousand,
        Denominator::Million => DenominatorType::Million,
    };
    v3::FractionalPercent {
        numerator: share.numerator,
        denominator: denominator.into(),
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
