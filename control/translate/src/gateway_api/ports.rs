//! A gateway's ports as gateways of the Edge API.

use std::collections::BTreeMap;

use tenon_model::{
    ConnectionMatcher, Gateway, GatewayType, HttpGateway, HybridGateway, ListenerOptions,
    MatchedGateway, MatchedGatewayType, ObjectKey, PortOfGateway, RouteConfigurationOptions,
    SslConfig, TcpAction, TcpGateway, TcpHost, TcpListenerOptions,
};

use super::hostname;
use super::listeners::{GatewayForm, gateway_key, listener_name};

/// Where connections go, by the hosts that they ask for at a port.
pub(crate) type Streams = BTreeMap<(u16, String), TcpAction>;

impl GatewayForm {
    /// The gateways of the Edge API that it comes to, with the connections that its routes forward.
    pub(crate) fn gateways(
        &self,
        key: &ObjectKey,
        streams: &Streams,
    ) -> BTreeMap<ObjectKey, Gateway> {
        let ports = self.ports().into_iter();
        ports
            .filter_map(|port| {
                let (ssl, kind) = self.port(key, port, streams)?;
                let gateway = Gateway {
                    ssl,
                    bind_address: self.address,
                    bind_port: port,
                    proxy_names: vec![self.proxy.clone()],
                    kind: Some(kind),
                    options: ListenerOptions::default(),
                    use_proxy_proto: false,
                    route_options: RouteConfigurationOptions {
                        ignore_port: true,
                        ..RouteConfigurationOptions::default()
                    },
                    listener_name: Some(listener_name(port)),
                };
                Some((gateway_key(key, port), gateway))
            })
            .collect()
    }

    /// What is done at a port, and whether HTTP is over TLS there.
    fn port(&self, key: &ObjectKey, port: u16, streams: &Streams) -> Option<(bool, GatewayType)> {
        let speaks = |protocol| self.at(port).any(|(_, it)| it.protocol == protocol);
        let ssl = speaks("HTTPS");
        let http = (ssl || speaks("HTTP")).then(|| {
            let of_port = PortOfGateway {
                namespace: key.namespace.clone(),
                prefix: format!("{}~{}~", key.name, listener_name(port)).into(),
            };
            Box::new(HttpGateway {
                of_port: Some(of_port),
                ..HttpGateway::default()
            })
        });
        let hosts: Vec<_> = streams
            .iter()
            .filter(|((at, _), _)| *at == port)
            .map(|((_, host), action)| self.tcp_host(port, host, action))
            .collect();
        let tcp = (!hosts.is_empty()).then(|| {
            Box::new(TcpGateway {
                tcp_hosts: hosts,
                options: TcpListenerOptions::default(),
            })
        });
        match (http, tcp) {
            (Some(http), None) => Some((ssl, GatewayType::HttpGateway(http))),
            (None, Some(tcp)) => Some((false, GatewayType::TcpGateway(tcp))),
            (None, None) => None,
            (Some(http), Some(tcp)) => {
                let over_tls = ConnectionMatcher {
                    ssl_config: Some(SslConfig::default()),
                    ..ConnectionMatcher::default()
                };
                let matched = |matcher, kind| MatchedGateway { matcher, kind };
                let hybrid = HybridGateway {
                    matched_gateways: vec![
                        matched(over_tls, MatchedGatewayType::HttpGateway(http)),
                        matched(
                            ConnectionMatcher::default(),
                            MatchedGatewayType::TcpGateway(tcp),
                        ),
                    ],
                    ..HybridGateway::default()
                };
                Some((false, GatewayType::HybridGateway(Box::new(hybrid))))
            }
        }
    }

    fn tcp_host(&self, port: u16, host: &str, action: &TcpAction) -> TcpHost {
        let listener = self.owner(port, host);
        let names: Vec<_> = (host != hostname::ANY)
            .then(|| host.to_owned())
            .into_iter()
            .collect();
        let ends = listener.and_then(|it| it.tls.ssl.as_ref());
        let ssl_config = match ends {
            Some(ssl) => Some(SslConfig {
                sni_domains: names,
                // What is spoken is the backend's to know.
                alpn_protocols: vec!["allow_empty".to_owned()],
                ..SslConfig::clone(ssl)
            }),
            None => (!names.is_empty()).then(|| SslConfig {
                sni_domains: names,
                ..SslConfig::default()
            }),
        };
        TcpHost {
            name: host.to_owned(),
            ssl_config,
            destination: action.clone(),
        }
    }
}

/// A host at a port of a gateway, of what it is known by within.
pub(crate) fn host_of(key: &ObjectKey) -> Option<(u16, String)> {
    let mut parts = key.name.rsplit(tenon_model::INTERNAL);
    let host = parts.next()?.replace('_', ".");
    Some((parts.next()?.parse().ok()?, host))
}
