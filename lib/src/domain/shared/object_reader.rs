//! Reads a JSON object member by member and collects every mistake, not only the first. A reader that is run
//! without an object gives the JSON Schema of what it reads.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::object_schema::ObjectSchema;
use crate::error::{Error, FieldError};

/// A JSON object that is being read. Each method reads one member and notes what is wrong with it.
/// [`finish`](Self::finish) also refuses the members that no method asked for, and fails if anything was
/// wrong.
///
/// ```
/// use serde_json::json;
/// use stella::domain::shared::object_reader::ObjectReader;
///
/// let read = |fields: &mut ObjectReader<'_>| {
///     let name = fields.required_text("name", 200);
///     let retries = fields.integer("retries", 0, 20).unwrap_or(3);
///     Some((name, retries))
/// };
/// let body = json!({"name": "a"});
/// assert_eq!(ObjectReader::whole(&body, read).unwrap(), ("a".to_owned(), 3));
///
/// let body = json!({"retries": 21, "colour": "red"});
/// let error = ObjectReader::whole(&body, read).unwrap_err();
/// let places: Vec<&str> = error.errors.iter().map(|error| error.field.as_str()).collect();
/// assert_eq!(places, ["name", "retries", "colour"]);
/// ```
pub struct ObjectReader<'a> {
    prefix: String,
    object: Option<&'a Map<String, Value>>,
    known: BTreeSet<&'static str>,
    errors: Vec<FieldError>,
    shape: Option<ObjectSchema>,
}

/// A variant of an object: its name and its reader. See [`ObjectReader::kind`].
pub type Variant<T> = (&'static str, fn(&mut ObjectReader<'_>) -> Option<T>);

impl<'a> ObjectReader<'a> {
    /// Reads the whole body of a request.
    ///
    /// # Errors
    /// Unprocessable with every mistake, if there is one.
    pub fn whole<T>(body: &'a Value, read: impl FnOnce(&mut Self) -> Option<T>) -> Result<T, Error> {
        let mut fields = Self::of(body);
        let item = read(&mut fields);
        fields.finish()?;
        item.ok_or_else(|| Error::fault("a body without a mistake could not be read"))
    }

    /// The JSON Schema of what `read` reads.
    pub fn schema_of<T>(read: impl FnOnce(&mut Self) -> Option<T>) -> Value {
        let mut fields = Self::unread();
        let _ = read(&mut fields);
        fields.shape.unwrap_or_default().schema()
    }

    /// A reader without an object: it only notes which members it is asked for.
    fn unread() -> Self {
        let (prefix, known, errors) = (String::new(), BTreeSet::new(), Vec::new());
        Self { prefix, object: None, known, errors, shape: Some(ObjectSchema::default()) }
    }

    /// Starts to read the body of a request.
    #[must_use]
    pub fn of(body: &'a Value) -> Self {
        Self::at(String::new(), body)
    }

