//! A task's network as clients write it, and the words for it (rest-api.md 3.6, 4.6).

use super::Json;
use super::fields::{Fields, Problems};
use crate::model::{Network, NetworkKind, Port};
use std::collections::BTreeSet;
use std::net::IpAddr;

/// A port's name ends up in environment variables after `BACALHAU_HOST_PORT_`; 255 bytes together.
const PORT_NAME_MAX: usize = 237;

/// Longest domain name (RFC 1035).
const DOMAIN_MAX: usize = 253;

/// Ports below are the system's.
const STATIC_PORT_MIN: u16 = 1_024;

const KINDS: [(NetworkKind, &str); 6] = [
    (NetworkKind::Default, "Default"),
    (NetworkKind::None, "None"),
    (NetworkKind::Host, "Host"),
    (NetworkKind::Full, "Full"),
    (NetworkKind::Http, "HTTP"),
    (NetworkKind::Bridge, "Bridge"),
];

/// The word for a kind of network.
pub(super) fn kind_word(kind: NetworkKind) -> &'static str {
    KINDS
        .iter()
        .find(|(known, _)| *known == kind)
        .map_or("Default", |(_, word)| word)
}

pub(super) fn read_network(fields: &Fields<'_>, problems: &mut Problems) -> Network {
    let word = fields.text("Type", problems);
    let kind = KINDS
        .iter()
        .find(|(_, known)| word.trim().is_empty() || known.eq_ignore_ascii_case(word.trim()))
        .map(|(kind, _)| *kind);
    if kind.is_none() {
        problems.add(format!(
            "{} must be Default, None, Host, HTTP or Bridge, not \"{word}\"",
            fields.at("Type")
        ));
    }
    let kind = kind.unwrap_or_default();
    let domains: Vec<String> = fields
        .texts("Domains", problems)
        .iter()
        .map(|domain| domain.trim().to_lowercase())
        .collect();
    if !domains.is_empty() && kind != NetworkKind::Http {
        problems.add(format!(
            "{} are for networks of type HTTP only",
            fields.at("Domains")
        ));
    }
    for domain in domains.iter().filter(|domain| !is_domain(domain)) {
        problems.add(format!(
            "{}: \"{domain}\" is neither a domain name nor an IP address",
            fields.at("Domains")
        ));
    }
    Network {
        kind,
        domains,
        ports: read_ports(fields, kind, problems),
    }
}

fn is_domain(text: &str) -> bool {
    let labels = text.strip_prefix('.').unwrap_or(text);
    text.parse::<IpAddr>().is_ok()
        || (text.len() <= DOMAIN_MAX
            && labels.split('.').all(|label| {
                !label.is_empty()
                    && !label.starts_with('-')
                    && !label.ends_with('-')
                    && label
                        .bytes()
                        .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
            }))
}

fn read_ports(fields: &Fields<'_>, kind: NetworkKind, problems: &mut Problems) -> Vec<Port> {
    let host = matches!(kind, NetworkKind::Host | NetworkKind::Full);
    let listed = fields.objects("Ports", problems);
    if !listed.is_empty() && !host && kind != NetworkKind::Bridge {
        problems.add(format!(
            "{} are for networks of type Host or Bridge only",
            fields.at("Ports")
        ));
    }
    let (mut names, mut fixed, mut targets) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    let mut ports = Vec::new();
    for port in listed {
        let read = Port {
            name: port.text("Name", problems),
            fixed: port_number(&port, "Static", problems),
            target: port_number(&port, "Target", problems),
            host_network: port.text("HostNetwork", problems),
        };
        let name_ok = read.name.len() <= PORT_NAME_MAX
            && read
                .name
                .starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && read
                .name
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'_');
        if !name_ok {
            problems.add(format!(
                "{} must be a letter or _ and then letters, digits and _, at most {PORT_NAME_MAX}: \"{}\"",
                port.at("Name"),
                read.name
            ));
        } else if !names.insert(read.name.clone()) {
            problems.add(format!(
                "{} \"{}\" is used twice",
                port.at("Name"),
                read.name
            ));
        }
        if read.fixed != 0 && read.fixed < STATIC_PORT_MIN {
            problems.add(format!(
                "{} must be 0 or at least {STATIC_PORT_MIN}, not {}",
                port.at("Static"),
                read.fixed
            ));
        }
        if read.fixed != 0 && !fixed.insert(read.fixed) {
            problems.add(format!(
                "{} {} is used twice",
                port.at("Static"),
                read.fixed
            ));
        }
        if host && read.target != 0 {
            problems.add(format!(
                "{} is not for networks of type Host",
                port.at("Target")
            ));
        } else if read.target != 0 && !targets.insert(read.target) {
            problems.add(format!(
                "{} {} is used twice",
                port.at("Target"),
                read.target
            ));
        }
        if !read.host_network.is_empty() && read.host_network.parse::<IpAddr>().is_err() {
            problems.add(format!(
                "{} must be an IP address, not \"{}\"",
                port.at("HostNetwork"),
                read.host_network
            ));
        }
        ports.push(read);
    }
    ports
}

fn port_number(fields: &Fields<'_>, key: &str, problems: &mut Problems) -> u16 {
    let number = fields.integer(key, problems).unwrap_or_default();
    u16::try_from(number).unwrap_or_else(|_| {
        problems.add(format!(
            "{} must be 0 to 65535, not {number}",
            fields.at(key)
        ));
        0
    })
}

/// The network of a task, as clients read it.
pub(super) fn network(network: &Network) -> Json {
    let ports: Vec<Json> = network
        .ports
        .iter()
        .map(|port| {
            Json::object()
                .with("Name", port.name.as_str())
                .with_some("Static", u64::from(port.fixed))
                .with_some("Target", u64::from(port.target))
                .with_some("HostNetwork", port.host_network.as_str())
        })
        .collect();
    Json::object()
        .with("Type", kind_word(network.kind))
        .with_some("Domains", network.domains.as_slice())
        .with_some("Ports", ports)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_network_has_its_word_and_is_read_back_in_any_case() {
        for kind in [
            NetworkKind::Default,
            NetworkKind::None,
            NetworkKind::Host,
            NetworkKind::Full,
            NetworkKind::Http,
            NetworkKind::Bridge,
        ] {
            let json = Json::object().with("type", kind_word(kind).to_lowercase());
            let mut problems = Problems::default();
            let fields = Fields::of(&json, "Network", &mut problems);
            assert_eq!(read_network(&fields, &mut problems).kind, kind);
            assert!(problems.into_lines().is_empty());
        }
    }
}
