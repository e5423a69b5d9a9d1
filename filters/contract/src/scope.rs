//! Scopes: which part of a large route table a request looks at.
//!
//! A route table with many virtual hosts is cut into parts by a hash of the host, so that a change is the change of one
//! part. The control plane sorts virtual hosts into parts and the `.so` writes a request's part into [`SCOPE_HEADER`],
//! before Envoy chooses it; so both have to agree on [`place`] and [`part`], and on how many parts there are.

use serde::Serialize;
use tenon_contract_derive::Shape;

use crate::{Error, Read, VERSION, is_false, read, write};

/// The name of the early header mutation that writes the header.
pub const SCOPE_FILTER: &str = "tenon.scope";
/// The request header in which Envoy finds the scope. Removed before a request goes on.
pub const SCOPE_HEADER: &str = "x-tenon-scope";
/// The places that hosts have, and the most parts that there can be.
pub const PLACES: u32 = 1 << 16;

/// The configuration of [`SCOPE_FILTER`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Shape)]
#[serde(rename_all = "camelCase")]
pub struct ScopeConfig {
    /// The major version of the contract: [`VERSION`].
    pub version: u32,
    /// The route table that is cut into parts.
    pub table: String,
    /// How many parts there are: a power of two, at most [`PLACES`].
    pub parts: u32,
    /// Whether the port of a host does not matter: Envoy's `ignore_port_in_host_matching` of the table.
    #[serde(default, skip_serializing_if = "is_false")]
    pub ignore_port: bool,
}

impl ScopeConfig {
    /// The configuration for a route table.
    pub fn new(table: impl Into<String>, parts: u32) -> Self {
        Self {
            version: VERSION,
            table: table.into(),
            parts,
            ignore_port: false,
        }
    }

    /// The part of a host, as a request has it.
    pub fn part_of(&self, host: &[u8]) -> u32 {
        let host = match self.ignore_port {
            true => without_port(host),
            false => host,
        };
        part(place(host), self.parts)
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

    /// Whether there can be so many parts.
    pub fn is_possible(&self) -> bool {
        self.parts.is_power_of_two() && self.parts <= PLACES
    }

    /// What the header says of requests of a part. Of another number of parts it says something else, so that both can
    /// stand beside each other.
    pub fn key(&self, part: u32) -> String {
        format!("{}/{}/{part:03x}", self.table, self.parts)
    }
}

/// The place of a host, as a request has it or as a domain without wildcard: less than [`PLACES`]. Case does not matter, as
/// for Envoy; a port and a full stop at the end do, as for Envoy.
pub fn place(host: &[u8]) -> u32 {
    // FNV-1a, whose high bits are mixed worse than its low ones.
    let hash = host.iter().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(byte.to_ascii_lowercase())).wrapping_mul(0x0100_0000_01b3)
    });
    let folded = hash ^ (hash >> 32);
    // The first twelve bits come first: they alone say the part where there are at most 4,096.
    let (first, rest) = (folded % 4096, (folded >> 12) % 16);
    // Less than PLACES, which fits.
    (first << 4 | rest) as u32
}

/// A host without its port, as Envoy finds it (`HeaderUtility::getPortStart`): behind the last colon that is not within
/// the brackets of an IPv6 address, whatever stands there.
fn without_port(host: &[u8]) -> &[u8] {
    let colon = host.iter().rposition(|byte| *byte == b':');
    let bracket = host.iter().rposition(|byte| *byte == b']');
    match colon {
        Some(colon) if bracket.is_none_or(|bracket| bracket < colon) => {
            host.get(..colon).unwrap_or(host)
        }
        _ => host,
    }
}

/// The part, of so many, in which a place is. Places of a part are next to each other, and so are parts of what was one part
/// when there were fewer.
pub fn part(place: u32, parts: u32) -> u32 {
    // Less than `parts`, which fits.
    (u64::from(place) * u64::from(parts) / u64::from(PLACES)) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_is_read_as_it_was_written() {
        let config = ScopeConfig::new("listener-::-8080-routes", 256);
        let read = ScopeConfig::from_json(config.to_json().as_bytes()).unwrap();
        assert_eq!(read.value, config);
        assert!(read.unknown.is_empty());
        assert_eq!(config.key(10), "listener-::-8080-routes/256/00a");
    }

    #[test]
    fn parts_are_powers_of_two() {
        let possible = |parts| ScopeConfig::new("table", parts).is_possible();
        assert!(possible(1) && possible(64) && possible(PLACES));
        assert!(!possible(0) && !possible(100) && !possible(2 * PLACES));
    }

    #[test]
    fn case_does_not_matter_and_all_else_does() {
        assert_eq!(place(b"A.Example.com"), place(b"a.example.COM"));
        assert_ne!(place(b"a.example.com"), place(b"a.example.com:8080"));
        assert_ne!(place(b"a.example.com"), place(b"a.example.com."));
    }

    #[test]
    fn the_port_of_a_host_does_not_matter_where_it_is_ignored() {
        let config = ScopeConfig {
            ignore_port: true,
            ..ScopeConfig::new("table", 256)
        };
        let read = ScopeConfig::from_json(config.to_json().as_bytes()).unwrap();
        assert_eq!(read.value, config);
        for (host, bare) in [
            ("a.example.com", "a.example.com"),
            ("A.example.com:8080", "a.example.com"),
            ("a.example.com:", "a.example.com"),
            ("a.example.com.:80", "a.example.com."),
            ("[::1]:8080", "[::1]"),
            ("[::1]", "[::1]"),
            (":80", ""),
            ("", ""),
        ] {
            let expected = part(place(bare.as_bytes()), 256);
            assert_eq!(config.part_of(host.as_bytes()), expected, "{host}");
        }
    }

    #[test]
    fn a_part_becomes_parts_that_are_next_to_each_other() {
        for number in 0..1_000 {
            let place = place(format!("h{number}.example.com").as_bytes());
            for parts in [64, 256, 1024, 4096, PLACES / 4] {
                assert_eq!(part(place, 4 * parts) / 4, part(place, parts));
            }
        }
        // What is between two releases does not change: both write and read it.
        let known = [("a.example.com", 1453), ("b.example.com", 825)];
        for (host, expected) in known {
            assert_eq!(part(place(host.as_bytes()), 4096), expected, "{host}");
        }
    }

    #[test]
    fn hosts_spread_evenly_over_any_number_of_parts() {
        for name in ["host-", "h", "tenant-00"] {
            for parts in [64, 256, 1024, 4096, PLACES / 4, PLACES] {
                let mut sizes = vec![0; parts as usize];
                // 16 for each, on average.
                for number in 0..16 * parts {
                    let host = format!("{name}{number}.example.com");
                    sizes[part(place(host.as_bytes()), parts) as usize] += 1;
                }
                let largest = sizes.iter().max().unwrap();
                let empty = sizes.iter().filter(|size| **size == 0).count();
                assert!(
                    *largest < 48 && empty < 10,
                    "{name} {parts}: {largest}, {empty} empty"
                );
            }
        }
    }
}