    fn at(prefix: String, value: &'a Value) -> Self {
        let (known, errors) = (BTreeSet::new(), Vec::new());
        let mut fields = Self { prefix, object: value.as_object(), known, errors, shape: None };
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

    /// Notes the schema of a member, if the reader is run for the schema.
    fn member(&mut self, name: &'static str, schema: impl FnOnce() -> Value) {
        if let Some(shape) = &mut self.shape {
            shape.member(name, schema());
        }
    }

    /// Notes for the schema what a member means, where no answer has a member of the same name and meaning.
    pub fn describe(&mut self, name: &'static str, description: &'static str) {
        if let Some(shape) = &mut self.shape {
            shape.note(name, "description", json!(description));
        }
    }

    /// Notes for the schema what a member is if it is absent.
    fn default(&mut self, name: &'static str, value: impl FnOnce() -> Value) {
        if let Some(shape) = &mut self.shape {
            shape.note(name, "default", value());
        }
    }

    fn take(&mut self, name: &'static str) -> Option<&'a Value> {
        self.known.insert(name);
        self.object.and_then(|object| object.get(name)).filter(|value| !value.is_null())
    }

    /// Whether a member is present and not `null`.
    #[must_use]
    pub fn is_given(&self, name: &str) -> bool {
        self.object.and_then(|object| object.get(name)).is_some_and(|value| !value.is_null())
    }

    /// Any JSON value. `null` is the same as absent.
    pub fn value(&mut self, name: &'static str) -> Option<&'a Value> {
        self.member(name, || json!({}));
        self.take(name)
    }

    /// An object whose members may have any name.
    pub fn members(&mut self, name: &'static str) -> Option<&'a Map<String, Value>> {
        self.member(name, || json!({"type": "object"}));
        self.read(name, |value| value.as_object().ok_or_else(|| "must be an object".to_owned()))
    }

    /// A member that `read` turns into a `T`. The error of `read` is noted as a mistake.
    fn read<T>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(&'a Value) -> Result<T, String>,
    ) -> Option<T> {
        let value = self.take(name)?;
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
        self.member(name, || json!({"type": "string", "minLength": 1, "maxLength": max}));
        self.read(name, |value| {
            let text = value.as_str().ok_or("must be a string")?;
            match text.chars().count() {
                0 => Err("must not be empty".to_owned()),
                count if count > max => Err(format!("must have at most {max} characters")),
                _ => Ok(text.to_owned()),
            }
        })
    }

    /// A text of 1 to `max` characters that must be present. If it is not, the result is empty and the
    /// mistake is noted.
    pub fn required_text(&mut self, name: &'static str, max: usize) -> String {
        self.require(name);
        self.text(name, max).unwrap_or_default()
    }

    /// A text that `parse` turns into a `T`. The error of `parse` is noted as a mistake.
    pub fn parsed<T>(
        &mut self,
        name: &'static str,
        parse: impl FnOnce(&'a str) -> Result<T, String>,
    ) -> Option<T> {
        self.member(name, || json!({"type": "string"}));
        self.read(name, |value| parse(value.as_str().ok_or("must be a string")?))
    }

    /// As `parsed`, of a closed set of names.
    pub fn named<T, N: Serialize>(
        &mut self,
        name: &'static str,
        names: impl FnOnce() -> N,
        parse: impl FnOnce(&'a str) -> Result<T, String>,
    ) -> Option<T> {
        self.member(name, || json!({"type": "string", "enum": names()}));
        self.read(name, |value| parse(value.as_str().ok_or("must be a string")?))
    }

    /// A time in RFC 3339 format, in UTC.
    pub fn time(&mut self, name: &'static str) -> Option<DateTime<Utc>> {
        self.member(name, || json!({"type": "string", "format": "date-time"}));
        self.read(name, |value| {
            let read = value.as_str().and_then(|text| DateTime::parse_from_rfc3339(text).ok());
            read.map(|time| time.to_utc())
                .ok_or_else(|| "must be an RFC 3339 time, as in 2026-01-09T10:30:00Z".to_owned())
        })
    }

    /// An integer from `min` to `max`, both included.
    pub fn integer(&mut self, name: &'static str, min: u64, max: u64) -> Option<u64> {
        self.member(name, || json!({"type": "integer", "minimum": min, "maximum": max}));
        self.read(name, |value| {
            value
                .as_u64()
                .filter(|number| (min..=max).contains(number))
                .ok_or_else(|| format!("must be a whole number from {min} to {max}"))
        })
    }

    /// A whole number between two bounds, both included. If it is absent, or wrong, it is the default.
    pub fn integer_or(&mut self, name: &'static str, min: u64, max: u64, default: u64) -> u64 {
        self.default(name, || json!(default));
        self.integer(name, min, max).unwrap_or(default)
    }

    /// `true` or `false`. If it is absent, or wrong, it is the default.
    pub fn boolean_or(&mut self, name: &'static str, default: bool) -> bool {
        self.default(name, || json!(default));
        self.boolean(name).unwrap_or(default)
    }

    /// `true` or `false`.
    pub fn boolean(&mut self, name: &'static str) -> Option<bool> {
        self.member(name, || json!({"type": "boolean"}));
        self.read(name, |value| value.as_bool().ok_or_else(|| "must be true or false".to_owned()))
    }

    /// One of several names. The result is the value that belongs to the name.
    pub fn one_of<T: Copy>(&mut self, name: &'static str, choices: &[(&'static str, T)]) -> Option<T> {
        let names = || choices.iter().map(|(choice, _)| *choice).collect::<Vec<&str>>();
        self.member(name, || json!({"type": "string", "enum": names()}));
        self.read(name, |value| {
            value
                .as_str()
                .and_then(|text| choices.iter().find(|(choice, _)| *choice == text))
                .map(|(_, kind)| *kind)
                .ok_or_else(|| format!("must be one of {}", names().join(", ")))
        })
    }

    /// One of a closed set of names. If it is absent, or wrong, it is the default.
    pub fn one_of_or<T: Copy + PartialEq>(
        &mut self,
        name: &'static str,
        choices: &[(&'static str, T)],
        default: T,
    ) -> T {
        let names = || choices.iter().find(|(_, choice)| *choice == default).map(|(name, _)| *name);
        self.default(name, || json!(names()));
        self.one_of(name, choices).unwrap_or(default)
    }

    /// An object with variants. The member `name` names the variant, whose reader reads the other members.
    pub fn kind<T>(&mut self, name: &'static str, kinds: &[Variant<T>]) -> Option<T> {
        if let Some(shape) = &mut self.shape {
            for (kind, read) in kinds {
                let mut fields = ObjectReader::unread();
                let _ = read(&mut fields);
                shape.kind(name, kind, fields.shape.unwrap_or_default());
            }
        }
        self.require(name);
        let named: Vec<_> = kinds.iter().map(|(name, read)| (*name, *read)).collect();
        let read = self.one_of(name, &named)?;
        read(self)
    }

    /// A list of at most `max` texts. `parse` reads each of them, and its errors are noted at `name[3]`.
    pub fn texts<T>(
        &mut self,
        name: &'static str,
        max: usize,
        parse: impl FnMut(&'a str) -> Result<T, String>,
    ) -> Option<Vec<T>> {
        self.member(name, || json!({"type": "array", "maxItems": max, "items": {"type": "string"}}));
        self.read_texts(name, max, parse)
    }

    /// As `texts`, of a closed set of names.
    pub fn names<T, N: Serialize>(
        &mut self,
        name: &'static str,
        max: usize,
        names: impl FnOnce() -> N,
        parse: impl FnMut(&'a str) -> Result<T, String>,
    ) -> Option<Vec<T>> {
        let items = || json!({"type": "string", "enum": names()});
        self.member(name, || json!({"type": "array", "maxItems": max, "items": items()}));
        self.read_texts(name, max, parse)
    }

    /// A list of at most `max` texts of 1 to `length` characters, or numbers, which are read as they are written.
    pub fn words(&mut self, name: &'static str, max: usize, length: usize) -> Option<Vec<String>> {
        let items = || json!({"type": ["string", "number"], "minLength": 1, "maxLength": length});
        self.member(name, || json!({"type": "array", "maxItems": max, "items": items()}));
        let entries = self.entries(name, max)?;
        let mut words = Vec::with_capacity(entries.len());
        for (index, entry) in entries.iter().enumerate() {
            let word = match entry {
                Value::String(text) => text.trim().to_owned(),
                Value::Number(number) => number.to_string(),
                Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => String::new(),
            };
            if word.is_empty() || word.chars().count() > length {
                let message = format!("must be a text of 1 to {length} characters, or a number");
                self.wrong(&format!("{name}[{index}]"), message);
            }
            words.push(word);
        }
        Some(words)
    }

    fn read_texts<T>(
        &mut self,
        name: &'static str,
        max: usize,
        mut parse: impl FnMut(&'a str) -> Result<T, String>,
    ) -> Option<Vec<T>> {
        let entries = self.entries(name, max)?;
        let mut list = Vec::with_capacity(entries.len());
        for (index, entry) in entries.iter().enumerate() {
            match entry.as_str().ok_or_else(|| "must be a string".to_owned()).and_then(&mut parse) {
                Ok(item) => list.push(item),
                Err(message) => self.wrong(&format!("{name}[{index}]"), message),
            }
        }
        Some(list)
    }

    /// A list of at most `max` objects. `read` reads the members of each, whose mistakes are noted at
    /// `name[3].member`.
    pub fn objects<T>(
        &mut self,
        name: &'static str,
        max: usize,
        mut read: impl FnMut(&mut ObjectReader<'a>) -> Option<T>,
    ) -> Option<Vec<T>> {
        self.member(
            name,
            || json!({"type": "array", "maxItems": max, "items": ObjectReader::schema_of(&mut read)}),
        );
        let entries = self.entries(name, max)?;
        let mut list = Vec::with_capacity(entries.len());
        for (index, entry) in entries.iter().enumerate() {
            let mut fields = ObjectReader::at(format!("{}{name}[{index}].", self.prefix), entry);
            let item = read(&mut fields);
            self.errors.extend(fields.into_errors());
            list.extend(item);
        }
        Some(list)
    }

    fn entries(&mut self, name: &'static str, max: usize) -> Option<&'a Vec<Value>> {
        self.read(name, |value| {
            let entries = value.as_array().ok_or("must be a list")?;
            if entries.len() > max { Err(format!("must have at most {max} entries")) } else { Ok(entries) }
        })
    }

    /// A member that is an object. Mistakes inside it are noted at `name.member`.
    pub fn object<T>(
        &mut self,
        name: &'static str,
        mut read: impl FnMut(&mut ObjectReader<'a>) -> Option<T>,
    ) -> Option<T> {
        self.member(name, || ObjectReader::schema_of(&mut read));
        let value = self.take(name)?;
        let mut fields = ObjectReader::at(format!("{}{name}.", self.prefix), value);
        let item = read(&mut fields);
        self.errors.extend(fields.into_errors());
        item
    }

    /// Notes a mistake if `name` is absent.
    pub fn require(&mut self, name: &'static str) {
        if let Some(shape) = &mut self.shape {
            shape.require(name);
        }
        if self.object.is_some() && self.take(name).is_none() {
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

    /// Ends the reading. Members that were not asked for are mistakes, too.
    ///
    /// # Errors
    /// Unprocessable with every mistake, if there is one.
    pub fn finish(self) -> Result<(), Error> {
        let errors = self.into_errors();
        if errors.is_empty() { Ok(()) } else { Err(Error::unprocessable(errors)) }
    }
}
