//! The JSON Schema of an object, built from what its reader asks for.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

/// The members of an object, as an [`ObjectReader`](super::object_reader::ObjectReader) asks for them. A
/// member that is not required may be `null`, which means the same as absent.
#[derive(Debug, Default)]
pub struct ObjectSchema {
    members: Map<String, Value>,
    notes: BTreeMap<(&'static str, &'static str), Value>,
    required: Vec<&'static str>,
    kinds: Vec<Value>,
}

impl ObjectSchema {
    /// Notes a member. An empty schema never replaces a recorded one.
    pub fn member(&mut self, name: &str, schema: Value) {
        if schema != json!({}) || !self.members.contains_key(name) {
            self.members.insert(name.to_owned(), schema);
        }
    }

    /// Notes a keyword of a member beside its type: `default` or `description`.
    pub fn note(&mut self, name: &'static str, keyword: &'static str, value: Value) {
        self.notes.insert((name, keyword), value);
    }

    /// Notes that a member is required.
    pub fn require(&mut self, name: &'static str) {
        if !self.required.contains(&name) {
            self.required.push(name);
        }
    }

    /// Notes a variant of the object, which `member` names.
    pub fn kind(&mut self, member: &'static str, name: &str, mut shape: ObjectSchema) {
        shape.member(member, json!({"const": name}));
        shape.require(member);
        self.kinds.push(shape.schema());
    }

    /// The JSON Schema. It allows no other members.
    #[must_use]
    pub fn schema(self) -> Value {
        if !self.kinds.is_empty() {
            return json!({"oneOf": self.kinds});
        }
        let Self { members, notes, required, kinds: _ } = self;
        let members = members.into_iter().map(|(name, schema)| {
            let is_required = required.contains(&name.as_str());
            let mut schema = if is_required { schema } else { or_null(schema) };
            let noted = notes.iter().filter(|((member, _), _)| **member == name);
            if let Some(words) = schema.as_object_mut() {
                words.extend(noted.map(|((_, keyword), value)| ((*keyword).to_owned(), value.clone())));
            }
            (name, schema)
        });
        let mut schema = json!({"type": "object", "additionalProperties": false,
            "properties": members.collect::<Map<String, Value>>()});
        if let (false, Some(words)) = (required.is_empty(), schema.as_object_mut()) {
            words.insert("required".to_owned(), json!(required));
        }
        schema
    }
}

fn or_null(mut schema: Value) -> Value {
    if schema.get("oneOf").is_some() {
        return json!({"anyOf": [schema, {"type": "null"}]});
    }
    if let Some(kind) = schema.get_mut("type") {
        *kind = json!([kind.take(), "null"]);
    }
    if let Some(names) = schema.get_mut("enum").and_then(Value::as_array_mut) {
        names.push(Value::Null);
    }
    schema
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::shared::object_reader::ObjectReader;

    #[test]
    fn a_schema_has_what_its_reader_asks_for() {
        let schema = ObjectReader::schema_of(|fields| {
            let name = fields.required_text("name", 9);
            fields.one_of("colour", &[("red", 1)]);
            fields.describe("large", "Whether it is large.");
            fields.boolean_or("large", true);
            fields.objects("parts", 2, |part| part.integer("size", 1, 3));
            fields.require("how");
            fields.object("how", |how| {
                how.kind("type", &[("none", |_| Some(())), ("by", |by| by.boolean("foot").map(|_| ()))])
            });
            Some(name)
        });
        let kind = |members: Value| {
            json!({"type": "object", "additionalProperties": false, "properties": members,
            "required": ["type"]})
        };
        let expected = json!({
            "type": "object", "additionalProperties": false, "required": ["name", "how"],
            "properties": {
                "name": {"type": "string", "minLength": 1, "maxLength": 9},
                "colour": {"type": ["string", "null"], "enum": ["red", null]},
                "large": {"type": ["boolean", "null"], "default": true, "description": "Whether it is large."},
                "parts": {"type": ["array", "null"], "maxItems": 2, "items": {"type": "object",
                    "additionalProperties": false,
                    "properties": {"size": {"type": ["integer", "null"], "minimum": 1, "maximum": 3}}}},
                "how": {"oneOf": [
                    kind(json!({"type": {"const": "none"}})),
                    kind(json!({"foot": {"type": ["boolean", "null"]}, "type": {"const": "by"}})),
                ]},
            },
        });
        assert_eq!(schema, expected);
    }
}
