//! Filters over a JSON document: which events a subscription or a webhook config wants.

use regex::{Regex, RegexBuilder};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json_path::JsonPath;

use super::fields::Fields;

/// The compiled size of a pattern, in bytes; a larger one is refused.
const MOST_PATTERN_BYTES: usize = 256 * 1024;

/// How the field's value is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Operator {
    /// The same JSON value.
    Equals,
    /// Another JSON value.
    NotEquals,
    /// A text that contains the value, or a list with it.
    Contains,
    /// A text that the regular expression finds something in.
    Matches,
    /// One of the values of a list.
    In,
    /// There at all (`true`), or not (`false`).
    Exists,
    /// A text that begins with the value.
    StartsWith,
}

const OPERATORS: [(&str, Operator); 7] = [
    ("equals", Operator::Equals),
    ("notEquals", Operator::NotEquals),
    ("contains", Operator::Contains),
    ("matches", Operator::Matches),
    ("in", Operator::In),
    ("exists", Operator::Exists),
    ("startsWith", Operator::StartsWith),
];

/// A filter as said and as compiled. One that is stored and does not compile (another version took it) is
/// broken: it matches nothing, and what it belongs to is read all the same.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(from = "Said", into = "Said")]
pub struct Filter {
    said: Said,
    compiled: Result<Compiled, String>,
}

#[derive(Debug, Clone)]
struct Compiled {
    path: Path,
    pattern: Option<Regex>,
}

/// A filter as said.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Said {
    field: String,
    operator: Operator,
    #[serde(default)]
    value: Value,
}

#[derive(Debug, Clone)]
enum Path {
    Json(JsonPath),
    Dotted(Vec<String>),
}

impl PartialEq for Filter {
    fn eq(&self, other: &Self) -> bool {
        self.said == other.said
    }
}

impl From<Said> for Filter {
    fn from(said: Said) -> Self {
        let compile = || {
            let path = Path::parse(&said.field).map_err(|(name, message)| format!("{name} {message}"))?;
            let pattern =
                pattern(said.operator, &said.value).map_err(|message| format!("value {message}"))?;
            Ok(Compiled { path, pattern })
        };
        let compiled = compile();
        Self { said, compiled }
    }
}

impl From<Filter> for Said {
    fn from(filter: Filter) -> Self {
        filter.said
    }
}

impl Path {
    fn parse(field: &str) -> Result<Self, (&'static str, String)> {
        if field.starts_with('$') {
            return JsonPath::parse(field)
                .map(Self::Json)
                .map_err(|error| ("field", format!("is not a JSONPath: {error}")));
        }
        let parts: Vec<String> = field.split('.').map(str::to_owned).collect();
        if parts.iter().any(String::is_empty) {
            return Err(("field", "must be names with dots between them, or a JSONPath from $".to_owned()));
        }
        Ok(Self::Dotted(parts))
    }

    fn find<'a>(&self, document: &'a Value) -> Vec<&'a Value> {
        match self {
            Self::Json(path) => path.query(document).all(),
            Self::Dotted(parts) => {
                let found = parts.iter().try_fold(document, |value, part| match value {
                    Value::Array(list) => part.parse::<usize>().ok().and_then(|index| list.get(index)),
                    other => other.get(part),
                });
                found.into_iter().collect()
            }
        }
    }
}

fn pattern(operator: Operator, value: &Value) -> Result<Option<Regex>, String> {
    let text = || value.as_str().ok_or_else(|| "must be a string".to_owned());
    match operator {
        Operator::Matches => RegexBuilder::new(text()?)
            .size_limit(MOST_PATTERN_BYTES)
            .build()
            .map(Some)
            .map_err(|error| format!("is not a regular expression: {error}")),
        Operator::StartsWith => text().map(|_| None),
        Operator::In if !value.is_array() => Err("must be a list".to_owned()),
        Operator::Exists if !matches!(value, Value::Null | Value::Bool(_)) => {
            Err("must be true, false or absent".to_owned())
        }
        Operator::Equals | Operator::NotEquals | Operator::Contains | Operator::In | Operator::Exists => {
            Ok(None)
        }
    }
}

impl Filter {
    /// Reads the members of one filter.
    pub fn parse(fields: &mut Fields<'_>) -> Option<Self> {
        let field = fields.required_text("field", 512);
        fields.require("operator");
        let operator = fields.one_of("operator", &OPERATORS);
        let value = fields.value("value").cloned().unwrap_or(Value::Null);
        let path = (!field.is_empty()).then(|| Path::parse(&field)).transpose();
        let path = path.unwrap_or_else(|(name, message)| {
            fields.wrong(name, message);
            None
        });
        let pattern = match operator.map(|operator| pattern(operator, &value)).transpose() {
            Ok(pattern) => pattern.flatten(),
            Err(message) => {
                fields.wrong("value", message);
                return None;
            }
        };
        let said = Said { field, operator: operator?, value };
        Some(Self { said, compiled: Ok(Compiled { path: path?, pattern }) })
    }

