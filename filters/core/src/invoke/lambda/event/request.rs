//! The client's request in the terms of AWS's shapes.

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};

use super::super::super::snapshot::Snapshot;
use super::super::Call;
use super::{Multi, client_path, headers, text};
use crate::host::Connection;
use crate::sign::{PayloadHash, common_log};
use tenon_contract::Sorted;

/// What of an event is neither in the client's request nor in the call.
#[derive(Debug, Default)]
pub(crate) struct Origin<'a> {
    /// The upstream's name, which stands for the API.
    upstream: &'a str,
    /// The function's logical name, which stands for the target group with it.
    function: &'a str,
    region: &'a str,
    protocol: Option<String>,
    source_ip: Option<IpAddr>,
    /// The template that the path was matched with, as `/pets/{id}`, where there was one.
    resource: Option<&'a str>,
    /// What the template's parameters are.
    path_parameters: &'a [(&'a str, &'a str)],
}

impl<'a> Origin<'a> {
    /// Asks for as much as the call's shape shows.
    pub(crate) fn ask(
        host: &impl Connection,
        call: &Call,
        upstream: &'a str,
        function: &'a str,
        region: &'a str,
    ) -> Self {
        use tenon_contract::RequestShape::{ApiGatewayV1, ApiGatewayV2};
        let mut origin = Self {
            upstream,
            function,
            region,
            ..Self::default()
        };
        if matches!(call.aws.request, ApiGatewayV1 | ApiGatewayV2) {
            let own = |text: Cow<'_, [u8]>| String::from_utf8_lossy(&text).into_owned();
            origin.protocol = host.protocol().map(own);
            origin.source_ip = host.source_address().as_deref().and_then(ip);
        }
        origin
    }

    /// Says which template the path was matched with, and what its parameters are.
    pub(crate) fn matched(
        mut self,
        resource: &'a str,
        path_parameters: &'a [(&'a str, &'a str)],
    ) -> Self {
        self.resource = Some(resource);
        self.path_parameters = path_parameters;
        self
    }
}

/// The address of `192.0.2.1:80`, `[2001:db8::1]:80` or one without a port.
fn ip(address: &[u8]) -> Option<IpAddr> {
    let address = std::str::from_utf8(address).ok()?;
    let ip = match address.parse::<SocketAddr>() {
        Ok(address) => address.ip(),
        Err(_) => address.parse().ok()?,
    };
    // A dual-stack listener's IPv4 clients.
    Some(ip.to_canonical())
}

/// A request, as AWS's shapes show it.
pub(super) struct Request<'a> {
    pub(super) call: &'a Call,
    pub(super) client: &'a Snapshot,
    origin: &'a Origin<'a>,
    /// Without the query, encoded as the client encoded it.
    pub(super) path: Cow<'a, str>,
    /// Without the question mark.
    pub(super) query: Cow<'a, str>,
}

impl<'a> Request<'a> {
    pub(super) fn new(call: &'a Call, client: &'a Snapshot, origin: &'a Origin<'a>) -> Self {
        let (path, query) = client_path(call, client);
        Self {
            call,
            client,
            origin,
            path,
            query,
        }
    }

