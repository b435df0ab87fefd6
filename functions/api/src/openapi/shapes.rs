//! The schemas of answers, derived from the types that are serialised. Their doc comments are the
//! descriptions.

use std::sync::LazyLock;

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Map, Value, json};
use stella::domain::shared::ids::TenantId;
use stella::domain::shared::time::Timestamp;
use stella::store::Pagination;
use stella::web::problem::Problem;

use super::webhooks;

/// The place of the schemas in the document.
const PLACE: &str = "/components/schemas";

/// All named schemas. Made when the document is first requested, so a cold start does not pay for it.
static SHAPES: LazyLock<Map<String, Value>> = LazyLock::new(|| {
    let mut generator = generator();
    for route in crate::all().list() {
        route.operation.collect(&mut generator);
    }
    webhooks::collect(&mut generator);
    generator.subschema_for::<Pagination>();
    generator.subschema_for::<Problem>();
    generator.subschema_for::<TenantId>();
    generator.subschema_for::<Timestamp>();
    let mut shapes = generator.take_definitions(false);
    shapes.values_mut().for_each(tidy);
    shapes
});

fn generator() -> SchemaGenerator {
    let settings = SchemaSettings::draft2020_12().for_serialize();
    settings.with(|settings| settings.definitions_path = PLACE.into()).into_generator()
}

/// All named schemas, by name.
pub(crate) fn all() -> &'static Map<String, Value> {
    &SHAPES
}

/// A reference to a named schema.
pub(crate) fn named(shape: &str) -> Value {
    json!({"$ref": format!("#{PLACE}/{shape}")})
}

/// The schema of a type: a reference, if it is named.
pub(crate) fn schema(shape: fn(&mut SchemaGenerator) -> Schema) -> Value {
    let mut schema = shape(&mut generator()).to_value();
    tidy(&mut schema);
    schema
}

/// As [`schema`], for a type.
pub(crate) fn of<T: JsonSchema>() -> Value {
    schema(SchemaGenerator::subschema_for::<T>)
}

/// Adapts a schema of `schemars` to answers and to the generators of clients:
/// - an enumeration is one `enum`, with the meaning of each value in the description;
/// - a member that is not required is absent, and never `null`;
/// - numbers have no `format`, which would only be their size in Rust;
/// - there are no defaults;
/// - a description is one line, although its doc comment has line breaks.
fn tidy(schema: &mut Value) {
    let Some(words) = schema.as_object_mut() else {
        if *schema == Value::Bool(true) {
            *schema = json!({});
        }
        return;
    };
    words.remove("default");
    if let Some(Value::String(text)) = words.get_mut("description") {
        *text = text.replace('\n', " ");
    }
    join_names(words);
    let is_number =
        words.get("type").is_some_and(|kind| names_of(kind).any(|name| matches!(name, "integer" | "number")));
    if is_number {
        words.remove("format");
    }
    if words.get("additionalProperties") == Some(&Value::Bool(true)) {
        words.remove("additionalProperties");
    }
    let required: Vec<String> =
        words.get("required").into_iter().flat_map(names_of).map(str::to_owned).collect();
    for (name, member) in words.get_mut("properties").and_then(Value::as_object_mut).into_iter().flatten() {
        tidy(member);
        if !required.contains(name) {
            never_null(member);
        }
    }
    for name in ["items", "additionalProperties"] {
        words.get_mut(name).into_iter().for_each(tidy);
    }
    for name in ["anyOf", "oneOf", "allOf"] {
        words.get_mut(name).and_then(Value::as_array_mut).into_iter().flatten().for_each(tidy);
    }
}

fn names_of(value: &Value) -> impl Iterator<Item = &str> {
    let list = value.as_array().map(Vec::as_slice).unwrap_or_default().iter().filter_map(Value::as_str);
    value.as_str().into_iter().chain(list)
}

/// Replaces an enumeration with a schema for each value by one `enum`.
fn join_names(words: &mut Map<String, Value>) {
    let Some(choices) = words.get("oneOf").and_then(Value::as_array) else { return };
    let name = |choice: &Value| choice.get("const").and_then(Value::as_str).map(str::to_owned);
    let Some(names) = choices.iter().map(name).collect::<Option<Vec<String>>>() else { return };
    let meanings = choices.iter().zip(&names).filter_map(|(choice, name)| {
        let meaning = choice.get("description")?.as_str()?.replace('\n', " ");
        Some(format!("`{name}`: {meaning}"))
    });
    let before = words.get("description").and_then(Value::as_str).map(str::to_owned);
    let description: Vec<String> = before.into_iter().chain(meanings).collect();
    words.remove("oneOf");
    words.insert("type".to_owned(), json!("string"));
    words.insert("enum".to_owned(), json!(names));
    if !description.is_empty() {
        words.insert("description".to_owned(), json!(description.join(" ")));
    }
}

/// Removes `null` from the types that a schema allows.
fn never_null(schema: &mut Value) {
    let Some(words) = schema.as_object_mut() else { return };
    if let Some(Value::Array(kinds)) = words.get_mut("type") {
        kinds.retain(|kind| kind != "null");
        if let [kind] = kinds.as_slice() {
            let kind = kind.clone();
            words.insert("type".to_owned(), kind);
        }
    }
    if let Some(names) = words.get_mut("enum").and_then(Value::as_array_mut) {
        names.retain(|name| !name.is_null());
    }
    let Some(choices) = words.get_mut("anyOf").and_then(Value::as_array_mut) else { return };
    choices.retain(|choice| choice.get("type").is_none_or(|kind| kind != "null"));
    if let [Value::Object(choice)] = choices.as_mut_slice() {
        let choice = std::mem::take(choice);
        words.remove("anyOf");
        for (name, value) in choice {
            words.entry(name).or_insert(value);
        }
    }
}

