//! Requests that another site has a browser send.

use tenon_model_derive::Read;

use super::values::{RuntimeFractionalPercent, StringMatcher};

/// Of which requests that change something the origin is looked at.
#[derive(Debug, Clone, PartialEq, Eq, Default, Read)]
pub struct Csrf {
    /// How many are refused where they come from elsewhere; none where it is left out.
    pub filter_enabled: Option<RuntimeFractionalPercent>,
    /// How many are only counted, where they are not refused.
    pub shadow_enabled: Option<RuntimeFractionalPercent>,
    /// Origins besides the destination's own that may ask.
    pub additional_origins: Vec<StringMatcher>,
}
