//! Servers that listeners ask in the place of the Settings': routes have to know that there are such.

use std::borrow::Cow;

use tenon_model::http_listener::HttpListenerOptions;
use tenon_model::{GatewayType, Kind, MatchedGatewayType, Servers, Settings, Spec};

use super::super::{Translator, Work};
use crate::route_table;

impl Translator {
    /// Takes in which servers there are on listeners; virtual hosts are looked at again if there are others than before.
    pub(in crate::engine) fn take_in_servers(&mut self, work: &mut Work) {
        let mut servers = Servers::default();
        for options in self.options_of_listeners() {
            let own = options.servers(&Servers::default());
            let moves = [&servers.extauth, &own.extauth];
            let moves = moves.into_iter().flatten().any(|it| it.clear_route_cache);
            add(&mut servers, own);
            if let Some(server) = &mut servers.extauth {
                server.clear_route_cache |= moves;
            }
        }
        if servers != self.servers {
            self.servers = servers;
            self.retry_all_routes(work);
            let hosts = self.objects.of_kind(Kind::VirtualService);
            work.hosts.extend(hosts.map(|(key, _)| key.clone()));
        }
    }

    /// Takes in how long bodies may be that routes answer with; virtual hosts are looked at again if that changed.
    pub(in crate::engine) fn take_in_limits(&mut self, work: &mut Work) {
        let newest = self.objects.of_kind(Kind::Gateway);
        let newest = newest.filter_map(|(_, entry)| match &entry.object.as_ref()?.spec {
            Spec::Gateway(gateway) => Some(gateway),
            _ => None,
        });
        let all = newest.chain(self.good_gateways.values());
        let most = all.map(|gateway| route_table::most_body(gateway.route_options));
        let most = most.max().unwrap_or_default().try_into();
        let most = most.unwrap_or(usize::MAX).max(route_table::MOST_BODY);
        if most != self.most_body {
            self.most_body = most;
            self.retry_all_routes(work);
            let hosts = self.objects.of_kind(Kind::VirtualService);
            work.hosts.extend(hosts.map(|(key, _)| key.clone()));
        }
    }

    fn options_of_listeners(&self) -> Vec<&HttpListenerOptions> {
        let mut all = Vec::new();
        for kind in [Kind::Gateway, Kind::MatchableHttpGateway] {
            for (_, entry) in self.objects.of_kind(kind) {
                match entry.object.as_ref().map(|object| &object.spec) {
                    Some(Spec::Gateway(gateway)) => match &gateway.kind {
                        Some(GatewayType::HttpGateway(http)) => all.push(&http.options),
                        Some(GatewayType::HybridGateway(hybrid)) => {
                            for matched in &hybrid.matched_gateways {
                                if let MatchedGatewayType::HttpGateway(http) = &matched.kind {
                                    all.push(&http.options);
                                }
                            }
                        }
                        None | Some(GatewayType::TcpGateway(_)) => {}
                    },
                    Some(Spec::MatchableHttpGateway(http)) => all.push(&http.http_gateway.options),
                    _ => {}
                }
            }
        }
        all
    }

    /// The Settings, with the servers that routes can count on: some listener asks them.
    pub(in crate::engine) fn settings_of_routes<'a>(
        &self,
        settings: &'a Settings,
    ) -> Cow<'a, Settings> {
        if self.servers == Servers::default() {
            return Cow::Borrowed(settings);
        }
        let mut settings = settings.clone();
        let mut servers = (*settings.servers).clone();
        let moves = self.servers.extauth.as_ref();
        let moves = moves.is_some_and(|it| it.clear_route_cache);
        add(&mut servers, self.servers.clone());
        if let Some(server) = &mut servers.extauth {
            server.clear_route_cache |= moves;
        }
        settings.servers = servers.into();
        Cow::Owned(settings)
    }
}

/// Adds what is not there.
fn add(servers: &mut Servers, more: Servers) {
    fn or<T>(one: &mut Option<T>, other: Option<T>) {
        *one = one.take().or(other);
    }
    or(&mut servers.extauth, more.extauth);
    or(&mut servers.ratelimit_server, more.ratelimit_server);
    or(&mut servers.ext_proc_early, more.ext_proc_early);
    or(&mut servers.ext_proc, more.ext_proc);
    or(&mut servers.ext_proc_late, more.ext_proc_late);
}
