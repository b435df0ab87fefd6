//! Reads an object of the template member by member. A member that is not read is an error.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use serde_json::{Map, Value};

use super::wrong;
use crate::error::Error;

static NOTHING: LazyLock<Map<String, Value>> = LazyLock::new(Map::new);

/// The members of an object, and its place in the template. As on AWS, numbers and booleans may be text.
pub(super) struct Members<'a> {
    place: String,
    object: &'a Map<String, Value>,
    known: BTreeSet<&'static str>,
}

impl<'a> Members<'a> {
    /// The members of an object at `place`.
    pub(super) fn of(place: &str, value: &'a Value) -> Result<Self, Error> {
        let object = value.as_object().ok_or_else(|| wrong(place, "This must be an object"))?;
        Ok(Self { place: place.to_owned(), object, known: BTreeSet::new() })
    }

    /// The place of a member.
    pub(super) fn place(&self, name: &str) -> String {
        if self.place.is_empty() { name.to_owned() } else { format!("{}.{name}", self.place) }
    }

    /// Reads a member. `null` counts as absent.
    pub(super) fn take(&mut self, name: &'static str) -> Option<&'a Value> {
        self.known.insert(name);
        self.object.get(name).filter(|value| !value.is_null())
    }

    /// Ignores these members, which have no effect on one machine.
    pub(super) fn ignore(&mut self, names: &[&'static str]) {
        self.known.extend(names);
    }

    /// Reads a text, number or boolean as text.
    pub(super) fn text(&mut self, name: &'static str) -> Result<Option<String>, Error> {
        let Some(value) = self.take(name) else { return Ok(None) };
        scalar(value).map(Some).ok_or_else(|| wrong(self.place(name), "This must be text"))
    }

    /// Reads a text that is required.
    pub(super) fn required_text(&mut self, name: &'static str) -> Result<String, Error> {
        let text = self.text(name)?;
        text.ok_or_else(|| wrong(self.place(name), "This is missing"))
    }

    /// Reads a whole number.
    pub(super) fn number<N: std::str::FromStr>(&mut self, name: &'static str) -> Result<Option<N>, Error> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        let number = text.parse().map_err(|_| wrong(self.place(name), "This must be a whole number"))?;
        Ok(Some(number))
    }

    /// Reads a boolean. Default: `false`.
    pub(super) fn flag(&mut self, name: &'static str) -> Result<bool, Error> {
        match self.text(name)?.as_deref() {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => Err(wrong(self.place(name), "This must be true or false")),
        }
    }

    /// Reads an object.
    pub(super) fn object(&mut self, name: &'static str) -> Result<Option<Members<'a>>, Error> {
        let Some(value) = self.take(name) else { return Ok(None) };
        Members::of(&self.place(name), value).map(Some)
    }

    /// Reads an object whose members have any names. Default: empty.
    pub(super) fn map(&mut self, name: &'static str) -> Result<&'a Map<String, Value>, Error> {
        match self.take(name) {
            None => Ok(&NOTHING),
            Some(value) => value.as_object().ok_or_else(|| wrong(self.place(name), "This must be an object")),
        }
    }

    /// Reads a list. Default: empty.
    pub(super) fn list(&mut self, name: &'static str) -> Result<&'a [Value], Error> {
        match self.take(name) {
            None => Ok(&[]),
            Some(Value::Array(entries)) => Ok(entries),
            Some(_) => Err(wrong(self.place(name), "This must be a list")),
        }
    }

    /// Checks a member of which only one value is supported.
    pub(super) fn only(&mut self, name: &'static str, value: &str) -> Result<(), Error> {
        match self.text(name)? {
            Some(given) if given != value => {
                Err(wrong(self.place(name), format!("The local stack knows only {value} here, not {given}")))
            }
            _ => Ok(()),
        }
    }

    /// Checks that there is no other member.
    pub(super) fn finish(self) -> Result<(), Error> {
        match self.object.keys().find(|name| !self.known.contains(name.as_str())) {
            None => Ok(()),
            Some(name) => Err(wrong(self.place(name), "The local stack does not know this")),
        }
    }
}

/// A text, number or boolean as text.
pub(super) fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_and_booleans_may_be_text() {
        let value = json!({"a": "7", "b": 7, "c": "true", "d": "seven", "e": [1], "f": null});
        let mut members = Members::of("P", &value).unwrap();
        assert_eq!(members.number::<u64>("a").unwrap(), Some(7));
        assert_eq!(members.number::<u64>("b").unwrap(), Some(7));
        assert!(members.flag("c").unwrap());
        assert_eq!(members.number::<u64>("d").unwrap_err().subject.unwrap(), "P.d");
        assert_eq!(members.text("e").unwrap_err().subject.unwrap(), "P.e");
        assert_eq!(members.text("f").unwrap(), None);
        assert!(members.finish().is_ok());
    }

    #[test]
    fn a_member_that_was_not_read_is_an_error() {
        let value = json!({"a": 1, "b": 2, "c": "other"});
        let mut members = Members::of("P", &value).unwrap();
        members.ignore(&["a"]);
        assert_eq!(members.only("c", "this").unwrap_err().subject.unwrap(), "P.c");
        assert_eq!(members.finish().unwrap_err().subject.unwrap(), "P.b");
    }
}
