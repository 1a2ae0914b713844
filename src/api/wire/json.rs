//! A JSON document that keeps its keys in order, read with bounds.
//!
//! `serde_json::Value` sorts object keys and may grow to sixteen times the bytes that it was read from. Here order is kept
//! (so "the last of two equal keys wins" also holds for keys that differ in case only), and depth and size are bounded
//! while reading: [`DEPTH_MAX`], [`VALUES_MAX`].

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Map, Number, Value};
use std::borrow::Cow;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt;

/// How deep a document may nest. A job nests nine deep; the rest is for parameters. Beyond it the document is refused,
/// long before the stack is at risk.
pub(in crate::api) const DEPTH_MAX: usize = 64;

/// How many values a document may hold, keys not counted. A job has some fifty; a value costs 32 bytes here, so that ten
/// megabytes of `[0,0,0...` cannot become a third of a small board's memory.
pub(in crate::api) const VALUES_MAX: usize = 65_536;

/// One JSON value.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::api) enum Json {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    List(Vec<Json>),
    /// Most keys are ours and cost no memory.
    Object(Vec<(Cow<'static, str>, Json)>),
}

impl Json {
    /// Reads one document and nothing after it.
    ///
    /// # Errors
    /// What is wrong and where, as a sentence for the client.
    pub(in crate::api) fn read(bytes: &[u8]) -> Result<Self, String> {
        let values_left = Cell::new(VALUES_MAX);
        let seed = Reader {
            values_left: &values_left,
            depth_left: DEPTH_MAX,
        };
        let mut source = serde_json::Deserializer::from_slice(bytes);
        let document = seed
            .deserialize(&mut source)
            .map_err(|error| error.to_string())?;
        source.end().map_err(|error| error.to_string())?;
        Ok(document)
    }

    /// The value under `key`, matched without regard to case; of several the last. Null is absent.
    pub(in crate::api) fn get(&self, key: &str) -> Option<&Json> {
        let Self::Object(entries) = self else {
            return None;
        };
        entries
            .iter()
            .rev()
            .find(|(name, _)| name.eq_ignore_ascii_case(key))
            .map(|(_, value)| value)
            .filter(|value| **value != Self::Null)
    }

    /// Whether any text in it, key or value, contains NUL.
    pub(in crate::api) fn has_nul(&self) -> bool {
        match self {
            Self::Null | Self::Bool(_) | Self::Number(_) => false,
            Self::Text(text) => text.contains('\0'),
            Self::List(items) => items.iter().any(Self::has_nul),
            Self::Object(entries) => entries
                .iter()
                .any(|(key, value)| key.contains('\0') || value.has_nul()),
        }
    }

    /// What a person calls this kind of value.
    pub(in crate::api) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Number(_) => "a number",
            Self::Text(_) => "a string",
            Self::List(_) => "an array",
            Self::Object(_) => "an object",
        }
    }

    /// The same as a `serde_json` value; of equal keys the last wins.
    pub(in crate::api) fn to_value(&self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Bool(value) => Value::Bool(*value),
            Self::Number(number) => Value::Number(number.clone()),
            Self::Text(text) => Value::String(text.clone()),
            Self::List(items) => Value::Array(items.iter().map(Self::to_value).collect()),
            Self::Object(_) => Value::Object(self.to_map()),
        }
    }

    /// An object's entries as `serde_json` keeps them; empty for everything else.
    pub(in crate::api) fn to_map(&self) -> Map<String, Value> {
        let Self::Object(entries) = self else {
            return Map::new();
        };
        entries
            .iter()
            .map(|(key, value)| (key.to_string(), value.to_value()))
            .collect()
    }

    /// An object without entries, to be filled with [`Json::with`].
    pub(in crate::api) fn object() -> Self {
        Self::Object(Vec::new())
    }

    /// This object with one entry more, always present.
    pub(in crate::api) fn with(
        mut self,
        key: impl Into<Cow<'static, str>>,
        value: impl Into<Json>,
    ) -> Self {
        if let Self::Object(entries) = &mut self {
            entries.push((key.into(), value.into()));
        }
        self
    }

    /// This object with one entry more unless its value is null, empty, zero or false: "omit" in rest-api.md.
    pub(in crate::api) fn with_some(
        self,
        key: impl Into<Cow<'static, str>>,
        value: impl Into<Json>,
    ) -> Self {
        let value = value.into();
        if value.is_zero() {
            return self;
        }
        self.with(key, value)
    }

    fn is_zero(&self) -> bool {
        match self {
            Self::Null => true,
            Self::Bool(value) => !value,
            Self::Number(number) => number.as_f64() == Some(0.0),
            Self::Text(text) => text.is_empty(),
            Self::List(items) => items.is_empty(),
            Self::Object(entries) => entries.is_empty(),
        }
    }
}

