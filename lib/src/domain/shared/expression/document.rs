//! What expressions are evaluated on: a JSON value, or a document of our own members and one value of a
//! sender or publisher.

use serde_json::{Map, Value};

/// How deep expressions look, in nested objects and lists.
pub const MAX_DEPTH: u8 = 32;

/// A document of our own members and one value of a sender or publisher, which is borrowed and not copied.
#[derive(Debug, Clone)]
pub struct Document<'d> {
    own: Map<String, Value>,
    name: &'static str,
    inner: &'d Value,
}

impl<'d> Document<'d> {
    /// A document of the members `own`, and of `inner` under `name`, in place of a member of that name.
    #[must_use]
    pub fn new(mut own: Map<String, Value>, name: &'static str, inner: &'d Value) -> Self {
        own.remove(name);
        Self { own, name, inner }
    }

    /// The root, where expressions begin.
    #[must_use]
    pub fn root(&self) -> Node<'_> {
        Node::Document(self)
    }

    fn member(&self, name: &str) -> Option<&Value> {
        if name == self.name { Some(self.inner) } else { self.own.get(name) }
    }

    fn members(&self) -> impl Iterator<Item = (&str, &Value)> {
        let own = self.own.iter().map(|(name, value)| (name.as_str(), value));
        own.chain(std::iter::once((self.name, self.inner)))
    }

    /// The document as one JSON value, for people.
    #[must_use]
    pub fn to_value(&self) -> Value {
        Value::Object(self.members().map(|(name, value)| (name.to_owned(), value.clone())).collect())
    }
}

/// A place in a document.
#[derive(Debug, Clone, Copy)]
pub enum Node<'d> {
    /// The whole document.
    Document(&'d Document<'d>),
    /// A value in it.
    Value(&'d Value),
}

impl<'d> Node<'d> {
    /// The value, unless it is the whole document.
    #[must_use]
    pub fn value(self) -> Option<&'d Value> {
        match self {
            Self::Value(value) => Some(value),
            Self::Document(_) => None,
        }
    }

    /// The text, if the node is one.
    #[must_use]
    pub fn text(self) -> Option<&'d str> {
        self.value().and_then(Value::as_str)
    }

    /// The member of that name, if the node is an object.
    pub(super) fn member(self, name: &str) -> Option<&'d Value> {
        match self {
            Self::Document(document) => document.member(name),
            Self::Value(value) => value.as_object().and_then(|object| object.get(name)),
        }
    }

    /// The entries, if the node is a list.
    pub(super) fn entries(self) -> Option<&'d [Value]> {
        self.value().and_then(Value::as_array).map(Vec::as_slice)
    }

    /// The entry at an index, if the node is a list. A negative index counts from the end.
    pub(super) fn entry(self, index: i64) -> Option<&'d Value> {
        let entries = self.entries()?;
        let index = if index < 0 { i64::try_from(entries.len()).ok()?.checked_add(index)? } else { index };
        entries.get(usize::try_from(index).ok()?)
    }

    /// The number of children.
    pub(super) fn len(self) -> usize {
        match self {
            Self::Document(document) => document.own.len().saturating_add(1),
            Self::Value(Value::Array(entries)) => entries.len(),
            Self::Value(Value::Object(members)) => members.len(),
            Self::Value(Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) => 0,
        }
    }

    /// The members with their names. Empty, if the node is not an object.
    pub(super) fn members(self) -> impl Iterator<Item = (&'d str, &'d Value)> {
        let (document, object) = match self {
            Self::Document(document) => (Some(document.members()), None),
            Self::Value(value) => (None, value.as_object()),
        };
        let object = object.into_iter().flatten().map(|(name, value)| (name.as_str(), value));
        document.into_iter().flatten().chain(object)
    }

    /// The depth of a child of this node, which is at `depth` itself. `None`, if that is deeper than
    /// [`MAX_DEPTH`]. Our own members do not count: their values are at depth 0.
    pub(super) fn below(self, depth: u8) -> Option<u8> {
        match self {
            Self::Document(_) => Some(0),
            Self::Value(_) => depth.checked_add(1).filter(|depth| *depth <= MAX_DEPTH),
        }
    }
}

/// Whether a value has more than `levels` nested objects and lists.
#[must_use]
pub fn is_deeper(value: &Value, levels: u8) -> bool {
    let below = |value: &Value| levels.checked_sub(1).is_none_or(|levels| is_deeper(value, levels));
    match value {
        Value::Array(_) | Value::Object(_) if levels == 0 => true,
        Value::Array(entries) => entries.iter().any(below),
        Value::Object(members) => members.values().any(below),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn nested(levels: usize) -> Value {
        (0..levels).fold(json!(1), |value, _| json!([value]))
    }

    #[test]
    fn depth_counts_nested_objects_and_lists() {
        for (value, levels) in [(json!("a"), 0), (json!([]), 1), (json!({"a": [1, {}]}), 3), (nested(32), 32)]
        {
            assert!(!is_deeper(&value, levels), "{value}");
            assert!(levels == 0 || is_deeper(&value, levels - 1), "{value}");
        }
    }

    #[test]
    fn a_document_has_its_own_members_and_the_inner_one() {
        let inner = json!({"b": 1});
        let own = json!({"a": 2, "payload": "forged"});
        let document = Document::new(own.as_object().unwrap().clone(), "payload", &inner);
        assert_eq!(document.to_value(), json!({"a": 2, "payload": {"b": 1}}));
        assert_eq!(document.root().member("payload"), Some(&inner));
        assert_eq!((document.root().len(), document.root().members().count()), (2, 2));
    }
}
