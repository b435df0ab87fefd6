//! Checks every exchange of the tests against the OpenAPI document: the answer is documented, an accepted
//! body matches its schema, and neither has an undocumented member.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex};

use http::header;
use jsonschema::Validator;
use serde_json::{Value, json};
use stella_local::client::{Exchange, Witness};

/// A witness that panics at an exchange that does not match the document.
#[must_use]
pub fn witness() -> Witness {
    Arc::new(check)
}

static DOCUMENT: LazyLock<Value> = LazyLock::new(|| {
    let mut document = stella_api::openapi();
    close(&mut document["components"]["schemas"]);
    close(&mut document["paths"]);
    document
});

static VALIDATORS: LazyLock<Mutex<HashMap<String, Arc<Validator>>>> = LazyLock::new(Mutex::default);

/// Forbids members that a schema does not name.
fn close(schema: &mut Value) {
    match schema {
        Value::Object(words) => {
            words.values_mut().for_each(close);
            if words.get("type").is_some_and(|kind| kind == "object") && words.contains_key("properties") {
                words.entry("additionalProperties").or_insert(json!(false));
            }
        }
        Value::Array(list) => list.iter_mut().for_each(close),
        _ => {}
    }
}

fn check(exchange: &Exchange<'_>) {
    let path = exchange.path.split('?').next().unwrap_or_default();
    let method = exchange.method.as_str().to_ascii_lowercase();
    let Some((template, methods)) = find(path) else { return };
    let Some(operation) = methods.get(&method) else { return };
    let place = format!("{method} {template}");
    let answer = exchange.answer;
    let status = answer.status.as_u16().to_string();
    let answers = &operation["responses"];
    let named = if answer.status.is_server_error() { "5XX" } else { status.as_str() };
    let documented = answers
        .get(named)
        .unwrap_or_else(|| panic!("{place} has no documented answer {status}: {}", answer.body));
    let media_type = answer.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    match documented["content"].as_object().and_then(|content| content.iter().next()) {
        Some((expected, media)) => {
            assert_eq!(media_type, Some(expected.as_str()), "{place} {status}");
            validate(&format!("{place} {status}"), &media["schema"], &answer.body);
        }
        None => assert_eq!(answer.body, Value::Null, "{place} {status}"),
    }
    let schema = operation["requestBody"].pointer("/content/application~1json/schema");
    let sent = serde_json::from_slice(exchange.body).ok().filter(|_| answer.status.is_success());
    if let (Some(sent), Some(schema)) = (sent, schema) {
        validate(&format!("{place} request"), schema, &sent);
    }
}

fn validate(place: &str, schema: &Value, value: &Value) {
    let mut validators = VALIDATORS.lock().expect("no panic while locked");
    let validator = Arc::clone(validators.entry(place.to_owned()).or_insert_with(|| {
        let mut whole = schema.clone();
        whole["components"] = DOCUMENT["components"].clone();
        let options = jsonschema::draft202012::options().should_validate_formats(true);
        Arc::new(options.build(&whole).expect("a schema"))
    }));
    drop(validators);
    let mistakes: Vec<String> =
        validator.iter_errors(value).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(mistakes.is_empty(), "{place}: {mistakes:?} in {value}");
}

/// The document's path that matches a request's path; of several, the one with the fewest parameters.
fn find(path: &str) -> Option<(&'static String, &'static Value)> {
    let parts: Vec<&str> = path.split('/').collect();
    let fits = |template: &str| {
        let places: Vec<&str> = template.split('/').collect();
        places.len() == parts.len()
            && places.iter().zip(&parts).all(|(place, part)| place == part || place.starts_with('{'))
    };
    let paths = DOCUMENT["paths"].as_object().expect("paths").iter();
    paths.filter(|(template, _)| fits(template)).min_by_key(|(template, _)| template.matches('{').count())
}
