//! Requests that another site has a browser send.

use envoy_types::pb::envoy::extensions::filters::http::csrf::v3::CsrfPolicy;
use tenon_model::options::csrf::Csrf;

use super::Configured;
use super::values::{runtime_share, string_matcher};
use crate::http_filters::CSRF;
use crate::proto::{percent, share};
use crate::wire::any;

pub(crate) fn policy(csrf: &Csrf) -> CsrfPolicy {
    let nothing = || share(percent(0.0));
    CsrfPolicy {
        filter_enabled: Some(
            csrf.filter_enabled
                .as_ref()
                .map_or_else(nothing, runtime_share),
        ),
        shadow_enabled: csrf.shadow_enabled.as_ref().map(runtime_share),
        additional_origins: csrf.additional_origins.iter().map(string_matcher).collect(),
    }
}

pub(super) fn configure(csrf: &Csrf, to: &mut Configured) {
    to.put(CSRF, any(&policy(csrf)));
}
