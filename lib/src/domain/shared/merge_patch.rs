//! Changes by PUT and PATCH: a whole new document, or a merge patch (RFC 7396) of the present one.

use serde_json::{Map, Value};

/// A requested change of a stored spec.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// The request's body.
    pub body: Value,
    /// Whether the body is a merge patch (PATCH). Otherwise it is the whole new document (PUT).
    pub is_patch: bool,
}

impl Change {
    /// The whole document that is wanted, if `current` is the present one. Members that are `null` are left
    /// out, by PUT too.
    #[must_use]
    pub fn over(&self, current: Value) -> Value {
        let mut wanted = if self.is_patch { current } else { Value::Null };
        merge(&mut wanted, &self.body);
        wanted
    }
}

/// Applies a merge patch (RFC 7396, 2): objects are merged, `null` removes a member, and everything else,
/// also a list, replaces what was there.
///
/// ```
/// use serde_json::json;
/// use stella::domain::shared::merge_patch::merge;
///
/// let mut document = json!({"name": "a", "retryPolicy": {"maxRetries": 3, "backoffSeconds": 10}});
/// merge(&mut document, &json!({"name": null, "retryPolicy": {"maxRetries": 5}}));
/// assert_eq!(document, json!({"retryPolicy": {"maxRetries": 5, "backoffSeconds": 10}}));
/// ```
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
    fn a_replacement_keeps_nothing_of_the_old_document() {
        let change = Change { body: json!({"b": 1}), is_patch: false };
        assert_eq!(change.over(json!({"a": 1})), json!({"b": 1}));
    }
}
