//! Engine, publisher, input source and result specs: a type word and free-form parameters.

use minicbor::{Decode, Encode, Encoder, decode, encode};
use serde_json::{Map, Value};
use thiserror::Error;

/// Free-form parameters, kept as the client wrote them. `None` on the wire and an empty object are the same here.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Params(pub Map<String, Value>);

impl Params {
    /// The value under `key`, matched without regard to case; JSON null counts as absent.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.0
            .iter()
            .find(|(name, value)| name.eq_ignore_ascii_case(key) && !value.is_null())
            .map(|(_, value)| value)
    }
}

// Stored as JSON text: its shape is the client's, not ours.
impl<C> Encode<C> for Params {
    fn encode<W: encode::Write>(
        &self,
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), encode::Error<W::Error>> {
        let text = serde_json::to_string(&self.0)
            .map_err(|_| encode::Error::message("params do not encode as JSON"))?;
        e.str(&text)?;
        Ok(())
    }
}

impl<'b, C> Decode<'b, C> for Params {
    fn decode(d: &mut minicbor::Decoder<'b>, _: &mut C) -> Result<Self, decode::Error> {
        serde_json::from_str(d.str()?)
            .map(Self)
            .map_err(|_| decode::Error::message("stored params are not a JSON object"))
    }
}

/// A typed spec. An empty `kind` means none.
#[derive(Clone, Debug, Default, PartialEq, Encode, Decode)]
#[cbor(map)]
pub struct SpecConfig {
    /// The type word as written, for instance `docker` or `ipfs`; compared without regard to case.
    #[n(0)]
    pub kind: String,
    /// Its parameters.
    #[n(1)]
    pub params: Params,
}

impl SpecConfig {
    /// Whether the type word is `word`, in any case.
    #[must_use]
    pub fn is(&self, word: &str) -> bool {
        self.kind.eq_ignore_ascii_case(word)
    }

    /// Whether no type is given.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.kind.is_empty()
    }
}

/// What is wrong with a spec's parameters.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SpecError {
    /// A required parameter is absent or empty.
    #[error("engine parameter {0} is missing")]
    Missing(&'static str),
    /// A parameter has the wrong JSON type.
    #[error("engine parameter {name} must be {expected}")]
    WrongType {
        /// The parameter.
        name: &'static str,
        /// What it must be.
        expected: &'static str,
    },
    /// A working directory that is not absolute.
    #[error("engine parameter WorkingDirectory must be an absolute path, not \"{0}\"")]
    RelativeWorkingDirectory(String),
    /// An environment entry that is not `KEY=VALUE` or uses the reserved prefix.
    #[error("environment entry \"{0}\" must be KEY=VALUE, and KEY must not start with BACALHAU_")]
    BadEnvironment(String),
}

/// A container job's engine parameters, checked (rest-api.md 4.1).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DockerSpec {
    /// The image, never empty.
    pub image: String,
    /// Replaces the image's entrypoint when not empty.
    pub entrypoint: Vec<String>,
    /// The container's command when not empty.
    pub parameters: Vec<String>,
    /// `KEY=VALUE` entries.
    pub environment: Vec<String>,
    /// Absolute, or empty for the image's own.
    pub working_directory: String,
}

impl DockerSpec {
    /// Reads the parameters of an engine spec of type `docker`.
    ///
    /// # Errors
    /// `SpecError` names the first parameter that is missing or wrong.
    pub fn from_params(params: &Params) -> Result<Self, SpecError> {
        let image = text(params, "Image")?;
        if image.trim().is_empty() {
            return Err(SpecError::Missing("Image"));
        }
        let working_directory = text(params, "WorkingDirectory")?;
        if !working_directory.is_empty() && !working_directory.starts_with('/') {
            return Err(SpecError::RelativeWorkingDirectory(working_directory));
        }
        let environment = list(params, "EnvironmentVariables")?;
        for entry in &environment {
            let key = entry
                .split_once('=')
                .map(|(key, _)| key)
                .unwrap_or_default();
            if key.is_empty()
                || key.to_ascii_uppercase().starts_with("BACALHAU_")
                || entry.contains('\0')
            {
                return Err(SpecError::BadEnvironment(entry.clone()));
            }
        }
        Ok(Self {
            image,
            entrypoint: list(params, "Entrypoint")?,
            parameters: list(params, "Parameters")?,
            environment,
            working_directory,
        })
    }
}

fn text(params: &Params, name: &'static str) -> Result<String, SpecError> {
    match params.get(name) {
        None => Ok(String::new()),
        Some(Value::String(text)) => Ok(text.clone()),
        Some(_) => Err(SpecError::WrongType {
            name,
            expected: "a string",
        }),
    }
}

fn list(params: &Params, name: &'static str) -> Result<Vec<String>, SpecError> {
    let wrong = SpecError::WrongType {
        name,
        expected: "a list of strings",
    };
    match params.get(name) {
        None => Ok(Vec::new()),
        Some(Value::Array(items)) => items
            .iter()
            .map(|item| {
                item.as_str()
                    .map(str::to_owned)
                    .ok_or_else(|| wrong.clone())
            })
            .collect(),
        Some(_) => Err(wrong),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params(json: &str) -> Params {
        Params(serde_json::from_str(json).expect("test json"))
    }

    #[test]
    fn parameter_names_match_in_any_case_and_null_is_absent() {
        let spec = DockerSpec::from_params(&params(
            r#"{"IMAGE":"busybox","entrypoint":null,"parameters":["a"]}"#,
        ));
        assert_eq!(
            spec.map(|s| (s.image, s.parameters)),
            Ok(("busybox".into(), vec!["a".into()]))
        );
    }

    #[test]
    fn a_spec_without_an_image_names_the_parameter() {
        assert_eq!(
            DockerSpec::from_params(&params("{}")),
            Err(SpecError::Missing("Image"))
        );
        assert!(matches!(
            DockerSpec::from_params(&params(r#"{"Image":1}"#)),
            Err(SpecError::WrongType { name: "Image", .. })
        ));
    }
}
