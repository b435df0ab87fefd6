//! Checks a value against a JSON Schema of the few keywords that our own schemas use.

use serde_json::Value;

use crate::error::FieldError;

/// Every mistake of `value`, which is at `path`. Supports the keywords `type` (a name or a list of names),
/// `required`, `properties` and `items`. Members that the schema does not name are allowed.
///
/// ```
/// use serde_json::json;
/// use stella::domain::shared::schema::check;
///
/// let schema = json!({"type": "object", "required": ["id"], "properties": {"tag": {"type": "string"}}});
/// let mistakes = check(&schema, "data", &json!({"tag": 5, "other": true}));
/// let places: Vec<&str> = mistakes.iter().map(|mistake| mistake.field.as_str()).collect();
/// assert_eq!(places, ["data.id", "data.tag"]);
/// ```
#[must_use]
pub fn check(schema: &Value, path: &str, value: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    walk(schema, path, value, &mut errors);
    errors
}

fn walk(schema: &Value, path: &str, value: &Value, errors: &mut Vec<FieldError>) {
    let wrong = |path: &str, message: String| FieldError { field: path.to_owned(), message };
    let types = names(schema.get("type"));
    if !types.is_empty() && !types.iter().any(|name| is(name, value)) {
        errors.push(wrong(path, format!("must be of type {}", types.join(" or "))));
        return;
    }
    if let Some(object) = value.as_object() {
        for name in names(schema.get("required")) {
            if !object.contains_key(name) {
                errors.push(wrong(&format!("{path}.{name}"), "is required".to_owned()));
            }
        }
        let properties = schema.get("properties").and_then(Value::as_object);
        for (name, schema) in properties.into_iter().flatten() {
            if let Some(member) = object.get(name) {
                walk(schema, &format!("{path}.{name}"), member, errors);
            }
        }
    }
    if let (Some(schema), Some(entries)) = (schema.get("items"), value.as_array()) {
        for (index, entry) in entries.iter().enumerate() {
            walk(schema, &format!("{path}[{index}]"), entry, errors);
        }
    }
}

/// The strings of a string or a list of strings.
fn names(value: Option<&Value>) -> Vec<&str> {
    match value {
        Some(Value::String(name)) => vec![name],
        Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

fn is(name: &str, value: &Value) -> bool {
    match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "number" => value.is_number(),
        "integer" => value.is_i64() || value.is_u64(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        _ => false,
    }
}

/// Whether the schema uses only keywords that [`check`] supports, besides annotations.
#[must_use]
pub fn is_understood(schema: &Value) -> bool {
    const TYPES: [&str; 7] = ["object", "array", "string", "number", "integer", "boolean", "null"];
    schema.as_object().is_some_and(|words| {
        words.iter().all(|(word, value)| match word.as_str() {
            "$schema" | "title" | "description" => value.is_string(),
            "type" => names(Some(value)).iter().all(|name| TYPES.contains(name)),
            "required" => value.is_array(),
            "properties" => value.as_object().is_some_and(|members| members.values().all(is_understood)),
            "items" => is_understood(value),
            _ => false,
        })
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn mistakes(schema: &Value, value: &Value) -> Vec<String> {
        check(schema, "data", value).into_iter().map(|error| error.field).collect()
    }

    #[test]
    fn types_are_checked_and_may_be_several() {
        for (name, good, bad) in [
            ("object", json!({}), json!([])),
            ("array", json!([]), json!({})),
            ("string", json!(""), json!(1)),
            ("number", json!(1.5), json!("1")),
            ("integer", json!(1), json!(1.5)),
            ("boolean", json!(true), json!("true")),
            ("null", json!(null), json!(0)),
        ] {
            let schema = json!({ "type": name });
            assert!(mistakes(&schema, &good).is_empty(), "{name}");
            assert_eq!(mistakes(&schema, &bad), ["data"], "{name}");
        }
        let either = json!({"type": ["string", "null"]});
        assert!(mistakes(&either, &json!(null)).is_empty());
        assert_eq!(check(&either, "x", &json!(1))[0].message, "must be of type string or null");
    }

    #[test]
    fn all_members_and_entries_are_checked() {
        let schema = json!({"type": "object", "required": ["a"], "properties": {
            "b": {"type": "array", "items": {"type": "object", "required": ["c"]}}
        }});
        assert_eq!(
            mistakes(&schema, &json!({"b": [{}, {"c": 1}, 2]})),
            ["data.a", "data.b[0].c", "data.b[2]"]
        );
        assert!(mistakes(&schema, &json!({"a": 1, "other": 2})).is_empty());
    }

    #[test]
    fn a_schema_with_an_unsupported_keyword_is_not_understood() {
        assert!(is_understood(&json!({"type": "string", "title": "x"})));
        assert!(!is_understood(&json!({"type": "string", "minLength": 3})));
        assert!(!is_understood(&json!({"properties": {"a": {"enum": [1]}}})));
    }
}
