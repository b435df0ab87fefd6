//! Regular expressions that tenants write: checked when they are saved, compiled when they are first used.

use std::sync::OnceLock;

use serde::{Deserialize, Serialize};

use super::budget::Budget;
use super::program::Program;
use super::{Failure, Verdict};

/// The maximum length of a regular expression, in characters.
pub const MAX_PATTERN: usize = 1_024;

/// The maximum length of a regular expression for tags, in characters.
const MAX_TAG_PATTERN: usize = 512;

/// A regular expression, in the syntax of the crate `regex`. It finds a match anywhere in a text, unless it
/// has `^` and `$`. `\d`, `\w`, `\s` and `\b` are ASCII, unless it has `(?u)`.
///
/// ```
/// use stella::domain::shared::expression::{Budget, Pattern};
///
/// let finds = |pattern, text| Pattern::parse(pattern).unwrap().finds(text, &mut Budget::default());
/// assert_eq!(finds("rc", "v1.0.0-rc.1"), Ok(true));
/// assert_eq!(finds("^rc$", "v1.0.0-rc.1"), Ok(false));
/// assert_eq!(finds("^\\d$", "७"), Ok(false));
///
/// assert!(Pattern::parse("(a{1000}){1000}").is_err(), "it is too large");
/// ```
///
/// Reading a stored pattern does not compile it: a push reads every pattern of a component and uses few. A
/// small compiled pattern is kept; a large one is compiled for each use, so that a tenant's thousands of
/// patterns do not fill the memory.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct Pattern {
    text: String,
    kept: OnceLock<Result<Program, String>>,
}

/// A compiled pattern.
#[derive(Debug)]
pub(in crate::domain) struct Ready<'p>(Held<'p>);

#[derive(Debug)]
enum Held<'p> {
    Kept(&'p Program),
    Made(Box<Program>),
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl From<String> for Pattern {
    fn from(text: String) -> Self {
        Self { text, kept: OnceLock::new() }
    }
}

impl From<Pattern> for String {
    fn from(pattern: Pattern) -> Self {
        pattern.text
    }
}

impl Pattern {
    /// Parses a regular expression that is to be saved.
    ///
    /// # Errors
    /// What is wrong with it, with its place.
    pub fn parse(text: &str) -> Result<Self, String> {
        let pattern = Self::from(text.to_owned());
        pattern.mistake().map_or(Ok(pattern), Err)
    }

    /// Parses a regular expression for tags: not empty, and at most 512 characters.
    ///
    /// # Errors
    /// What is wrong with it, with its place.
    pub fn of_tags(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Err("must not be empty".to_owned());
        }
        if text.chars().count() > MAX_TAG_PATTERN {
            return Err(format!("must have at most {MAX_TAG_PATTERN} characters"));
        }
        Self::parse(text)
    }

    fn compiled(&self) -> Result<Ready<'_>, &str> {
        if self.kept.get().is_none() {
            match self.compile() {
                Ok(program) if !program.is_small() => return Ok(Ready(Held::Made(Box::new(program)))),
                small_or_wrong => {
                    let _ = self.kept.set(small_or_wrong);
                }
            }
        }
        match self.kept.get() {
            Some(Ok(program)) => Ok(Ready(Held::Kept(program))),
            Some(Err(mistake)) => Err(mistake),
            None => Err("is not a regular expression"),
        }
    }

    fn compile(&self) -> Result<Program, String> {
        if self.text.chars().count() > MAX_PATTERN {
            return Err(format!("must have at most {MAX_PATTERN} characters"));
        }
        Program::compile(&self.text)
    }

    /// What is wrong with the pattern, if it was stored and would be refused now.
    #[must_use]
    pub fn mistake(&self) -> Option<String> {
        self.compiled().err().map(str::to_owned)
    }

    /// Compiles the pattern, if needed, and counts that in any case.
    ///
    /// # Errors
    /// The pattern is broken, or the budget is used up.
    pub(in crate::domain) fn ready(&self, budget: &mut Budget) -> Result<Ready<'_>, Failure> {
        // Without any budget left, it is not compiled.
        budget.step(1)?;
        let ready = self.compiled().map_err(|_| Failure::Broken)?;
        ready.program().count(budget)?;
        Ok(ready)
    }

    /// Whether the pattern finds a match in the text.
    ///
    /// # Errors
    /// Why the search was stopped.
    pub fn finds(&self, text: &str, budget: &mut Budget) -> Result<bool, Failure> {
        self.ready(budget)?.finds(text, budget)
    }

    /// The result of [`finds`](Self::finds) as a verdict.
    #[must_use]
    pub fn verdict(&self, text: &str, budget: &mut Budget) -> Verdict {
        self.finds(text, budget).into()
    }

    /// The longest text that the pattern may search, in bytes: at least 512.
    #[must_use]
    pub fn max_text(&self) -> usize {
        self.compiled().map_or(0, |ready| ready.program().max_text())
    }
}

