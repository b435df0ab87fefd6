//! A regular expression that a tenant wrote: checked when it is saved, compiled when it is first used.

use std::sync::OnceLock;

use regex::{Regex, RegexBuilder};
use serde::{Deserialize, Serialize};

/// The compiled size of a pattern, in bytes; a larger one is refused.
const MOST_COMPILED_BYTES: usize = 256 * 1024;

/// How long a pattern may be, in characters.
const MOST_CHARACTERS: usize = 512;

/// A pattern as written. It finds its match anywhere in a text, unless it has `^` and `$`.
///
/// Reading a stored pattern does not compile it: a push reads every pattern of a component and uses few.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct Pattern {
    said: String,
    compiled: OnceLock<Option<Regex>>,
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.said == other.said
    }
}

impl From<String> for Pattern {
    fn from(said: String) -> Self {
        Self { said, compiled: OnceLock::new() }
    }
}

impl From<Pattern> for String {
    fn from(pattern: Pattern) -> Self {
        pattern.said
    }
}

impl Pattern {
    /// Reads a pattern that is to be saved.
    ///
    /// # Errors
    /// What is wrong with it: no expression, too long, or too large when compiled.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Err("must not be empty".to_owned());
        }
        if text.chars().count() > MOST_CHARACTERS {
            return Err(format!("must have at most {MOST_CHARACTERS} characters"));
        }
        let compiled = compile(text).map_err(|error| format!("is not a regular expression: {error}"))?;
        Ok(Self { said: text.to_owned(), compiled: OnceLock::from(Some(compiled)) })
    }

    /// Whether it finds something in the text. A stored pattern that no longer compiles finds nothing.
    #[must_use]
    pub fn is_match(&self, text: &str) -> bool {
        let compiled = self.compiled.get_or_init(|| compile(&self.said).ok());
        compiled.as_ref().is_some_and(|pattern| pattern.is_match(text))
    }
}

fn compile(text: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(text).size_limit(MOST_COMPILED_BYTES).build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_finds_its_match_anywhere_unless_anchored() {
        assert!(Pattern::parse("rc").unwrap().is_match("v1.0.0-rc.1"));
        assert!(!Pattern::parse("^rc$").unwrap().is_match("v1.0.0-rc.1"));
    }

    #[test]
    fn what_is_no_expression_or_too_large_is_refused() {
        let long = "a".repeat(MOST_CHARACTERS + 1);
        for text in ["", "(", "(a{1000}){1000}", "\\", &long] {
            assert!(Pattern::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_stored_pattern_works_as_the_saved_one_and_a_broken_one_finds_nothing() {
        let stored = serde_json::to_string(&Pattern::parse("^v").unwrap()).unwrap();
        let read: Pattern = serde_json::from_str(&stored).unwrap();
        assert_eq!(stored, "\"^v\"");
        assert!(read.is_match("v1") && !read.is_match("1"));
        assert!(!Pattern::from("(".to_owned()).is_match("("));
    }
}
