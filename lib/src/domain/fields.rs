//! Reads a JSON object member by member and collects every mistake, not only the first.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::error::{Error, FieldError};

/// A JSON object being read. Each reader takes one member and notes what is wrong with it; `finish`
/// refuses members that nobody asked for, and then the whole when anything was wrong.
pub struct Fields<'a> {
    prefix: String,
    object: Option<&'a Map<String, Value>>,
    known: BTreeSet<&'static str>,
    errors: Vec<FieldError>,
}

impl<'a> Fields<'a> {
    /// Starts reading a request's body.
    #[must_use]
    pub fn of(body: &'a Value) -> Self {
        Self::at(String::new(), body)
    }

    fn at(prefix: String, value: &'a Value) -> Self {
        let mut fields =
            Self { prefix, object: value.as_object(), known: BTreeSet::new(), errors: Vec::new() };
        if fields.object.is_none() {
            let field = fields.prefix.trim_end_matches('.').to_owned();
            fields.errors.push(FieldError { field, message: "must be an object".to_owned() });
        }
        fields
    }

    /// Notes a mistake in `name`.
    pub fn wrong(&mut self, name: &str, message: impl Into<String>) {
        self.errors.push(FieldError { field: format!("{}{name}", self.prefix), message: message.into() });
    }

    /// The member as it is; absent and `null` are the same.
    pub fn value(&mut self, name: &'static str) -> Option<&'a Value> {
        self.known.insert(name);
        self.object.and_then(|object| object.get(name)).filter(|value| !value.is_null())
    }

    /// A member that `read` turns into a `T`; what `read` returns as an error is noted.
    pub fn read<T>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(&'a Value) -> Result<T, String>,
    ) -> Option<T> {
        let value = self.value(name)?;
        match read(value) {
            Ok(read) => Some(read),
            Err(message) => {
                self.wrong(name, message);
                None
            }
        }
    }

    /// A text of 1 to `max` characters.
    pub fn text(&mut self, name: &'static str, max: usize) -> Option<String> {
        self.read(name, |value| {
            let text = value.as_str().ok_or("must be a string")?;
            match text.chars().count() {
                0 => Err("must not be empty".to_owned()),
                count if count > max => Err(format!("must have at most {max} characters")),
                _ => Ok(text.to_owned()),
            }
        })
    }

    /// A text that must be there.
    pub fn required_text(&mut self, name: &'static str, max: usize) -> String {
        self.require(name);
        self.text(name, max).unwrap_or_default()
    }

    /// A whole number between two bounds, both included.
    pub fn integer(&mut self, name: &'static str, min: u64, max: u64) -> Option<u64> {
        self.read(name, |value| {
            value
                .as_u64()
                .filter(|number| (min..=max).contains(number))
                .ok_or_else(|| format!("must be a whole number from {min} to {max}"))
        })
    }

    /// `true` or `false`.
    pub fn boolean(&mut self, name: &'static str) -> Option<bool> {
        self.read(name, |value| value.as_bool().ok_or_else(|| "must be true or false".to_owned()))
    }

    /// One of a closed set of names.
    pub fn one_of<T: Copy>(&mut self, name: &'static str, choices: &[(&'static str, T)]) -> Option<T> {
        self.read(name, |value| {
            value
                .as_str()
                .and_then(|text| choices.iter().find(|(choice, _)| *choice == text))
                .map(|(_, kind)| *kind)
                .ok_or_else(|| {
                    let names: Vec<&str> = choices.iter().map(|(choice, _)| *choice).collect();
                    format!("must be one of {}", names.join(", "))
                })
        })
    }

    /// A list of at most `max` entries; `read` gets each, and its mistakes are noted as `name[3]`.
    pub fn list<T>(
        &mut self,
        name: &'static str,
        max: usize,
        mut read: impl FnMut(&'a Value) -> Result<T, String>,
    ) -> Option<Vec<T>> {
        let value = self.value(name)?;
        let Some(entries) = value.as_array() else {
            self.wrong(name, "must be a list");
            return None;
        };
        if entries.len() > max {
            self.wrong(name, format!("must have at most {max} entries"));
            return None;
        }
        let mut list = Vec::with_capacity(entries.len());
        for (index, entry) in entries.iter().enumerate() {
            match read(entry) {
                Ok(item) => list.push(item),
                Err(message) => self.wrong(&format!("{name}[{index}]"), message),
            }
        }
        Some(list)
    }

    /// A list of objects; `read` reads the members of each, whose mistakes are noted as `name[3].member`.
    pub fn objects<T>(
        &mut self,
        name: &'static str,
        max: usize,
        mut read: impl FnMut(&mut Fields<'a>) -> Option<T>,
    ) -> Option<Vec<T>> {
        let value = self.value(name)?;
        let Some(entries) = value.as_array() else {
            self.wrong(name, "must be a list");
            return None;
        };
        if entries.len() > max {
            self.wrong(name, format!("must have at most {max} entries"));
            return None;
        }
        let mut list = Vec::with_capacity(entries.len());
        for (index, entry) in entries.iter().enumerate() {
            let mut fields = Fields::at(format!("{}{name}[{index}].", self.prefix), entry);
            let item = read(&mut fields);
            self.errors.extend(fields.into_errors());
            list.extend(item);
        }
        Some(list)
    }

    /// A member that is an object of its own; mistakes inside it are noted as `name.member`.
    pub fn object<T>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(&mut Fields<'a>) -> Option<T>,
    ) -> Option<T> {
        let value = self.value(name)?;
        let mut fields = Fields::at(format!("{}{name}.", self.prefix), value);
        let item = read(&mut fields);
        self.errors.extend(fields.into_errors());
        item
    }

    /// Notes a mistake when `name` is absent.
    pub fn require(&mut self, name: &'static str) {
        if self.object.is_some() && self.value(name).is_none() {
            self.wrong(name, "is required");
        }
    }

    fn into_errors(mut self) -> Vec<FieldError> {
        let unknown: Vec<String> = self
            .object
            .map(|object| object.keys().filter(|name| !self.known.contains(name.as_str())).cloned().collect())
            .unwrap_or_default();
        for name in unknown {
            self.wrong(&name, "is not a member of this request");
        }
        self.errors
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// Unprocessable with every mistake, when there is one.
    pub fn finish(self) -> Result<(), Error> {
        let errors = self.into_errors();
        if errors.is_empty() { Ok(()) } else { Err(Error::unprocessable(errors)) }
    }
}