impl Ready<'_> {
    fn program(&self) -> &Program {
        match &self.0 {
            Held::Kept(program) => program,
            Held::Made(program) => program,
        }
    }

    /// Whether the pattern finds a match in the text.
    ///
    /// # Errors
    /// Why the search was stopped.
    pub(in crate::domain) fn finds(&self, text: &str, budget: &mut Budget) -> Result<bool, Failure> {
        self.program().finds(text, budget)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use regex::Regex;

    use super::*;
    use crate::domain::shared::expression::MAX_COMPILED_BYTES;
    use crate::domain::shared::expression::{MAX_STEPS, program::MIN_TEXT};

    fn finds(pattern: &str, text: &str) -> Result<bool, Failure> {
        Pattern::parse(pattern).expect(pattern).finds(text, &mut Budget::default())
    }

    #[test]
    fn a_match_is_found_anywhere_unless_anchored() {
        for (pattern, text, expected) in [
            ("rc", "v1.0.0-rc.1", true),
            ("^rc$", "v1.0.0-rc.1", false),
            ("^v1\\.", "v1.2", true),
            ("", "", true),
            ("^$", "a", false),
            ("(?i)^RELEASE", "release/7", true),
            ("a.c", "aßc", true),
            ("^[^a]$", "ß", true),
            ("\\bfix\\b", "a fix!", true),
            ("\\bfix\\b", "prefix", false),
            ("(?m)^b$", "a\nb\nc", true),
        ] {
            let pattern = pattern.replace("\\\\", "\\");
            assert_eq!(finds(&pattern, text), Ok(expected), "{pattern} in {text}");
        }
    }

    #[test]
    fn classes_are_ascii_unless_unicode_is_asked_for() {
        for (class, ascii, other) in [("d", "7", "७"), ("w", "x", "ß"), ("s", " ", "\u{2003}")] {
            assert_eq!(finds(&format!("^\\{class}$"), ascii), Ok(true));
            assert_eq!(finds(&format!("^\\{class}$"), other), Ok(false));
            assert_eq!(finds(&format!("^[\\{class}_]$"), other), Ok(false));
            assert_eq!(finds(&format!("^\\{}$", class.to_uppercase()), other), Ok(true));
            assert_eq!(finds(&format!("(?u)^\\{class}$"), other), Ok(true));
            assert_eq!(finds(&format!("^(?u:\\{class})$"), other), Ok(true));
            assert_eq!(finds(&format!("^(?:(?u)x)?\\{class}$"), other), Ok(false), "it ends with its group");
        }
    }

    #[test]
    fn malformed_and_large_patterns_are_refused_with_their_place() {
        for (pattern, mistake) in [
            ("(", "unclosed group (at character 1)"),
            ("ab(?<n>x", "unclosed group (at character 3)"),
            ("\\", "incomplete escape sequence"),
            ("a**{", "at character"),
            ("(?-u:.)", "at character 6"),
            ("(a{1000}){1000}", "compiled it may have 65536 bytes"),
            ("[01]*1[01]{3000}$.", "too large"),
            ("a{600}", "states"),
            (&r"(?i)[\pL\PL]".repeat(50), "too many Unicode classes"),
        ] {
            let refused = Pattern::parse(pattern).expect_err(pattern);
            assert!(refused.contains(mistake), "{pattern}: {refused}");
        }
        for text in ["", &"a".repeat(MAX_TAG_PATTERN + 1)] {
            assert!(Pattern::of_tags(text).is_err());
        }
        assert!(
            Pattern::parse(&"a?".repeat(MAX_PATTERN)).is_err_and(|mistake| mistake.contains("characters"))
        );
        assert!(Pattern::parse(&"(".repeat(4_000)).is_err());
    }

    #[test]
    fn a_stored_pattern_works_and_a_broken_one_finds_nothing_and_says_why() {
        let stored = serde_json::to_string(&Pattern::parse("^v").unwrap()).unwrap();
        let read: Pattern = serde_json::from_str(&stored).unwrap();
        assert_eq!(stored, "\"^v\"");
        assert_eq!(read.finds("v1", &mut Budget::default()), Ok(true));
        let broken = Pattern::from("(".to_owned());
        assert_eq!(broken.finds("(", &mut Budget::default()), Err(Failure::Broken));
        assert!(broken.mistake().is_some() && read.mistake().is_none());
    }

    #[test]
    fn a_more_expensive_pattern_may_search_less_text_but_at_least_512_bytes() {
        let short = Pattern::parse("^v\\d+$").unwrap();
        assert!(short.max_text() > 16 * 1024, "{}", short.max_text());
        let worst = Pattern::parse("[01]*1[01]{300}$.").unwrap();
        assert!((MIN_TEXT..1_000).contains(&worst.max_text()), "{}", worst.max_text());
        let longest = "1".repeat(worst.max_text());
        let mut budget = Budget::default();
        assert_eq!(worst.finds(&longest, &mut budget), Ok(false));
        assert!(budget.spent().1 > MAX_STEPS / 2, "{:?}", budget.spent());
        let longer = "1".repeat(worst.max_text() + 1);
        assert_eq!(worst.finds(&longer, &mut Budget::default()), Err(Failure::Text));
        assert_eq!(worst.finds(&longest, &mut budget), Err(Failure::Steps), "they add up");
    }

    #[test]
    fn a_compiled_pattern_is_small() {
        for pattern in
            ["(?u)^\\w+$", "[01]*1[01]{300}$.", "(?i)(?u)[\\pL--a]", "^v?\\d+\\.\\d+\\.\\d+(-rc\\.\\d+)?$"]
        {
            let program = Program::compile(pattern).expect(pattern);
            assert!(program.bytes() <= MAX_COMPILED_BYTES, "{pattern}: {}", program.bytes());
        }
        assert!(Program::compile("^v\\d+\\.\\d+\\.\\d+$").unwrap().len() < 20);
    }

    /// Regular expressions of every form, over a small alphabet.
    fn expressions() -> impl Strategy<Value = String> {
        let leaf = prop_oneof![
            "[ab0ß_.^$-]".prop_map(|text| text.replace('-', "\\b")),
            Just("[ab]".to_owned()),
            Just("[^a]".to_owned()),
            Just("\\d".to_owned()),
            Just("\\W".to_owned()),
            Just("[\\s\\w]".to_owned()),
            Just("\\B".to_owned()),
            Just("(?i)A".to_owned()),
            Just("(?s).".to_owned()),
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                (inner.clone(), inner.clone()).prop_map(|(left, right)| format!("{left}{right}")),
                (inner.clone(), inner.clone()).prop_map(|(left, right)| format!("(?:{left}|{right})")),
                inner.clone().prop_map(|of| format!("(?:{of})*")),
                inner.clone().prop_map(|of| format!("(?:{of})?")),
                inner.prop_map(|of| format!("(?:{of}){{1,3}}")),
            ]
        })
    }

    proptest! {
        #[test]
        fn a_pattern_finds_what_the_regex_crate_finds(pattern in expressions(), text in "[ab0ß _.\n]{0,12}") {
            // The other crate has no ASCII classes for texts. With these texts they differ only for ß.
            let ascii = pattern
                .replace("\\d", "[0-9]").replace("\\W", "[^0-9A-Za-z_]")
                .replace("[\\s\\w]", "[ \n0-9A-Za-z_]")
                .replace("\\b", "(?-u:\\b)").replace("\\B", "(?-u:\\B)");
            let expected = Regex::new(&ascii).unwrap().is_match(&text);
            prop_assert_eq!(finds(&pattern, &text), Ok(expected), "{} in {:?}", pattern, text);
        }

        #[test]
        fn no_text_takes_more_steps_than_the_computed_bound(pattern in expressions(), text in "[ab0ß ]{0,200}") {
            let program = Program::compile(&pattern).unwrap();
            let mut budget = Budget::default();
            let _ = program.finds(&text, &mut budget);
            let bound = text.len().saturating_add(1).saturating_mul(program.len());
            prop_assert!(budget.spent().1 as usize <= bound, "{} > {bound}", budget.spent().1);
        }

        #[test]
        fn a_smaller_budget_gives_the_same_answer_or_fails(pattern in expressions(), text in "[ab0ß ]{0,50}", few in 0..500_u32) {
            let pattern = Pattern::parse(&pattern).unwrap();
            let answer = pattern.finds(&text, &mut Budget::default());
            let bounded = pattern.finds(&text, &mut Budget::of(0, few));
            prop_assert!(bounded == answer || bounded == Err(Failure::Steps), "{bounded:?} {answer:?}");
        }
    }
}
