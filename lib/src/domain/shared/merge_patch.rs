//! What a PUT or a PATCH wants: a whole new document, or a patch laid over the present one.

use serde_json::{Map, Value};

/// A change of something that a caller said earlier.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// The request's body.
    pub body: Value,
    /// Whether it is laid over what was said, instead of replacing it.
    pub is_patch: bool,
}

impl Change {
    /// The whole document that is wanted where `said` is the present one.
    #[must_use]
    pub fn over(&self, said: Value) -> Value {
        let mut wanted = if self.is_patch { said } else { Value::Null };
        merge(&mut wanted, &self.body);
        wanted
    }
}

/// RFC 7396: a patch laid over a document; `null` removes.
pub fn merge(document: &mut Value, patch: &Value) {
    let Some(patch) = patch.as_object() else {
        *document = patch.clone();
        return;
    };
    if !document.is_object() {
        *document = Value::Object(Map::new());
    }
    let Some(members) = document.as_object_mut() else { return };
    for (name, value) in patch {
        if value.is_null() {
            members.remove(name);
        } else {
            merge(members.entry(name.clone()).or_insert(Value::Null), value);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_patch_replaces_adds_and_removes() {
        let change = Change { body: json!({"a": null, "b": {"c": 4}, "e": [1]}), is_patch: true };
        assert_eq!(
            change.over(json!({"a": 1, "b": {"c": 2, "d": 3}})),
            json!({"b": {"c": 4, "d": 3}, "e": [1]})
        );
    }

    #[test]
    fn a_replacement_leaves_nothing_of_what_was_said() {
        let change = Change { body: json!({"b": 1}), is_patch: false };
        assert_eq!(change.over(json!({"a": 1})), json!({"b": 1}));
    }
}