    pub(super) fn method(&self) -> Cow<'a, str> {
        text(self.client.method())
    }

    /// All headers with all their values. The host is one, and so are those that all of AWS's entries add where the
    /// client sends none: `x-forwarded-port` and `x-amzn-trace-id`.
    pub(super) fn headers(&self) -> Multi<'a> {
        let mut all = headers(self.client, |plain| {
            (plain == "authority").then_some(Cow::Borrowed("host"))
        });
        if !all.contains_key("x-forwarded-port") {
            let scheme = all
                .get("x-forwarded-proto")
                .and_then(|values| values.last());
            let port = self.port(scheme.map(|scheme| &**scheme));
            all.insert("x-forwarded-port".into(), vec![port]);
        }
        if !all.contains_key("x-amzn-trace-id") {
            all.insert("x-amzn-trace-id".into(), vec![self.trace_id().into()]);
        }
        all
    }

    /// The port that the client asked.
    fn port(&self, scheme: Option<&str>) -> Cow<'a, str> {
        match authority(self.client.host()).1 {
            Some(port) => text(port),
            None if scheme == Some("https") => "443".into(),
            None => "80".into(),
        }
    }

    /// AWS: "Request tracing for your Application Load Balancer": version, time in seconds, 96 bits; both in hexadecimal.
    fn trace_id(&self) -> String {
        let seconds = self.client.time().as_secs();
        let id = self.digest();
        format!("Root=1-{seconds:08x}-{}", id.get(..24).unwrap_or_default())
    }

    /// What is different for each request, and the same for its tries.
    fn digest(&self) -> String {
        let mut hash = PayloadHash::default();
        // It begins with the time in microseconds and holds Envoy's own request id.
        hash.update(self.client.as_bytes());
        text(&hash.finish()).into_owned()
    }

    /// Envoy's id, and else one in the same form.
    pub(super) fn id(&self) -> Cow<'a, str> {
        if let Some(id) = self.header(b"x-request-id") {
            return id;
        }
        let digest = self.digest();
        let part = |range| digest.get(range).unwrap_or_default();
        Cow::Owned(format!(
            "{}-{}-{}-{}-{}",
            part(0..8),
            part(8..12),
            part(12..16),
            part(16..20),
            part(20..32)
        ))
    }

    /// The first value of a header.
    pub(super) fn header(&self, name: &[u8]) -> Option<Cow<'a, str>> {
        let mut all = self.client.headers();
        all.find(|(own, _)| *own == name)
            .map(|(_, value)| text(value))
    }

    /// The account of the function, where its ARN tells it.
    pub(super) fn account(&self) -> Option<&'a str> {
        self.call.account.as_deref()
    }

    /// What stands for the API.
    pub(super) fn api_id(&self) -> &'a str {
        self.origin.upstream
    }

    /// The name that the client asked, without a port.
    pub(super) fn domain_name(&self) -> Cow<'a, str> {
        text(authority(self.client.host()).0)
    }

    /// The first label of a name; an address is one label.
    pub(super) fn domain_prefix(name: &str) -> &str {
        match name.parse::<IpAddr>() {
            Err(_) if !name.starts_with('[') => name.split('.').next().unwrap_or_default(),
            _ => name,
        }
    }

    pub(super) fn protocol(&self) -> &'a str {
        self.origin.protocol.as_deref().unwrap_or("HTTP/1.1")
    }

    pub(super) fn source_ip(&self) -> Option<IpAddr> {
        self.origin.source_ip
    }

    pub(super) fn resource(&self) -> Option<&'a str> {
        self.origin.resource
    }

    pub(super) fn path_parameters(&self) -> Option<Sorted<&'a str, &'a str>> {
        let all = self.origin.path_parameters;
        (!all.is_empty()).then(|| all.iter().copied().collect())
    }

    /// When it came, as text.
    pub(super) fn time(&self) -> String {
        common_log(self.client.time())
    }

    /// When it came, in milliseconds since the epoch.
    pub(super) fn epoch(&self) -> u64 {
        u64::try_from(self.client.time().as_millis()).unwrap_or(u64::MAX)
    }

    /// The target group that stands for the function. Its account is zero where none is known.
    pub(super) fn target_group(&self) -> String {
        let region = self.origin.region;
        let partition = match region {
            region if region.starts_with("cn-") => "aws-cn",
            region if region.starts_with("us-gov-") => "aws-us-gov",
            _ => "aws",
        };
        let account = self.account().unwrap_or("000000000000");
        format!(
            "arn:{partition}:elasticloadbalancing:{region}:{account}:targetgroup/{}/{}",
            self.origin.upstream, self.origin.function
        )
    }
}

/// The name and the port of an authority.
fn authority(authority: &[u8]) -> (&[u8], Option<&[u8]>) {
    let colon = authority.iter().rposition(|byte| *byte == b':');
    let split = colon.and_then(|at| Some((authority.get(..at)?, authority.get(at + 1..)?)));
    match split {
        // Colons within brackets are an address's.
        Some((name, port)) if !port.is_empty() && port.iter().all(u8::is_ascii_digit) => {
            (name, Some(port))
        }
        _ => (authority, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_known_without_its_port() {
        for (address, expected) in [
            ("192.0.2.1:80", Some("192.0.2.1")),
            ("192.0.2.1", Some("192.0.2.1")),
            ("[2001:db8::1]:0", Some("2001:db8::1")),
            ("[::ffff:192.0.2.1]:80", Some("192.0.2.1")),
            ("2001:db8::1", Some("2001:db8::1")),
            ("/var/run/socket", None),
            ("", None),
        ] {
            let found = ip(address.as_bytes()).map(|ip| ip.to_string());
            assert_eq!(found.as_deref(), expected, "{address}");
        }
    }

    #[test]
    fn an_authority_is_a_name_and_perhaps_a_port() {
        for (whole, name, port) in [
            ("api.example:8443", "api.example", Some("8443")),
            ("api.example", "api.example", None),
            ("api.example:", "api.example:", None),
            ("[2001:db8::1]:80", "[2001:db8::1]", Some("80")),
            ("[2001:db8::1]", "[2001:db8::1]", None),
            ("", "", None),
        ] {
            let expected = (name.as_bytes(), port.map(str::as_bytes));
            assert_eq!(authority(whole.as_bytes()), expected, "{whole}");
        }
    }

    #[test]
    fn the_prefix_of_a_domain_is_its_first_label() {
        for (name, prefix) in [
            ("api.example.com", "api"),
            ("localhost", "localhost"),
            ("192.0.2.1", "192.0.2.1"),
            ("[2001:db8::1]", "[2001:db8::1]"),
            ("", ""),
        ] {
            assert_eq!(Request::domain_prefix(name), prefix);
        }
    }
}
