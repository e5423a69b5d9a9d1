//! Types of the ABI. Enums are C `int`s that count from zero.
//!
//! Enums cross the boundary as integers, both ways, and are converted next to it by their `from_raw` and `to_raw`: a
//! value that a newer Envoy adds must not become undefined behaviour here.

use std::ffi::{c_char, c_int, c_void};

/// The Envoy side of a filter config.
pub type envoy_dynamic_module_type_http_filter_config_envoy_ptr = *mut c_void;
/// The Envoy side of a stream's filter.
pub type envoy_dynamic_module_type_http_filter_envoy_ptr = *mut c_void;
/// Our side of a filter config.
pub type envoy_dynamic_module_type_http_filter_config_module_ptr = *const c_void;
/// Our side of a stream's filter.
pub type envoy_dynamic_module_type_http_filter_module_ptr = *const c_void;
/// Our side of a per-route config.
pub type envoy_dynamic_module_type_http_filter_per_route_config_module_ptr = *const c_void;
/// A scheduler of a stream or of a config; owned by us, made and freed by Envoy.
pub type envoy_dynamic_module_type_http_filter_scheduler_module_ptr = *mut c_void;
/// A tracing span; owned by Envoy.
pub type envoy_dynamic_module_type_span_envoy_ptr = *mut c_void;
/// A child span; owned by us until finished.
pub type envoy_dynamic_module_type_child_span_module_ptr = *mut c_void;

/// Bytes that Envoy owns.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct envoy_dynamic_module_type_envoy_buffer {
    pub ptr: *const c_char,
    pub length: usize,
}

impl envoy_dynamic_module_type_envoy_buffer {
    /// An out-parameter before the call.
    pub const EMPTY: Self = Self {
        ptr: std::ptr::null(),
        length: 0,
    };
}

/// Bytes that we own.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct envoy_dynamic_module_type_module_buffer {
    pub ptr: *const c_char,
    pub length: usize,
}

impl envoy_dynamic_module_type_module_buffer {
    /// No buffer. As a header's value it means removal.
    pub const NULL: Self = Self {
        ptr: std::ptr::null(),
        length: 0,
    };

    /// Lends `bytes` for one call. Never null, not even for an empty slice.
    pub const fn of(bytes: &[u8]) -> Self {
        Self {
            ptr: bytes.as_ptr().cast(),
            length: bytes.len(),
        }
    }
}

/// A header that Envoy owns.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct envoy_dynamic_module_type_envoy_http_header {
    pub key_ptr: *const c_char,
    pub key_length: usize,
    pub value_ptr: *const c_char,
    pub value_length: usize,
}

impl envoy_dynamic_module_type_envoy_http_header {
    /// An element of an out-array before the call.
    pub const EMPTY: Self = Self {
        key_ptr: std::ptr::null(),
        key_length: 0,
        value_ptr: std::ptr::null(),
        value_length: 0,
    };
}

/// A header that we own.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct envoy_dynamic_module_type_module_http_header {
    pub key_ptr: *const c_char,
    pub key_length: usize,
    pub value_ptr: *const c_char,
    pub value_length: usize,
}

/// A key and a string value that we own.
pub type envoy_dynamic_module_type_module_key_value_pair =
    envoy_dynamic_module_type_module_http_header;

