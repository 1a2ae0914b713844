//! As much of JSON Schema as the document uses, stricter than the standard: a field that is not described is a problem, and
//! which fields were seen is kept.

use serde_json::Value;
use std::collections::BTreeSet;

const METHODS: [&str; 5] = ["get", "put", "post", "delete", "patch"];

/// The document.
pub(super) struct Document(Value);

/// Which described fields were seen in answers, as `Schema.Field`.
#[derive(Default)]
pub(super) struct Coverage(BTreeSet<String>);

impl Coverage {
    /// Fields of the schemas of answers that no answer had.
    pub(super) fn never_sent(&self, document: &Document) -> Vec<String> {
        let mut described = BTreeSet::new();
        let mut names = BTreeSet::new();
        for (path, method) in document.operations() {
            if let Some(schema) = document.answer(&path, &method) {
                document.fields(schema, &path, &mut names, &mut described);
            }
        }
        document.fields(document.refusal(), "refusal", &mut names, &mut described);
        described.difference(&self.0).cloned().collect()
    }
}

impl Document {
    pub(super) fn new(document: Value) -> Self {
        Self(document)
    }

    pub(super) fn paths(&self) -> BTreeSet<String> {
        let paths = self.0["paths"].as_object().expect("paths");
        paths.keys().cloned().collect()
    }

    pub(super) fn methods(&self, path: &str) -> BTreeSet<String> {
        let item = self.0["paths"][path].as_object().expect("a path");
        item.keys().cloned().collect()
    }

    /// Every path with each of its methods.
    pub(super) fn operations(&self) -> Vec<(String, String)> {
        let mut operations = Vec::new();
        for path in self.paths() {
            for method in self.methods(&path) {
                assert!(METHODS.contains(&method.as_str()), "{path}: {method}");
                operations.push((path.clone(), method));
            }
        }
        operations
    }

    /// Names of the query parameters and headers of a path, of all its methods.
    pub(super) fn parameters(&self, path: &str) -> BTreeSet<String> {
        let mut names = BTreeSet::new();
        for method in self.methods(path) {
            let listed = self.0["paths"][path][&method]["parameters"].as_array();
            for parameter in listed.into_iter().flatten() {
                let parameter = self.resolved(parameter);
                if parameter["in"] != "path" {
                    names.insert(
                        parameter["name"]
                            .as_str()
                            .expect("a name")
                            .to_ascii_lowercase(),
                    );
                }
            }
        }
        names
    }

    /// The schema of an operation's JSON answer; `None` for one of another kind.
    pub(super) fn answer(&self, path: &str, method: &str) -> Option<&Value> {
        self.0["paths"][path][method]["responses"]["200"]["content"]["application/json"]
            .get("schema")
    }

    /// The schema of every refusal.
    pub(super) fn refusal(&self) -> &Value {
        &self.0["components"]["responses"]["Refused"]["content"]["application/json"]["schema"]
    }

    /// Fields of all request bodies, also deep inside.
    pub(super) fn request_fields(&self) -> BTreeSet<String> {
        let mut names = BTreeSet::new();
        let mut fields = BTreeSet::new();
        for (path, method) in self.operations() {
            let body = self.resolved(&self.0["paths"][&path][&method]["requestBody"]);
            if let Some(schema) = body["content"]["application/json"].get("schema") {
                self.fields(schema, "", &mut names, &mut fields);
            }
        }
        fields
            .iter()
            .map(|field| field.rsplit('.').next().unwrap_or_default().to_owned())
            .collect()
    }

    /// Every word that some field is limited to.
    pub(super) fn words(&self) -> BTreeSet<String> {
        fn collect(value: &Value, words: &mut BTreeSet<String>) {
            match value {
                Value::Object(entries) => {
                    let listed = entries.get("enum").and_then(Value::as_array);
                    words.extend(
                        listed
                            .into_iter()
                            .flatten()
                            .filter_map(|word| word.as_str().map(str::to_owned)),
                    );
                    entries.values().for_each(|inner| collect(inner, words));
                }
                Value::Array(items) => items.iter().for_each(|inner| collect(inner, words)),
                _ => {}
            }
        }
        let mut words = BTreeSet::new();
        collect(&self.0["components"]["schemas"], &mut words);
        words
    }

    fn resolved<'a>(&'a self, value: &'a Value) -> &'a Value {
        match value["$ref"].as_str() {
            Some(place) => {
                let found = self.0.pointer(place.trim_start_matches('#'));
                found.unwrap_or_else(|| panic!("{place} leads nowhere"))
            }
            None => value,
        }
    }

