//! `tenon.scope`: writes which part of a large route table a request looks at, before Envoy looks for it.

use envoy_proxy_dynamic_modules_rust_sdk::{
    EarlyHeaderMutationConfig, EarlyHeaderMutationContext, envoy_log_error, envoy_log_warn,
};
use tenon_contract::Read;
use tenon_contract::scope::{SCOPE_FILTER, SCOPE_HEADER, ScopeConfig};

/// What the header says, by part.
struct Scopes {
    config: ScopeConfig,
    keys: Vec<Box<[u8]>>,
}

pub(crate) fn new_scope(name: &str, config: &[u8]) -> Option<Box<dyn EarlyHeaderMutationConfig>> {
    if name != SCOPE_FILTER {
        envoy_log_error!("unknown early header mutation {name}; known: {SCOPE_FILTER}");
        return None;
    }
    let Read { value, unknown } = match ScopeConfig::from_json(config) {
        Ok(read) => read,
        Err(error) => {
            envoy_log_error!("{SCOPE_FILTER}: {error}");
            return None;
        }
    };
    if !unknown.is_empty() {
        envoy_log_warn!(
            "{SCOPE_FILTER}: fields of a newer control plane are ignored: {}",
            unknown.join(", ")
        );
    }
    if !value.is_possible() {
        envoy_log_error!(
            "{SCOPE_FILTER}: parts: {} is no power of two, or too many",
            value.parts
        );
        return None;
    }
    Some(Box::new(Scopes::new(value)))
}

impl Scopes {
    fn new(config: ScopeConfig) -> Self {
        let keys = (0..config.parts).map(|part| config.key(part).into_bytes().into());
        Self {
            keys: keys.collect(),
            config,
        }
    }

    fn of(&self, host: &[u8]) -> Option<&[u8]> {
        let key = self.keys.get(self.config.part_of(host) as usize);
        key.map(|key| &**key)
    }
}

impl EarlyHeaderMutationConfig for Scopes {
    fn mutate(&self, ctx: &mut EarlyHeaderMutationContext) -> bool {
        // Without a host there is the part of no host, where those with wildcards are.
        let key = self.of(&ctx.get_header(":authority").unwrap_or_default());
        // Without a key, which cannot be, there is no route.
        if let Some(key) = key {
            ctx.set_header(SCOPE_HEADER, key);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_of_the_part_that_the_control_plane_puts_it_in() {
        for (parts, ignore_port) in [(64, false), (16_384, false), (256, true)] {
            let config = ScopeConfig {
                ignore_port,
                ..ScopeConfig::new("table", parts)
            };
            let scopes = Scopes::new(config.clone());
            for host in ["a.example.com", "A.EXAMPLE.com:8080", ""] {
                let key = config.key(config.part_of(host.as_bytes()));
                assert_eq!(scopes.of(host.as_bytes()), Some(key.as_bytes()));
            }
        }
    }
}