/// The named schema that a schema refers to, or the schema itself.
pub(crate) fn resolved(schema: &Value) -> &Value {
    let name = schema.get("$ref").and_then(Value::as_str).and_then(|text| text.rsplit('/').next());
    name.and_then(|name| SHAPES.get(name)).unwrap_or(schema)
}

/// Adds to the members of a request the descriptions of the members of the same name in answers. A
/// description that the reader gave stays.
pub(crate) fn explain(schema: &mut Value, noun: Option<&Value>) {
    explain_members(schema, noun.map_or(&Value::Null, resolved));
}

fn explain_members(schema: &mut Value, shape: &Value) {
    for kinds in ["oneOf", "anyOf"] {
        for kind in schema.get_mut(kinds).and_then(Value::as_array_mut).into_iter().flatten() {
            let same = same_kind(kind, shape).cloned();
            explain_members(kind, same.as_ref().unwrap_or(shape));
        }
    }
    if let Some(items) = schema.get_mut("items") {
        explain_members(items, resolved(shape.get("items").unwrap_or(&Value::Null)));
    }
    for (name, member) in schema.get_mut("properties").and_then(Value::as_object_mut).into_iter().flatten() {
        let known = shape.get("properties").and_then(|members| members.get(name)).unwrap_or(&Value::Null);
        explain_members(member, resolved(known));
        let described = [known, resolved(known)].into_iter().find_map(|schema| schema.get("description"));
        if let (Some(text), Some(words)) = (described, member.as_object_mut()) {
            words.entry("description").or_insert_with(|| text.clone());
        }
    }
}

/// The variant of `shape` that has the same constant members as `kind`.
fn same_kind<'s>(kind: &Value, shape: &'s Value) -> Option<&'s Value> {
    let members = kind.get("properties")?.as_object()?;
    let constants = || members.iter().filter_map(|(name, member)| Some((name, member.get("const")?)));
    let kinds = ["oneOf", "anyOf"].into_iter().filter_map(|kinds| shape.get(kinds)?.as_array()).flatten();
    let has = |shape: &Value, name: &str, value: &Value| {
        shape.get("properties").and_then(|members| members.get(name)?.get("const")) == Some(value)
    };
    kinds
        .filter(|shape| constants().all(|(name, value)| has(shape, name, value)))
        .find(|_| constants().next().is_some())
}

/// Adapts a schema to a merge patch (RFC 7396): no member is required, and an absent member has no default,
/// because it stays as it is.
pub(crate) fn make_partial(schema: &mut Value) {
    let Some(words) = schema.as_object_mut() else { return };
    words.remove("required");
    words.remove("default");
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
    fn every_referenced_schema_exists() {
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

    #[test]
    fn an_enumeration_is_one_enum_that_describes_each_value() {
        let mut schema = json!({"description": "The state.", "oneOf": [
            {"type": "string", "const": "open", "description": "It is open."},
            {"type": "string", "const": "shut", "description": "It is shut."}]});
        tidy(&mut schema);
        let description = "The state. `open`: It is open. `shut`: It is shut.";
        assert_eq!(schema, json!({"type": "string", "enum": ["open", "shut"], "description": description}));
    }

    #[test]
    fn a_member_that_may_be_absent_is_never_null() {
        let optional = json!({"anyOf": [{"$ref": "#/x"}, {"type": "null"}], "description": "X."});
        let mut schema = json!({"type": "object", "required": ["b"],
            "properties": {"a": optional, "b": {"type": ["integer", "null"], "format": "uint64"}}});
        tidy(&mut schema);
        assert_eq!(schema["properties"]["a"], json!({"$ref": "#/x", "description": "X."}));
        assert_eq!(schema["properties"]["b"], json!({"type": ["integer", "null"]}));
    }

    #[test]
    fn every_member_of_every_shape_and_every_request_has_a_description() {
        fn look(place: &str, schema: &Value, missing: &mut Vec<String>) {
            for (name, member) in schema["properties"].as_object().into_iter().flatten() {
                let place = format!("{place}.{name}");
                let described =
                    [member, resolved(member)].into_iter().any(|one| one.get("description").is_some());
                if !described && member.get("const").is_none() {
                    missing.push(place.clone());
                }
                look(&place, member, missing);
                look(&place, &member["items"], missing);
            }
            for kinds in ["oneOf", "anyOf"] {
                schema[kinds].as_array().into_iter().flatten().for_each(|one| look(place, one, missing));
            }
        }
        let mut missing = Vec::new();
        all().iter().for_each(|(name, schema)| look(name, schema, &mut missing));
        let document = crate::openapi();
        for (path, methods) in document["paths"].as_object().unwrap() {
            for (method, operation) in methods.as_object().unwrap() {
                let body = operation.pointer("/requestBody/content/application~1json/schema");
                look(&format!("{method} {path}"), body.unwrap_or(&Value::Null), &mut missing);
            }
        }
        assert!(missing.is_empty(), "{missing:#?}");
    }
}
