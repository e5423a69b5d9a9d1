//! Scopes: which part of a large route table a request looks at.
//!
//! A route table with many virtual hosts is cut into [`BUCKETS`] parts by a hash of the host, so that a change is the
//! change of one part. The control plane sorts virtual hosts into buckets and the `.so` writes a request's bucket into
//! [`SCOPE_HEADER`], before Envoy chooses the part; so both have to agree on [`bucket`].

use serde::Serialize;
use tenon_contract_derive::Shape;

use crate::{Error, Read, VERSION, read, write};

/// The name of the early header mutation that writes the header.
pub const SCOPE_FILTER: &str = "tenon.scope";
/// The request header in which Envoy finds the scope. Removed before a request goes on.
pub const SCOPE_HEADER: &str = "x-tenon-scope";
/// How many parts there are. A change costs Envoy what is in one part, and each part costs Envoy some 16 KB.
pub const BUCKETS: u16 = 256;

/// The configuration of [`SCOPE_FILTER`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Shape)]
#[serde(rename_all = "camelCase")]
pub struct ScopeConfig {
    /// The major version of the contract: [`VERSION`].
    pub version: u32,
    /// The route table that is cut into parts.
    pub table: String,
}

impl ScopeConfig {
    /// The configuration for a route table.
    pub fn new(table: impl Into<String>) -> Self {
        Self {
            version: VERSION,
            table: table.into(),
        }
    }

    /// Reads the JSON text of the configuration.
    ///
    /// # Errors
    /// It is not one, or of another major version.
    pub fn from_json(text: &[u8]) -> Result<Read<Self>, Error> {
        read("filter configuration", text)
    }

    /// Writes the JSON text of the configuration.
    pub fn to_json(&self) -> String {
        write(self)
    }

    /// What the header says of requests of a bucket.
    pub fn key(&self, bucket: u16) -> String {
        format!("{}/{bucket:02x}", self.table)
    }
}

/// The bucket of a host, as a request has it or as a domain without wildcard. Case does not matter, as for Envoy; a port
/// and a full stop at the end do, as for Envoy.
pub fn bucket(host: &[u8]) -> u16 {
    // FNV-1a, whose high bits are mixed worse than its low ones.
    let hash = host.iter().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(byte.to_ascii_lowercase())).wrapping_mul(0x0100_0000_01b3)
    });
    let folded = hash ^ (hash >> 32);
    // Less than BUCKETS, which fits.
    (folded % u64::from(BUCKETS)) as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_is_read_as_it_was_written() {
        let config = ScopeConfig::new("listener-::-8080-routes");
        let read = ScopeConfig::from_json(config.to_json().as_bytes()).unwrap();
        assert_eq!(read.value, config);
        assert!(read.unknown.is_empty());
        assert_eq!(config.key(10), "listener-::-8080-routes/0a");
    }

    #[test]
    fn case_does_not_matter_and_all_else_does() {
        assert_eq!(bucket(b"A.Example.com"), bucket(b"a.example.COM"));
        assert_ne!(bucket(b"a.example.com"), bucket(b"a.example.com:8080"));
        assert_ne!(bucket(b"a.example.com"), bucket(b"a.example.com."));
    }

    #[test]
    fn hosts_spread_evenly() {
        for name in ["host-", "h", "tenant-00"] {
            let mut sizes = vec![0; usize::from(BUCKETS)];
            for number in 0..10_000 {
                let host = format!("{name}{number}.example.com");
                sizes[usize::from(bucket(host.as_bytes()))] += 1;
            }
            // 39 on average.
            assert!(
                sizes.iter().all(|size| (12..80).contains(size)),
                "{sizes:?}"
            );
        }
    }
}
