//! The shapes of what is answered, from `shapes/*.json`: JSON Schema, but for one word. Every member is always
//! there, except those that `optional` names.

use std::sync::LazyLock;

use serde_json::{Map, Value, json};
use stella::domain::inbound::provider::Provider;

const SOURCES: [&str; 8] = [
    include_str!("shapes/common.json"),
    include_str!("shapes/meta.json"),
    include_str!("shapes/tenants.json"),
    include_str!("shapes/configs.json"),
    include_str!("shapes/receipts.json"),
    include_str!("shapes/components.json"),
    include_str!("shapes/outbound.json"),
    include_str!("shapes/portal.json"),
];

/// What is only handed in and so has no shape of its own.
const HANDED_IN: [(&str, &str); 20] = [
    ("body", "What the sender would post: a text, or JSON."),
    ("credential", "`user:password` for `basic`, the token for `bearer`; sealed, and never shown."),
    ("data", "As the type's JSON Schema has it, which `GET /event-types` tells; at most 256 KiB."),
    ("dryRun", "Whether it is only counted."),
    ("event", "A type of event, as `GET /event-types` lists them."),
    ("from", "Of events from this moment on."),
    (
        "gracePeriodSeconds",
        "How long the old one stays valid beside the new one; a day where nothing is said.",
    ),
    ("headers", "The headers that it would come with."),
    ("key", "A tenant's key, or the operator's."),
    ("link", "What follows `#link=` in a link to the portal."),
    ("queue", "One of `deliveries`, `retries`, `commands` and `inbound-retry`; all where nothing is said."),
    ("response", "The beginning of what was answered."),
    ("responseTime", "How long it took, in milliseconds."),
    ("retryAfterSeconds", "What `Retry-After` said."),
    (
        "secret",
        "What the sender signs with or says; sealed, and never shown. An old one stays valid for 24 hours.",
    ),
    ("signatureSecret", "The key that signs; minted and shown once where nothing is said. Sealed."),
    ("status", "The final state that is meant; `failed` and `skipped` where nothing is said."),
    ("timestamp", "When it happened; now, where nothing is said."),
    ("ttlSeconds", "How long the link can be used; an hour where nothing is said."),
    ("to", "Of events up to this moment; now, where nothing is said."),
];

/// The files are part of the program; a test proves that each can be read.
static SHAPES: LazyLock<Map<String, Value>> = LazyLock::new(|| {
    let read = |source: &&str| serde_json::from_str::<Map<String, Value>>(source).unwrap_or_default();
    let mut shapes: Map<String, Value> = SOURCES.iter().flat_map(read).collect();
    shapes.values_mut().for_each(require_members);
    let providers: Vec<&str> = Provider::all().map(|(name, _)| name).collect();
    for shape in ["WebhookConfig", "Sender"] {
        let provider = shapes.get_mut(shape).and_then(|shape| shape.pointer_mut("/properties/provider"));
        if let Some(words) = provider.and_then(Value::as_object_mut) {
            words.insert("enum".to_owned(), json!(providers));
        }
    }
    shapes
});

/// Every shape by its name.
pub(crate) fn all() -> &'static Map<String, Value> {
    &SHAPES
}

/// A schema that is a shape.
pub(crate) fn named(shape: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{shape}")})
}

/// What a sender is told.
pub(crate) fn answer() -> Value {
    json!({"anyOf": [named("Answer"), named("Handshake")]})
}

/// Writes `required` where the files have `optional`.
fn require_members(schema: &mut Value) {
    let Some(words) = schema.as_object_mut() else { return };
    let optional = words.remove("optional").unwrap_or_default();
    if let Some(members) = words.get_mut("properties").and_then(Value::as_object_mut) {
        members.values_mut().for_each(require_members);
        let is_optional = |name: &String| optional.as_array().is_some_and(|list| list.contains(&json!(name)));
        let required: Vec<String> = members.keys().filter(|name| !is_optional(name)).cloned().collect();
        if !required.is_empty() {
            words.insert("required".to_owned(), json!(required));
        }
    }
    if let Some(items) = words.get_mut("items") {
        require_members(items);
    }
}

/// The shape itself where a schema only names it.
pub(crate) fn resolved(schema: &Value) -> &Value {
    let name = schema.get("$ref").and_then(Value::as_str).and_then(|text| text.rsplit('/').next());
    name.and_then(|name| SHAPES.get(name)).unwrap_or(schema)
}

/// Gives the members of a request the descriptions that members of the same name have in a shape.
pub(crate) fn explain(schema: &mut Value, shape: Option<&str>) {
    let shape = shape.and_then(|name| SHAPES.get(name));
    explain_members(schema, shape.unwrap_or(&Value::Null));
}

fn explain_members(schema: &mut Value, shape: &Value) {
    for kinds in ["oneOf", "anyOf"] {
        for kind in schema.get_mut(kinds).and_then(Value::as_array_mut).into_iter().flatten() {
            explain_members(kind, shape);
        }
    }
    if let Some(items) = schema.get_mut("items") {
        explain_members(items, resolved(shape.get("items").unwrap_or(&Value::Null)));
    }
    for (name, member) in schema.get_mut("properties").and_then(Value::as_object_mut).into_iter().flatten() {
        let known = shape.get("properties").and_then(|members| members.get(name)).unwrap_or(&Value::Null);
        explain_members(member, resolved(known));
        let handed_in =
            HANDED_IN.iter().find(|(handed_in, _)| handed_in == name).map(|(_, text)| json!(text));
        let described = [known, resolved(known)].into_iter().find_map(|schema| schema.get("description"));
        if let (Some(text), Some(words)) = (described.or(handed_in.as_ref()), member.as_object_mut()) {
            words.insert("description".to_owned(), text.clone());
        }
    }
}

/// A patch (RFC 7396) need not have any member that the whole must have.
pub(crate) fn make_partial(schema: &mut Value) {
    let Some(words) = schema.as_object_mut() else { return };
    words.remove("required");
    if let Some(kinds) = words.remove("oneOf") {
        words.insert("anyOf".to_owned(), kinds);
    }
    for kind in words.get_mut("anyOf").and_then(Value::as_array_mut).into_iter().flatten() {
        make_partial(kind);
    }
    for member in
        words.get_mut("properties").and_then(Value::as_object_mut).into_iter().flat_map(Map::values_mut)
    {
        make_partial(member);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_can_be_read_and_no_shape_is_there_twice() {
        let counts = SOURCES
            .iter()
            .map(|source| serde_json::from_str::<Map<String, Value>>(source).expect("a map of shapes").len());
        assert_eq!(counts.sum::<usize>(), all().len());
    }

    #[test]
    fn every_shape_that_is_named_is_there() {
        fn names(schema: &Value, found: &mut Vec<String>) {
            match schema {
                Value::Object(words) => {
                    found.extend(words.get("$ref").and_then(Value::as_str).map(str::to_owned));
                    words.values().for_each(|word| names(word, found));
                }
                Value::Array(list) => list.iter().for_each(|word| names(word, found)),
                _ => {}
            }
        }
        let mut found = Vec::new();
        names(&crate::openapi(), &mut found);
        assert!(found.len() > 100);
        for name in found {
            let shape = name.strip_prefix("#/components/schemas/").expect("a shape");
            assert!(all().contains_key(shape), "{shape}");
        }
    }
}
