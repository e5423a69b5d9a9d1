//! Faults on purpose.

use envoy_types::pb::envoy::extensions::filters::common::fault::v3::{FaultDelay, fault_delay};
use envoy_types::pb::envoy::extensions::filters::http::fault::v3::{
    FaultAbort, HttpFault, fault_abort::ErrorType,
};
use tenon_model::options::faults::Faults;

use super::Configured;
use crate::http_filters::FAULT;
use crate::proto::{duration, percent};
use crate::wire::any;

pub(super) fn configure(faults: &Faults, to: &mut Configured) {
    if *faults == Faults::default() {
        return;
    }
    let config = HttpFault {
        delay: faults.delay.as_ref().map(|delay| FaultDelay {
            percentage: Some(percent(delay.percentage)),
            fault_delay_secifier: Some(fault_delay::FaultDelaySecifier::FixedDelay(duration(
                delay.fixed_delay,
            ))),
        }),
        abort: faults.abort.as_ref().map(|abort| FaultAbort {
            percentage: Some(percent(abort.percentage)),
            error_type: Some(ErrorType::HttpStatus(abort.http_status)),
            ..FaultAbort::default()
        }),
        ..HttpFault::default()
    };
    to.put(FAULT, any(&config));
}
