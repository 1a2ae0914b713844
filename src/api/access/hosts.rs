//! The names under which a node may be asked for.

use std::net::{IpAddr, Ipv6Addr};

/// Loopback names and addresses always; where the node listens for others, its address, the machine's own name and what the
/// operator named. On a wildcard every address is its own: an address needs no DNS, so none can be rebound.
#[derive(Clone, Debug)]
pub struct Hosts {
    bound: IpAddr,
    /// Lower case.
    names: Vec<String>,
}

impl Hosts {
    /// For a server on `bound`. `machine` is the machine's own name, under which others reach it.
    #[must_use]
    pub fn new(bound: IpAddr, machine: Option<&str>, named: &[String]) -> Self {
        let mut names: Vec<String> = named.iter().map(|name| name.to_ascii_lowercase()).collect();
        if let Some(machine) = machine.filter(|_| !bound.is_loopback()) {
            let machine = machine.to_ascii_lowercase();
            names.extend([format!("{machine}.local"), machine]);
        }
        Self { bound, names }
    }

    /// Whether `host`, with or without a port, is one of them.
    pub(super) fn has(&self, host: &str) -> bool {
        let name = name(host).to_ascii_lowercase();
        // A name that ends in a dot is the same name, written in full.
        let name = name.strip_suffix('.').unwrap_or(&name);
        if let Some(address) = address(name) {
            return address.is_loopback() || self.bound.is_unspecified() || address == self.bound;
        }
        name == "localhost"
            || name.ends_with(".localhost")
            || self.names.iter().any(|ours| ours == name)
    }
}

/// A host without its port; an IPv6 address keeps its brackets.
pub(super) fn name(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

/// Whether two hosts with ports are the same place; a port that is left out is HTTP's.
pub(super) fn same(one: &str, other: &str) -> bool {
    let port = |host: &str| {
        let rest = host[name(host).len()..].trim_start_matches(':').to_owned();
        if rest.is_empty() {
            "80".to_owned()
        } else {
            rest
        }
    };
    name(one).eq_ignore_ascii_case(name(other)) && port(one) == port(other)
}

fn address(name: &str) -> Option<IpAddr> {
    match name.strip_prefix('[') {
        Some(rest) => {
            let inner = rest.strip_suffix(']')?;
            let address: Ipv6Addr = inner.parse().ok()?;
            Some(IpAddr::V6(address).to_canonical())
        }
        None => name.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts(bound: &str) -> Hosts {
        let bound = bound.parse().expect("an address");
        Hosts::new(bound, Some("Pi"), &["node.example".to_owned()])
    }

    #[test]
    fn on_the_loopback_only_its_names_and_the_operators_are_ours() {
        let hosts = hosts("127.0.0.1");
        for ours in [
            "127.0.0.1",
            "127.0.0.1:1234",
            "127.1.2.3",
            "localhost",
            "LOCALHOST:1",
            "localhost.:1234",
            "node.localhost",
            "[::1]",
            "[::1]:1234",
            "[::ffff:127.0.0.1]:80",
            "node.example:1234",
        ] {
            assert!(hosts.has(ours), "{ours}");
        }
        for foreign in [
            "evil.example",
            "pi",
            "192.0.2.1",
            "0.0.0.0:1234",
            "[2001:db8::1]",
            "127.0.0.1.evil.example",
            "localhost.evil.example",
            "notlocalhost",
            "2130706433",
            "",
            ":1234",
            "[::1",
        ] {
            assert!(!hosts.has(foreign), "{foreign}");
        }
    }

    #[test]
    fn where_others_reach_it_the_bound_address_and_the_machines_name_are_ours_too() {
        let one = hosts("192.0.2.1");
        for (host, ours) in [
            ("192.0.2.1:1234", true),
            ("192.0.2.2", false),
            ("pi:1234", true),
            ("pi.local", true),
            ("evil.example", false),
        ] {
            assert_eq!(one.has(host), ours, "{host}");
        }
        let all = hosts("0.0.0.0");
        assert!(all.has("192.0.2.2:1234") && all.has("[2001:db8::1]:1"));
        assert!(!all.has("evil.example"), "a name can be rebound");
    }

    #[test]
    fn the_same_place_has_the_same_name_and_port() {
        assert!(same("LocalHost:1234", "localhost:1234"));
        assert!(same("localhost", "localhost:80"));
        assert!(!same("localhost:3000", "localhost:1234"));
        assert!(!same("[::1]:1", "[::2]:1"));
    }
}
