//! `tenon.transform`.

use std::any::Any;
use std::sync::Arc;

use envoy_proxy_dynamic_modules_rust_sdk::abi::{
    envoy_dynamic_module_type_on_http_filter_request_body_status as RequestBodyStatus,
    envoy_dynamic_module_type_on_http_filter_request_headers_status as RequestHeadersStatus,
    envoy_dynamic_module_type_on_http_filter_request_trailers_status as RequestTrailersStatus,
    envoy_dynamic_module_type_on_http_filter_response_body_status as ResponseBodyStatus,
    envoy_dynamic_module_type_on_http_filter_response_headers_status as ResponseHeadersStatus,
    envoy_dynamic_module_type_on_http_filter_response_trailers_status as ResponseTrailersStatus,
};
use envoy_proxy_dynamic_modules_rust_sdk::{
    CaughtPanic, EnvoyHttpFilter, EnvoyHttpFilterConfig, EnvoyMetrics, HttpFilter,
    HttpFilterConfig, PanicReply, envoy_log_error, envoy_log_warn,
};
use tenon_contract::Read;
use tenon_contract::transform::{TRANSFORM_FILTER, TransformConfig};
use tenon_core::host::Step;
use tenon_core::transform::{Pass, RouteRules, Transformer};

use crate::host::{EnvoyHost, Hook};
use crate::metrics::Panics;
use crate::runner::Runner;

/// The filter's configuration.
pub(crate) struct TransformFilter {
    transformer: Arc<Transformer>,
    panics: Panics,
}

impl TransformFilter {
    pub(crate) fn new(envoy: &mut impl EnvoyHttpFilterConfig, config: &[u8]) -> Option<Self> {
        let Read { value, unknown } = match TransformConfig::from_json(config) {
            Ok(read) => read,
            Err(error) => {
                envoy_log_error!("{TRANSFORM_FILTER}: {error}");
                return None;
            }
        };
        if !unknown.is_empty() {
            envoy_log_warn!(
                "{TRANSFORM_FILTER}: fields of a newer control plane are ignored: {}",
                unknown.join(", ")
            );
        }
        match Transformer::new(&value) {
            Ok(transformer) => Some(Self {
                transformer: Arc::new(transformer),
                panics: Panics::define(envoy)?,
            }),
            Err(invalid) => {
                for it in invalid {
                    envoy_log_error!("{TRANSFORM_FILTER}: {it}");
                }
                None
            }
        }
    }
}

/// Makes a route's configuration; refused with all of the listener's or the route table's if it is not valid.
pub(crate) fn new_route_config(_name: &str, config: &[u8]) -> Option<Box<dyn Any + Send + Sync>> {
    let rules = RouteRules::read(config, &mut |report| {
        envoy_log_error!("{TRANSFORM_FILTER}: of a route: {report}");
    })?;
    Some(Box::new(rules))
}

impl<EHF: EnvoyHttpFilter> HttpFilterConfig<EHF> for TransformFilter {
    fn new_http_filter(&self, _envoy: &mut EHF) -> Box<dyn HttpFilter<EHF>> {
        Box::new(Transform {
            runner: Runner::new(Some(self.transformer.max_body_bytes())),
            transformer: self.transformer.clone(),
        })
    }

    fn panic_reply(&self) -> PanicReply {
        crate::panic_reply()
    }

    fn on_panic(&self, metrics: &dyn EnvoyMetrics, panic: &CaughtPanic) {
        self.panics.count(metrics, panic);
    }
}

struct Transform {
    transformer: Arc<Transformer>,
    runner: Runner<Pass>,
}

impl Transform {
    fn run<EHF: EnvoyHttpFilter, T>(
        &self,
        envoy: &mut EHF,
        hook: Hook,
        run: impl FnOnce(&mut Pass, &Transformer, &mut EnvoyHost<'_, EHF>) -> Step,
        statuses: (T, T, T),
    ) -> T {
        let host = EnvoyHost::new(envoy, None, hook);
        let transformer = &self.transformer;
        self.runner
            .run(host, |pass, host| run(pass, transformer, host), statuses)
    }
}

impl<EHF: EnvoyHttpFilter> HttpFilter<EHF> for Transform {
    fn on_request_headers(&self, envoy: &mut EHF, end: bool) -> RequestHeadersStatus {
        use RequestHeadersStatus::{Continue, StopIteration};
        // The route holds its rules for as long as the stream, but a borrow of the stream would not let it be changed.
        let own = envoy.get_most_specific_route_config();
        let own = own
            .as_deref()
            .and_then(|it| it.downcast_ref::<RouteRules>());
        self.run(
            envoy,
            Hook::Headers,
            |pass, transformer, host| pass.request_headers(transformer, own, host, end),
            (Continue, StopIteration, StopIteration),
        )
    }

    fn on_request_body(&self, envoy: &mut EHF, end: bool) -> RequestBodyStatus {
        use RequestBodyStatus::{Continue, StopIterationAndBuffer, StopIterationNoBuffer};
        let hook = Hook::Body {
            whole: envoy.received_buffered_request_body(),
        };
        self.run(
            envoy,
            hook,
            |pass, transformer, host| pass.request_body(transformer, host, end),
            (Continue, StopIterationAndBuffer, StopIterationNoBuffer),
        )
    }

    fn on_request_trailers(&self, envoy: &mut EHF) -> RequestTrailersStatus {
        use RequestTrailersStatus::{Continue, StopIteration};
        self.run(
            envoy,
            Hook::Trailers,
            |pass, _, host| pass.request_trailers(host),
            (Continue, StopIteration, StopIteration),
        )
    }

    fn on_response_headers(&self, envoy: &mut EHF, end: bool) -> ResponseHeadersStatus {
        use ResponseHeadersStatus::{Continue, StopIteration};
        self.run(
            envoy,
            Hook::Headers,
            |pass, transformer, host| pass.response_headers(transformer, host, end),
            (Continue, StopIteration, StopIteration),
        )
    }

    fn on_response_body(&self, envoy: &mut EHF, end: bool) -> ResponseBodyStatus {
        use ResponseBodyStatus::{Continue, StopIterationAndBuffer, StopIterationNoBuffer};
        let hook = Hook::Body {
            whole: envoy.received_buffered_response_body(),
        };
        self.run(
            envoy,
            hook,
            |pass, transformer, host| pass.response_body(transformer, host, end),
            (Continue, StopIterationAndBuffer, StopIterationNoBuffer),
        )
    }

    fn on_response_trailers(&self, envoy: &mut EHF) -> ResponseTrailersStatus {
        use ResponseTrailersStatus::{Continue, StopIteration};
        self.run(
            envoy,
            Hook::Trailers,
            |pass, _, host| pass.response_trailers(host),
            (Continue, StopIteration, StopIteration),
        )
    }
}
