//! Paging tokens: opaque to clients, in the shape of the original's: unpadded URL-safe base64 of
//! `order:reversed:limit:from` (rest-api.md 1.8). In a list `from` is the last id shown, in a history the next number.

use data_encoding::BASE64URL_NOPAD;

/// The longest token read; a list's holds some 60 bytes.
const TOKEN_MAX: usize = 256;

/// Where a page begins and how it was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::api) struct Token {
    /// The order as asked for; may be empty.
    pub(in crate::api) order_by: String,
    /// Whether the order is reversed.
    pub(in crate::api) reverse: bool,
    /// The page size as asked for; 0 is none.
    pub(in crate::api) limit: u64,
    /// Where to go on.
    pub(in crate::api) from: String,
}

impl Token {
    /// The token as text.
    pub(in crate::api) fn write(&self) -> String {
        let flag = if self.reverse { 'Y' } else { 'N' };
        let text = format!("{}:{flag}:{}:{}", self.order_by, self.limit, self.from);
        BASE64URL_NOPAD.encode(text.as_bytes())
    }

    /// Reads a token; `None` if it is not one.
    pub(in crate::api) fn read(text: &str) -> Option<Self> {
        if text.len() > TOKEN_MAX {
            return None;
        }
        let bytes = BASE64URL_NOPAD.decode(text.as_bytes()).ok()?;
        let text = String::from_utf8(bytes).ok()?;
        let mut parts = text.splitn(4, ':');
        let order_by = parts.next()?.to_owned();
        let reverse = match parts.next()? {
            "Y" => true,
            "N" => false,
            _ => return None,
        };
        let limit = parts.next()?.parse().ok()?;
        let from = parts.next()?.to_owned();
        Some(Self {
            order_by,
            reverse,
            limit,
            from,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_look_like_those_of_the_original_and_are_read_back() {
        let token = Token {
            order_by: String::new(),
            reverse: false,
            limit: 10,
            from: "3".into(),
        };
        assert_eq!(token.write(), "Ok46MTA6Mw");
        assert_eq!(Token::read("Ok46MTA6Mw"), Some(token));
        for wrong in ["bogus", "", "Ok46MTA6M", "Ok46eDox", "!", &"A".repeat(300)] {
            assert_eq!(Token::read(wrong), None, "{wrong}");
        }
    }
}
