//! Settings as they may be shown to strangers.

/// Bytes of one value: a list of peers is cut, a path is not.
const VALUE_MAX: usize = 4_096;
/// Keys whose values are nobody's business, by a part of their name.
const SECRET: [&str; 9] = [
    "token",
    "secret",
    "passw",
    "pwd",
    "psk",
    "credential",
    "key",
    "auth",
    "private",
];
/// What stands for a secret.
const HIDDEN: &str = "***";

/// The value of a setting without what looks like a secret: the user of a URL, the value of a key that is called so.
#[must_use]
pub fn redacted(value: &str) -> String {
    let pieces: Vec<String> = value.split(',').map(piece).collect();
    let mut text = pieces.join(",");
    if text.len() > VALUE_MAX {
        let mut end = VALUE_MAX;
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
        text.push_str("...");
    }
    text
}

fn piece(piece: &str) -> String {
    if let Some((key, _)) = piece.split_once('=') {
        let lower = key.to_ascii_lowercase();
        if SECRET.iter().any(|part| lower.contains(part)) {
            return format!("{key}={HIDDEN}");
        }
    }
    if let Some((scheme, rest)) = piece.split_once("://")
        && let Some((_, host)) = rest.rsplit_once('@')
    {
        return format!("{scheme}://{HIDDEN}@{host}");
    }
    piece.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_like_a_secret_is_hidden_and_the_rest_is_as_it_was() {
        for (value, shown) in [
            (
                "room=kitchen,API_TOKEN=abc,x=y",
                "room=kitchen,API_TOKEN=***,x=y",
            ),
            ("dbPassword=a=b", "dbPassword=***"),
            ("wifi_psk=a,SSH-KEY=b", "wifi_psk=***,SSH-KEY=***"),
            ("tcp://user:pass@host:2375", "tcp://***@host:2375"),
            ("http://a@b@host/x", "http://***@host/x"),
            ("/etc/codling/token", "/etc/codling/token"),
            (
                "/ip4/192.0.2.7/tcp/1235/p2p/12D3KooW",
                "/ip4/192.0.2.7/tcp/1235/p2p/12D3KooW",
            ),
        ] {
            assert_eq!(redacted(value), shown);
        }
        assert!(redacted(&"\u{e9}".repeat(9_000)).len() <= VALUE_MAX + 3);
    }
}
