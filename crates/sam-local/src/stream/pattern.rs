//! Event patterns of Lambda's event filtering.

use serde_json::{Map, Value};

use crate::error::{Error, ErrorKind};

/// A pattern: members that an event must have, each with a value that matches one of its rules.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Pattern(Vec<(String, Node)>);

#[derive(Debug, Clone, PartialEq)]
enum Node {
    Object(Pattern),
    OneOf(Vec<Rule>),
}

#[derive(Debug, Clone, PartialEq)]
enum Rule {
    Equals(Value),
    EqualsIgnoringCase(String),
    Prefix(String),
    Suffix(String),
    Exists(bool),
    AnythingBut(Vec<Value>),
    AnythingButPrefix(String),
}

impl Pattern {
    /// Parses a pattern.
    ///
    /// # Errors
    /// For everything that is not a pattern, and for the rules `numeric`, `cidr`, `wildcard` and `$or`, which
    /// are not supported: no record may be filtered out by mistake.
    pub(crate) fn parse(pattern: &Value) -> Result<Self, Error> {
        Self::of(pattern).ok_or_else(|| {
            Error::new(ErrorKind::UnsupportedPattern, "The event pattern is not understood")
                .about(pattern.to_string())
        })
    }

    fn of(pattern: &Value) -> Option<Self> {
        let members = pattern.as_object().filter(|members| !members.is_empty())?;
        members
            .iter()
            .map(|(name, node)| Some((name.clone(), Node::of(name, node)?)))
            .collect::<Option<_>>()
            .map(Self)
    }

    /// Whether an event matches.
    pub(crate) fn matches(&self, event: &Value) -> bool {
        self.0.iter().all(|(name, node)| {
            let value = event.get(name);
            match node {
                Node::Object(pattern) => pattern.matches(value.unwrap_or(&Value::Null)),
                Node::OneOf(rules) => rules.iter().any(|rule| rule.matches(value)),
            }
        })
    }
}

impl Node {
    fn of(name: &str, node: &Value) -> Option<Self> {
        match node {
            _ if name.starts_with('$') => None,
            Value::Object(_) => Pattern::of(node).map(Self::Object),
            Value::Array(rules) => rules.iter().map(Rule::of).collect::<Option<_>>().map(Self::OneOf),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
        }
    }
}

impl Rule {
    fn of(rule: &Value) -> Option<Self> {
        match rule {
            Value::Object(members) => Self::named(members),
            Value::Array(_) => None,
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
                Some(Self::Equals(rule.clone()))
            }
        }
    }

    fn named(members: &Map<String, Value>) -> Option<Self> {
        let (name, value) = members.iter().next().filter(|_| members.len() == 1)?;
        let text = |value: &Value| value.as_str().map(str::to_owned);
        match name.as_str() {
            "prefix" => text(value).map(Self::Prefix),
            "suffix" => text(value).map(Self::Suffix),
            "equals-ignore-case" => text(value).map(|text| Self::EqualsIgnoringCase(text.to_lowercase())),
            "exists" => value.as_bool().map(Self::Exists),
            "anything-but" => match value {
                Value::Array(values) => Some(Self::AnythingBut(values.clone())),
                Value::Object(members) if members.len() == 1 => {
                    members.get("prefix").and_then(text).map(Self::AnythingButPrefix)
                }
                Value::Object(_) | Value::Null => None,
                Value::Bool(_) | Value::Number(_) | Value::String(_) => {
                    Some(Self::AnythingBut(vec![value.clone()]))
                }
            },
            _ => None,
        }
    }

    /// Whether a value matches. For a list, one element that matches is enough.
    fn matches(&self, value: Option<&Value>) -> bool {
        match (self, value) {
            // `exists` is about leaves: it does not match objects.
            (Self::Exists(wanted), value) => *wanted == value.is_some_and(|value| !value.is_object()),
            (_, None) => false,
            (_, Some(Value::Array(elements))) => elements.iter().any(|element| self.matches_one(element)),
            (_, Some(value)) => self.matches_one(value),
        }
    }

    fn matches_one(&self, value: &Value) -> bool {
        let text = value.as_str();
        match self {
            Self::Equals(wanted) => value == wanted,
            Self::EqualsIgnoringCase(wanted) => text.is_some_and(|text| text.to_lowercase() == *wanted),
            Self::Prefix(prefix) => text.is_some_and(|text| text.starts_with(prefix)),
            Self::Suffix(suffix) => text.is_some_and(|text| text.ends_with(suffix)),
            Self::Exists(wanted) => *wanted,
            Self::AnythingBut(values) => !values.contains(value),
            Self::AnythingButPrefix(prefix) => text.is_some_and(|text| !text.starts_with(prefix)),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn patterns_match_as_in_lambda() {
        let event = json!({
            "eventName": "INSERT",
            "dynamodb": {"NewImage": {
                "pk": {"S": "TENANT#1#EVENTS#20260301#a"}, "kind": {"S": "event"}, "old": {"BOOL": false},
                "tags": {"SS": ["a", "b"]},
            }},
        });
        let image = |image: Value| json!({"eventName": ["INSERT"], "dynamodb": {"NewImage": image}});
        for (pattern, expected) in [
            (json!({"eventName": ["INSERT", "MODIFY"]}), true),
            (json!({"eventName": ["REMOVE"]}), false),
            (image(json!({"kind": {"S": ["event"]}})), true),
            (image(json!({"kind": {"S": ["mark"]}})), false),
            (image(json!({"kind": {"N": ["event"]}})), false),
            (image(json!({"old": {"BOOL": [false]}})), true),
            (image(json!({"pk": {"S": [{"prefix": "TENANT#"}]}})), true),
            (image(json!({"pk": {"S": [{"prefix": "KEY#"}, {"suffix": "#a"}]}})), true),
            (image(json!({"kind": {"S": [{"equals-ignore-case": "EVENT"}]}})), true),
            (image(json!({"kind": {"S": [{"exists": true}]}})), true),
            (image(json!({"sk": {"S": [{"exists": true}]}})), false),
            (image(json!({"sk": {"S": [{"exists": false}]}})), true),
            (image(json!({"kind": {"S": [{"exists": false}]}})), false),
            (image(json!({"kind": {"S": [{"anything-but": ["mark", "event"]}]}})), false),
            (image(json!({"kind": {"S": [{"anything-but": "mark"}]}})), true),
            (image(json!({"sk": {"S": [{"anything-but": "mark"}]}})), false),
            (image(json!({"kind": {"S": [{"anything-but": {"prefix": "ev"}}]}})), false),
            (image(json!({"tags": {"SS": ["b"]}})), true),
            (image(json!({"tags": {"SS": ["c"]}})), false),
        ] {
            assert_eq!(Pattern::parse(&pattern).unwrap().matches(&event), expected, "{pattern}");
        }
    }

    #[test]
    fn unsupported_patterns_are_rejected() {
        for pattern in [
            json!({}),
            json!([]),
            json!({"eventName": "INSERT"}),
            json!({"eventName": [["INSERT"]]}),
            json!({"eventName": [{"wildcard": "IN*"}]}),
            json!({"eventName": [{"prefix": "a", "suffix": "b"}]}),
            json!({"$or": [{"eventName": ["INSERT"]}]}),
        ] {
            assert!(Pattern::parse(&pattern).is_err(), "{pattern}");
        }
    }
}