    /// What is wrong with it, if it is broken.
    #[must_use]
    pub fn mistake(&self) -> Option<&str> {
        self.compiled.as_ref().err().map(String::as_str)
    }

    /// Whether the document has what the filter wants. A path that leads nowhere does not match, except
    /// for `exists: false`. Of several places that a JSONPath finds, one is enough.
    #[must_use]
    pub fn matches(&self, document: &Value) -> bool {
        let Ok(compiled) = &self.compiled else { return false };
        let found = compiled.path.find(document);
        let value = &self.said.value;
        match self.said.operator {
            Operator::Exists => found.is_empty() == (*value == Value::Bool(false)),
            Operator::Equals => found.contains(&value),
            Operator::NotEquals => found.iter().any(|found| *found != value),
            Operator::In => {
                value.as_array().is_some_and(|list| found.iter().any(|found| list.contains(found)))
            }
            Operator::Contains => found.iter().any(|found| contains(found, value)),
            Operator::StartsWith => {
                let start = value.as_str().unwrap_or_default();
                found.iter().any(|found| found.as_str().is_some_and(|text| text.starts_with(start)))
            }
            Operator::Matches => compiled.pattern.as_ref().is_some_and(|pattern| {
                found.iter().any(|found| found.as_str().is_some_and(|text| pattern.is_match(text)))
            }),
        }
    }
}

fn contains(found: &Value, value: &Value) -> bool {
    match found {
        Value::Array(list) => list.contains(value),
        Value::String(text) => value.as_str().is_some_and(|part| text.contains(part)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn filter(field: &str, operator: &str, value: &Value) -> Filter {
        serde_json::from_value(json!({"field": field, "operator": operator, "value": value}))
            .expect("a filter")
    }

    #[test]
    fn each_operator_finds_what_it_says() {
        let document =
            json!({"tag": "v1.2.0", "data": {"environment": {"name": "production"}, "labels": ["a", "b"]}});
        for (field, operator, value, expected) in [
            ("data.environment.name", "equals", json!("production"), true),
            ("data.environment.name", "equals", json!("staging"), false),
            ("$.tag", "matches", json!("^v\\d+\\.\\d+\\.\\d+$"), true),
            ("$.tag", "startsWith", json!("v2"), false),
            ("data.labels", "contains", json!("b"), true),
            ("data.labels.0", "equals", json!("a"), true),
            ("$.data.labels[*]", "equals", json!("b"), true),
            ("tag", "contains", json!("1.2"), true),
            ("tag", "in", json!(["v1.2.0"]), true),
            ("tag", "notEquals", json!("v1"), true),
            ("tag", "exists", json!(true), true),
            ("nowhere", "exists", json!(false), true),
            ("nowhere", "notEquals", json!("x"), false),
            ("nowhere", "equals", Value::Null, false),
        ] {
            let filter = filter(field, operator, &value);
            assert_eq!(filter.matches(&document), expected, "{field} {operator} {value}");
        }
    }

    #[test]
    fn a_stored_filter_that_does_not_compile_matches_nothing_and_says_why() {
        for (field, operator, value) in [("$.[", "exists", json!(false)), ("a", "matches", json!("("))] {
            let broken = filter(field, operator, &value);
            assert!(broken.mistake().is_some_and(|mistake| mistake.contains("is not a")));
            assert!(!broken.matches(&json!({})) && !broken.matches(&json!({"a": "("})));
            assert_eq!(serde_json::to_value(&broken).unwrap()["field"], field, "and is kept as it was said");
        }
        assert_eq!(filter("a", "exists", &Value::Null).mistake(), None);
    }

    #[test]
    fn a_broken_filter_is_refused_when_saved_with_its_place() {
        for (filter, field) in [
            (json!({"operator": "equals", "value": 1}), "field"),
            (json!({"field": "$.[", "operator": "equals", "value": 1}), "field"),
            (json!({"field": "a..b", "operator": "equals", "value": 1}), "field"),
            (json!({"field": "a", "operator": "nearly", "value": 1}), "operator"),
            (json!({"field": "a", "operator": "matches", "value": "("}), "value"),
            (json!({"field": "a", "operator": "matches", "value": "(a{1000}){1000}"}), "value"),
            (json!({"field": "a", "operator": "in", "value": "a"}), "value"),
        ] {
            let mut fields = Fields::of(&filter);
            let _ = Filter::parse(&mut fields);
            let error = fields.finish().expect_err("refused");
            assert_eq!(error.errors[0].field, field, "{filter}");
        }
    }
}
