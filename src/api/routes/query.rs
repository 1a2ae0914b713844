//! Paths and query strings (rest-api.md 1.7).

use crate::api::error::ApiError;

/// The parameters of a query string, in order. Its size is bounded with the head.
#[derive(Clone, Debug, Default)]
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    /// Reads `a=b&c=d`; `+` is a space.
    ///
    /// # Errors
    /// 400 on a broken percent escape or text that is not UTF-8.
    pub(super) fn read(text: &str) -> Result<Self, ApiError> {
        text.split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| {
                let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
                Ok((
                    decode(&key.replace('+', " "))?,
                    decode(&value.replace('+', " "))?,
                ))
            })
            .collect::<Result<_, ApiError>>()
            .map(Self)
    }

    /// The first value of a parameter; absent and empty are the same.
    pub(super) fn text(&self, name: &str) -> &str {
        self.all(name).next().unwrap_or_default()
    }

    /// Every value of a parameter.
    pub(super) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0
            .iter()
            .filter(move |(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// Whether a parameter is there, with or without a value.
    pub(super) fn has(&self, name: &str) -> bool {
        self.all(name).next().is_some()
    }

    /// A boolean as Go reads it; empty is false.
    pub(super) fn flag(&self, name: &str) -> Result<bool, ApiError> {
        match self.text(name) {
            "1" | "t" | "T" | "TRUE" | "true" | "True" => Ok(true),
            "" | "0" | "f" | "F" | "FALSE" | "false" | "False" => Ok(false),
            other => Err(ApiError::BadRequest(format!(
                "query parameter {name} must be true or false, not \"{other}\""
            ))),
        }
    }

    /// A number of 0 or more; empty is 0.
    pub(super) fn number(&self, name: &str) -> Result<u64, ApiError> {
        match self.text(name) {
            "" => Ok(0),
            text => text.parse().map_err(|_| {
                ApiError::BadRequest(format!(
                    "query parameter {name} must be a whole number of 0 or more, not \"{text}\""
                ))
            }),
        }
    }
}

/// The segments of a path. It is split before it is decoded, so that an escaped `/` stays inside its segment.
pub(super) fn segments(path: &str) -> Result<Vec<String>, ApiError> {
    path.split('/').skip(1).map(decode).collect()
}

fn decode(text: &str) -> Result<String, ApiError> {
    let broken = || ApiError::BadRequest(format!("broken percent escape in \"{text}\""));
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let (Some(high), Some(low)) = (rest.next().and_then(hex), rest.next().and_then(hex)) else {
            return Err(broken());
        };
        bytes.push(high * 16 + low);
    }
    String::from_utf8(bytes).map_err(|_| broken())
}

fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_escaped_slash_stays_inside_its_segment() {
        assert_eq!(
            segments("/jobs/a%2Fb/history").ok(),
            Some(vec!["jobs".into(), "a/b".into(), "history".into()])
        );
        assert!(segments("/jobs/%zz").is_err());
        assert!(segments("/jobs/%ff").is_err());
    }

    #[test]
    fn booleans_and_numbers_read_as_the_known_clients_send_them() {
        let query =
            Query::read("a=False&b=True&c=&d=7&labels=a+in+%28b%2Cc%29&labels=f").expect("valid");
        assert_eq!(query.flag("a").ok(), Some(false));
        assert_eq!(query.flag("b").ok(), Some(true));
        assert_eq!(query.number("c").ok(), Some(0));
        assert_eq!(query.number("d").ok(), Some(7));
        assert_eq!(query.all("labels").collect::<Vec<_>>(), ["a in (b,c)", "f"]);
        assert!(query.flag("d").is_err() && query.number("a").is_err());
    }
}