    /// What a schema is called: where it is referred to, or where it stands.
    fn name<'a>(schema: &'a Value, at: &'a str) -> &'a str {
        schema["$ref"]
            .as_str()
            .and_then(|place| place.rsplit('/').next())
            .unwrap_or(at)
    }

    /// Adds every field below a schema to `fields`; `names` holds the schemas that were visited.
    fn fields(
        &self,
        schema: &Value,
        at: &str,
        names: &mut BTreeSet<String>,
        fields: &mut BTreeSet<String>,
    ) {
        let at = Self::name(schema, at);
        if schema["$ref"].is_string() && !names.insert(at.to_owned()) {
            return;
        }
        let schema = self.resolved(schema);
        for (field, inner) in schema["properties"].as_object().into_iter().flatten() {
            let at = format!("{at}.{field}");
            fields.insert(at.clone());
            self.fields(inner, &at, names, fields);
        }
        for key in ["items", "additionalProperties"] {
            if schema[key].is_object() {
                self.fields(&schema[key], at, names, fields);
            }
        }
        for inner in schema["anyOf"].as_array().into_iter().flatten() {
            self.fields(inner, at, names, fields);
        }
    }

    /// Holds a body to a schema; what is wrong with it.
    pub(super) fn check(
        &self,
        schema: &Value,
        body: &Value,
        coverage: &mut Coverage,
    ) -> Vec<String> {
        let mut problems = Vec::new();
        self.hold(schema, body, "answer", coverage, &mut problems);
        problems
    }

    fn hold(
        &self,
        schema: &Value,
        body: &Value,
        at: &str,
        coverage: &mut Coverage,
        problems: &mut Vec<String>,
    ) {
        let at = Self::name(schema, at);
        let schema = self.resolved(schema);
        if let Some(variants) = schema["anyOf"].as_array() {
            let fitting = variants
                .iter()
                .find(|variant| (variant["type"] == "null") == body.is_null());
            match fitting {
                Some(variant) => self.hold(variant, body, at, coverage, problems),
                None => problems.push(format!("{at}: {body} fits no variant")),
            }
            return;
        }
        if !has_type(&schema["type"], body) {
            problems.push(format!("{at}: {body} is not of type {}", schema["type"]));
            return;
        }
        if let Some(words) = schema["enum"].as_array()
            && !words.contains(body)
        {
            problems.push(format!("{at}: {body} is none of {words:?}"));
        }
        if schema.get("const").is_some_and(|only| only != body) {
            problems.push(format!("{at}: {body} is not {}", schema["const"]));
        }
        if let (Some(number), Some(least)) = (body.as_f64(), schema["minimum"].as_f64())
            && number < least
        {
            problems.push(format!("{at}: {body} < {least}"));
        }
        for item in body.as_array().into_iter().flatten() {
            self.hold(&schema["items"], item, at, coverage, problems);
        }
        let Some(entries) = body.as_object() else {
            return;
        };
        for name in schema["required"].as_array().into_iter().flatten() {
            if !entries.contains_key(name.as_str().unwrap_or_default()) {
                problems.push(format!("{at}.{name} is missing"));
            }
        }
        for (key, value) in entries {
            let place = format!("{at}.{key}");
            match (
                schema["properties"].get(key),
                &schema["additionalProperties"],
            ) {
                (Some(inner), _) => {
                    coverage.0.insert(place.clone());
                    self.hold(inner, value, &place, coverage, problems);
                }
                (None, Value::Bool(true)) => {}
                (None, inner @ Value::Object(_)) => {
                    self.hold(inner, value, at, coverage, problems);
                }
                (None, _) => problems.push(format!("{place} is not described")),
            }
        }
    }
}

fn has_type(kind: &Value, body: &Value) -> bool {
    let is = |kind: &str| match kind {
        "null" => body.is_null(),
        "string" => body.is_string(),
        "boolean" => body.is_boolean(),
        "integer" => body.is_i64() || body.is_u64(),
        "number" => body.is_number(),
        "array" => body.is_array(),
        "object" => body.is_object(),
        other => panic!("type {other}"),
    };
    match kind {
        Value::String(kind) => is(kind),
        Value::Array(kinds) => kinds
            .iter()
            .any(|kind| is(kind.as_str().unwrap_or_default())),
        _ => panic!("a schema without a type, for {body}"),
    }
}