macro_rules! c_enum {
    ($(#[$doc:meta])* $name:ident { $($variant:ident),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($variant),* }

        impl $name {
            /// The variant of a number that came over the ABI; `None` for one that this ABI version does not have.
            pub fn from_raw(raw: c_int) -> Option<Self> {
                [$(Self::$variant),*].into_iter().find(|v| v.to_raw() == raw)
            }

            /// The variant's number.
            pub const fn to_raw(self) -> c_int {
                self as c_int
            }
        }
    };
}

c_enum! {
    /// Which header map.
    envoy_dynamic_module_type_http_header_type { RequestHeader, RequestTrailer, ResponseHeader, ResponseTrailer }
}
c_enum! {
    /// Which body: what came with this hook, or what is held from earlier ones.
    envoy_dynamic_module_type_http_body_type {
        ReceivedRequestBody, BufferedRequestBody, ReceivedResponseBody, BufferedResponseBody
    }
}
c_enum! {
    /// What happens after the request-headers hook.
    envoy_dynamic_module_type_on_http_filter_request_headers_status {
        Continue, StopIteration, ContinueAndDontEndStream, StopAllIterationAndBuffer, StopAllIterationAndWatermark
    }
}
c_enum! {
    /// What happens after the request-body hook.
    envoy_dynamic_module_type_on_http_filter_request_body_status {
        Continue, StopIterationAndBuffer, StopIterationAndWatermark, StopIterationNoBuffer
    }
}
c_enum! {
    /// What happens after the request-trailers hook.
    envoy_dynamic_module_type_on_http_filter_request_trailers_status { Continue, StopIteration }
}
c_enum! {
    /// What happens after the response-headers hook.
    envoy_dynamic_module_type_on_http_filter_response_headers_status {
        Continue, StopIteration, ContinueAndDontEndStream, StopAllIterationAndBuffer, StopAllIterationAndWatermark
    }
}
c_enum! {
    /// What happens after the response-body hook.
    envoy_dynamic_module_type_on_http_filter_response_body_status {
        Continue, StopIterationAndBuffer, StopIterationAndWatermark, StopIterationNoBuffer
    }
}
c_enum! {
    /// What happens after the response-trailers hook.
    envoy_dynamic_module_type_on_http_filter_response_trailers_status { Continue, StopIteration }
}
c_enum! {
    /// What happens after the local-reply hook.
    envoy_dynamic_module_type_on_http_filter_local_reply_status { Continue, ContinueAndResetStream }
}
c_enum! {
    /// How the start of a callout went.
    envoy_dynamic_module_type_http_callout_init_result {
        Success, MissingRequiredHeaders, ClusterNotFound, DuplicateCalloutId, CannotCreateRequest
    }
}
c_enum! {
    /// How a callout ended.
    envoy_dynamic_module_type_http_callout_result { Success, Reset, ExceedResponseBufferLimit }
}
c_enum! {
    /// Why a callout's stream was reset.
    envoy_dynamic_module_type_http_stream_reset_reason {
        ConnectionFailure, ConnectionTermination, LocalReset, LocalRefusedStreamReset, Overflow, RemoteReset,
        RemoteRefusedStreamReset, ProtocolError
    }
}
c_enum! {
    /// How to reset the filter's own stream.
    envoy_dynamic_module_type_http_filter_stream_reset_reason { LocalReset, LocalRefusedStreamReset }
}
c_enum! {
    /// Whose metadata.
    envoy_dynamic_module_type_metadata_source { Dynamic, Route, Cluster, Host, HostLocality }
}
c_enum! {
    /// How a call on a metric went.
    envoy_dynamic_module_type_metrics_result { Success, MetricNotFound, InvalidLabels, Frozen }
}
c_enum! {
    /// How urgent a log line is.
    envoy_dynamic_module_type_log_level { Trace, Debug, Info, Warn, Error, Critical, Off }
}
c_enum! {
    /// The attributes of a stream, up to `xds.virtual_host_name`. Envoy implements not all of them.
    envoy_dynamic_module_type_attribute_id {
        RequestPath, RequestUrlPath, RequestHost, RequestScheme, RequestMethod, RequestHeaders, RequestReferer,
        RequestUserAgent, RequestTime, RequestId, RequestProtocol, RequestQuery, RequestDuration, RequestSize,
        RequestTotalSize, ResponseCode, ResponseCodeDetails, ResponseFlags, ResponseGrpcStatus, ResponseHeaders,
        ResponseTrailers, ResponseSize, ResponseTotalSize, ResponseBackendLatency, SourceAddress, SourcePort,
        DestinationAddress, DestinationPort, ConnectionId, ConnectionMtls, ConnectionRequestedServerName,
        ConnectionTlsVersion, ConnectionSubjectLocalCertificate, ConnectionSubjectPeerCertificate,
        ConnectionDnsSanLocalCertificate, ConnectionDnsSanPeerCertificate, ConnectionUriSanLocalCertificate,
        ConnectionUriSanPeerCertificate, ConnectionSha256PeerCertificateDigest, ConnectionTransportFailureReason,
        ConnectionTerminationDetails, UpstreamAddress, UpstreamPort, UpstreamTlsVersion,
        UpstreamSubjectLocalCertificate, UpstreamSubjectPeerCertificate, UpstreamDnsSanLocalCertificate,
        UpstreamDnsSanPeerCertificate, UpstreamUriSanLocalCertificate, UpstreamUriSanPeerCertificate,
        UpstreamSha256PeerCertificateDigest, UpstreamLocalAddress, UpstreamTransportFailureReason,
        UpstreamRequestAttemptCount, UpstreamCxPoolReadyDuration, UpstreamLocality, XdsNode, XdsClusterName,
        XdsClusterMetadata, XdsListenerDirection, XdsListenerMetadata, XdsRouteName, XdsRouteMetadata,
        XdsVirtualHostName
    }
}
