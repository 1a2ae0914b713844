//! Which node the client commands talk to.

use super::{ConfigError, FlagSpec, Raw, Setting, Surroundings, Wrong};

/// The REST API of a node, as a client reaches it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientTarget {
    /// A name or address, IPv6 in brackets.
    pub host: Setting<String>,
    /// Its port.
    pub port: Setting<u16>,
    /// What the node asks its callers for, if the user has it.
    pub token: Option<Secret>,
}

/// A text that no log and no report shows.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub String);

impl core::fmt::Debug for Secret {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Secret")
    }
}

/// Where a user's token is, as for upstream's client.
const TOKEN_VARIABLE: &str = "BACALHAU_API_KEY";

const HOST: FlagSpec = FlagSpec::value("api-host", "HOST", "127.0.0.1", "node to talk to")
    .variables(&["BACALHAU_API_HOST"]);
const PORT: FlagSpec = FlagSpec::value("api-port", "PORT", "1234", "port of its REST API")
    .variables(&["BACALHAU_API_PORT"]);

impl ClientTarget {
    /// From `--api-host`, `--api-port` and their variables. The host may be a URL, as upstream's client takes it; a port
    /// in it is used unless a port is given apart.
    ///
    /// # Errors
    /// A bad host or port.
    pub fn resolve(raw: &Raw) -> Result<Self, ConfigError> {
        let host = raw.pick(&HOST, host)?;
        let mut port = raw.pick(&PORT, super::parse::port)?;
        let (name, port_in_host) = host.value;
        if let (Some(value), crate::model::Origin::Default) = (port_in_host, &port.origin) {
            port = Setting {
                value,
                origin: host.origin.clone(),
            };
        }
        Ok(Self {
            host: Setting {
                value: name,
                origin: host.origin,
            },
            port,
            token: raw
                .around
                .variable(TOKEN_VARIABLE)
                .map(|token| Secret(token.to_owned())),
        })
    }

    /// `http://host:port`.
    #[must_use]
    pub fn base_url(&self) -> String {
        format!("http://{}:{}", self.host.value, self.port.value)
    }
}

fn host(text: &str, _: &Surroundings) -> Result<(String, Option<u16>), Wrong> {
    let wrong = || {
        Wrong::new(
            "a host name or address such as 127.0.0.1, pi.local or http://pi.local:1234",
            "this client speaks plain HTTP; for another machine use a tunnel (ssh -L 1234:127.0.0.1:1234)",
        )
    };
    let bare = match text.split_once("://") {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => rest.trim_end_matches('/'),
        Some(_) => return Err(wrong()),
        None => text,
    };
    // A bare IPv6 address has no brackets and several colons.
    if let Ok(address) = bare.parse::<core::net::Ipv6Addr>() {
        return Ok((reachable(&format!("[{address}]")), None));
    }
    let (name, port) = match bare.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => {
            (name, Some(port.parse().map_err(|_| wrong())?))
        }
        _ => (bare, None),
    };
    let inner = name.trim_start_matches('[').trim_end_matches(']');
    let is_address = name.starts_with('[') && inner.parse::<core::net::Ipv6Addr>().is_ok();
    let is_name = !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte));
    if is_address || is_name {
        Ok((reachable(name), port))
    } else {
        Err(wrong())
    }
}

/// A wildcard to listen on is reached on the loopback.
fn reachable(host: &str) -> String {
    match host {
        "0.0.0.0" => "127.0.0.1",
        "[::]" => "[::1]",
        other => other,
    }
    .to_owned()
}