impl From<&str> for Json {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Json {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<bool> for Json {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<u64> for Json {
    fn from(value: u64) -> Self {
        Self::Number(value.into())
    }
}

impl From<i64> for Json {
    fn from(value: i64) -> Self {
        Self::Number(value.into())
    }
}

impl From<Vec<Json>> for Json {
    fn from(items: Vec<Json>) -> Self {
        Self::List(items)
    }
}

impl From<&[String]> for Json {
    fn from(items: &[String]) -> Self {
        Self::List(items.iter().map(|item| item.as_str().into()).collect())
    }
}

impl From<BTreeMap<String, String>> for Json {
    fn from(entries: BTreeMap<String, String>) -> Self {
        let entries = entries.into_iter();
        Self::Object(
            entries
                .map(|(key, value)| (key.into(), value.into()))
                .collect(),
        )
    }
}

impl From<&BTreeMap<String, String>> for Json {
    fn from(entries: &BTreeMap<String, String>) -> Self {
        entries.clone().into()
    }
}

impl From<Value> for Json {
    fn from(value: Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(value) => Self::Bool(value),
            Value::Number(number) => Self::Number(number),
            Value::String(text) => Self::Text(text),
            Value::Array(items) => Self::List(items.into_iter().map(Into::into).collect()),
            Value::Object(entries) => entries.into(),
        }
    }
}

impl From<&Value> for Json {
    fn from(value: &Value) -> Self {
        value.clone().into()
    }
}

impl From<Map<String, Value>> for Json {
    fn from(entries: Map<String, Value>) -> Self {
        let entries = entries.into_iter();
        Self::Object(
            entries
                .map(|(key, value)| (key.into(), value.into()))
                .collect(),
        )
    }
}

impl From<&Map<String, Value>> for Json {
    fn from(entries: &Map<String, Value>) -> Self {
        entries.clone().into()
    }
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Number(number) => number.serialize(serializer),
            Self::Text(text) => serializer.serialize_str(text),
            Self::List(items) => serializer.collect_seq(items),
            Self::Object(entries) => {
                let mut map = serializer.serialize_map(Some(entries.len()))?;
                for (key, value) in entries {
                    map.serialize_entry(key, value)?;
                }
                map.end()
            }
        }
    }
}

#[derive(Clone, Copy)]
struct Reader<'a> {
    values_left: &'a Cell<usize>,
    depth_left: usize,
}

impl Reader<'_> {
    fn deeper<E: serde::de::Error>(self) -> Result<Self, E> {
        let depth_left = self.depth_left.checked_sub(1).ok_or_else(|| {
            E::custom(format_args!(
                "the document nests deeper than {DEPTH_MAX} levels"
            ))
        })?;
        Ok(Self { depth_left, ..self })
    }
}

impl<'de> DeserializeSeed<'de> for Reader<'_> {
    type Value = Json;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Json, D::Error> {
        let left = self.values_left.get().checked_sub(1).ok_or_else(|| {
            serde::de::Error::custom(format_args!(
                "the document holds more than {VALUES_MAX} values"
            ))
        })?;
        self.values_left.set(left);
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Reader<'_> {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Json, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Json, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Json, E> {
        Ok(Number::from_f64(value).map_or(Json::Null, Json::Number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Json, E> {
        Ok(text.into())
    }

    fn visit_string<E>(self, text: String) -> Result<Json, E> {
        Ok(text.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Json, A::Error> {
        let inner = self.deeper()?;
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(inner)? {
            list.push(item);
        }
        Ok(Json::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Json, A::Error> {
        let inner = self.deeper()?;
        let mut list = Vec::new();
        while let Some(key) = entries.next_key::<String>()? {
            list.push((Cow::Owned(key), entries.next_value_seed(inner)?));
        }
        Ok(Json::Object(list))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_match_in_any_case_the_last_wins_and_null_is_absent() {
        let json = Json::read(br#"{"job":1,"JOB":2,"other":null}"#).expect("valid");
        assert_eq!(json.get("Job"), Some(&Json::from(2_u64)));
        assert_eq!(json.get("other"), None);
    }

    #[test]
    fn order_and_numbers_survive_a_round_trip() {
        let text = r#"{"z":1,"a":[1.5,-2,18446744073709551615,null,true,"x"],"m":{}}"#;
        let json = Json::read(text.as_bytes()).expect("valid");
        assert_eq!(serde_json::to_string(&json).expect("encodes"), text);
    }

    #[test]
    fn depth_and_number_of_values_are_bounded_while_reading() {
        let deep = "[".repeat(DEPTH_MAX + 1) + &"]".repeat(DEPTH_MAX + 1);
        assert!(Json::read(deep.as_bytes()).is_err_and(|why| why.contains("64 levels")));
        let fits = "[".repeat(DEPTH_MAX) + &"]".repeat(DEPTH_MAX);
        assert!(Json::read(fits.as_bytes()).is_ok());
        let wide = format!("[{}0]", "0,".repeat(VALUES_MAX));
        assert!(Json::read(wide.as_bytes()).is_err_and(|why| why.contains("65536 values")));
    }

    #[test]
    fn a_second_document_is_refused() {
        assert!(Json::read(b"{} {}").is_err());
        assert!(Json::read(b"").is_err());
    }
}
