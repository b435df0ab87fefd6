//! Examples of answers, made from their schemas. Each object has the members that are always present, with
//! typical values chosen by the member's name.

use serde_json::{Map, Value, json};

use super::shapes::resolved;

/// The values of strings, by the member's name.
const TEXTS: [(&str, &str); 34] = [
    ("body", "{\"tag\":\"v1.2.0\"}"),
    ("branch", "main"),
    ("channel", "stable"),
    ("channels", "stable"),
    ("commit", "5f3c1d2e8b7a4f60c9d1e2f3a4b5c6d7e8f90a1b"),
    ("csrfToken", "0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0"),
    ("description", "A release was created."),
    ("detail", "The request has mistakes; each is listed in errors"),
    ("digest", "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"),
    ("egressAddresses", "203.0.113.7"),
    ("error", "Server error: 503"),
    ("field", "data.environment.name"),
    ("ip", "198.51.100.24"),
    ("message", "must be an object"),
    ("messageId", "b5c6d7e8-0a1b-4f60-9d1e-2f3a4b5c6d7e"),
    ("name", "myapp"),
    ("pattern", "^nightly-"),
    ("provider", "harbor"),
    ("pusher", "ci-bot"),
    ("queue", "deliveries"),
    ("queues", "deliveries"),
    ("reason", "No matching component"),
    ("registry", "ghcr.io"),
    ("releaseName", "{component}-{tag}"),
    ("repositories", "ghcr.io/myorg/myapp"),
    ("repository", "myorg/myapp"),
    ("response", "OK"),
    ("responseBody", "OK"),
    ("sourceRepositories", "github.com/myorg/myapp"),
    ("tag", "v1.2.0"),
    ("tagPrefixes", "api/"),
    ("title", "Unprocessable Entity"),
    ("url", "https://hooks.example.com/stella"),
    ("version", "0.1.0"),
];

/// The values of integers, by the member's name.
const NUMBERS: [(&str, u64); 14] = [
    ("attempt", 1),
    ("attempts", 1),
    ("backoffSeconds", 10),
    ("lastStatus", 200),
    ("matched", 3),
    ("maxBackoffSeconds", 3_600),
    ("maxRetries", 3),
    ("pageSize", 20),
    ("p50", 50),
    ("p99", 200),
    ("responseTime", 42),
    ("statusCode", 200),
    ("timeout", 30_000),
    ("total", 1),
];

/// The members that are `false`. Other booleans are `true`.
const FALSE: [&str; 5] = ["duplicate", "hasMore", "matchedIsLowerBound", "test", "totalIsLowerBound"];

/// The members that are `null` if their schema allows it.
const NULL: [&str; 3] = ["error", "nextAttemptAt", "reason"];

/// An example for the schema of the member `name`.
pub(super) fn of(name: &str, schema: &Value) -> Value {
    let schema = resolved(schema);
    if let Some(value) = schema.get("const") {
        return value.clone();
    }
    if NULL.contains(&name) && allows_null(schema) {
        return Value::Null;
    }
    if let Some(names) = schema.get("enum").and_then(Value::as_array) {
        let usual = names.iter().find(|found| name == "status" && **found == "delivered");
        return usual.or(names.first()).cloned().unwrap_or_default();
    }
    for kinds in ["anyOf", "oneOf"] {
        if let Some(first) = schema.get(kinds).and_then(|kinds| kinds.get(0)) {
            return of(name, first);
        }
    }
    let kind = match schema.get("type") {
        Some(Value::Array(kinds)) => kinds.first(),
        kind => kind,
    };
    match kind.and_then(Value::as_str) {
        Some("object") => object(schema),
        Some("array") => json!([of(name, schema.get("items").unwrap_or(&Value::Null))]),
        Some("string") => match schema.get("format").and_then(Value::as_str) {
            Some("uuid") => json!("0199a1f0-7c3e-7a52-8b1d-4c2f6e9d0a37"),
            Some("date-time") => json!("2026-01-09T10:30:00.000Z"),
            _ => json!(by_name(&TEXTS, name).unwrap_or("text")),
        },
        Some("integer") => {
            let least = schema.get("minimum").and_then(Value::as_u64).unwrap_or_default();
            json!(by_name(&NUMBERS, name).unwrap_or(least))
        }
        Some("number") => json!(1.0),
        Some("boolean") => json!(!FALSE.contains(&name)),
        _ => json!({}),
    }
}

fn allows_null(schema: &Value) -> bool {
    let kinds = schema.get("type").and_then(Value::as_array).into_iter().flatten();
    let choices = schema.get("anyOf").and_then(Value::as_array).into_iter().flatten();
    kinds.chain(choices.filter_map(|choice| choice.get("type"))).any(|kind| kind == "null")
}

fn by_name<T: Copy>(list: &[(&str, T)], wanted: &str) -> Option<T> {
    list.iter().find(|(name, _)| *name == wanted).map(|(_, value)| *value)
}

fn object(schema: &Value) -> Value {
    let required = schema.get("required").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let names = required.iter().filter_map(Value::as_str);
    let member = |name: &str| Some((name.to_owned(), of(name, schema.get("properties")?.get(name)?)));
    Value::Object(names.filter_map(member).collect::<Map<String, Value>>())
}
