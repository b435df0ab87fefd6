//! A regular expression that a tenant wrote: checked when it is saved, compiled when it is first used.

use std::sync::OnceLock;

use serde::{Deserialize, Serialize};

use super::budget::Budget;
use super::program::Program;
use super::{Failure, Verdict};

/// How long a regular expression may be, in characters.
pub const MAX_PATTERN: usize = 1_024;

/// How long one about tags may be, in characters.
const MAX_TAG_PATTERN: usize = 512;

/// A regular expression as written. It finds its match anywhere in a text, unless it has `^` and `$`; `\d`, `\w`,
/// `\s` and `\b` are ASCII, unless it says `(?u)`.
///
/// Reading a stored one does not compile it: a push reads every pattern of a component and uses few. A small one is
/// kept as compiled; a large one is compiled each time, so that a tenant's thousands do not fill the memory.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct Pattern {
    said: String,
    kept: OnceLock<Result<Program, String>>,
}

/// A pattern that is ready to look at texts.
#[derive(Debug)]
pub(in crate::domain) struct Ready<'p>(Held<'p>);

#[derive(Debug)]
enum Held<'p> {
    Kept(&'p Program),
    Made(Box<Program>),
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.said == other.said
    }
}

impl From<String> for Pattern {
    fn from(said: String) -> Self {
        Self { said, kept: OnceLock::new() }
    }
}

impl From<Pattern> for String {
    fn from(pattern: Pattern) -> Self {
        pattern.said
    }
}

impl Pattern {
    /// Reads a regular expression that is to be saved.
    ///
    /// # Errors
    /// What is wrong with it, with its place.
    pub fn parse(text: &str) -> Result<Self, String> {
        let pattern = Self::from(text.to_owned());
        pattern.mistake().map_or(Ok(pattern), Err)
    }

    /// Reads one about tags, which is short and says something.
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
        if self.said.chars().count() > MAX_PATTERN {
            return Err(format!("must have at most {MAX_PATTERN} characters"));
        }
        Program::compile(&self.said)
    }

    /// What is wrong with it, if it was stored and would be refused now.
    #[must_use]
    pub fn mistake(&self) -> Option<String> {
        self.compiled().err().map(str::to_owned)
    }

    /// Makes it ready to look at texts, and counts that.
    ///
    /// # Errors
    /// It is broken, or the budget is used up.
    pub(in crate::domain) fn ready(&self, budget: &mut Budget) -> Result<Ready<'_>, Failure> {
        // With nothing left it is not worth compiling.
        budget.step(1)?;
        let ready = self.compiled().map_err(|_| Failure::Broken)?;
        ready.program().count(budget)?;
        Ok(ready)
    }

    /// Whether it finds something in the text.
    ///
    /// # Errors
    /// What kept it from being found out.
    pub fn finds(&self, text: &str, budget: &mut Budget) -> Result<bool, Failure> {
        self.ready(budget)?.finds(text, budget)
    }

    /// The same as a verdict.
    #[must_use]
    pub fn verdict(&self, text: &str, budget: &mut Budget) -> Verdict {
        self.finds(text, budget).into()
    }

    /// The longest text that it may look at, in bytes.
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

    /// Whether it finds something in the text.
    ///
    /// # Errors
    /// What kept it from being found out.
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
    fn it_finds_its_match_anywhere_unless_anchored() {
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
    fn what_is_no_expression_or_too_large_is_refused_with_its_place() {
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
    fn a_stored_pattern_works_as_the_saved_one_and_a_broken_one_finds_nothing_and_says_why() {
        let stored = serde_json::to_string(&Pattern::parse("^v").unwrap()).unwrap();
        let read: Pattern = serde_json::from_str(&stored).unwrap();
        assert_eq!(stored, "\"^v\"");
        assert_eq!(read.finds("v1", &mut Budget::default()), Ok(true));
        let broken = Pattern::from("(".to_owned());
        assert_eq!(broken.finds("(", &mut Budget::default()), Err(Failure::Broken));
        assert!(broken.mistake().is_some() && read.mistake().is_none());
    }

    #[test]
    fn a_worse_pattern_may_look_at_less_text_and_never_at_less_than_512_bytes() {
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

    /// Expressions of the forms that there are, over a small alphabet.
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
        fn it_finds_what_the_regex_crate_finds(pattern in expressions(), text in "[ab0ß _.\n]{0,12}") {
            // The other crate has no ASCII classes in texts; with these texts they differ only in what ß is.
            let ascii = pattern
                .replace("\\d", "[0-9]").replace("\\W", "[^0-9A-Za-z_]")
                .replace("[\\s\\w]", "[ \n0-9A-Za-z_]")
                .replace("\\b", "(?-u:\\b)").replace("\\B", "(?-u:\\B)");
            let expected = Regex::new(&ascii).unwrap().is_match(&text);
            prop_assert_eq!(finds(&pattern, &text), Ok(expected), "{} in {:?}", pattern, text);
        }

        #[test]
        fn no_text_takes_more_steps_than_the_bound_that_was_computed(pattern in expressions(), text in "[ab0ß ]{0,200}") {
            let program = Program::compile(&pattern).unwrap();
            let mut budget = Budget::default();
            let _ = program.finds(&text, &mut budget);
            let bound = text.len().saturating_add(1).saturating_mul(program.len());
            prop_assert!(budget.spent().1 as usize <= bound, "{} > {bound}", budget.spent().1);
        }

        #[test]
        fn more_steps_never_turn_an_answer_into_another(pattern in expressions(), text in "[ab0ß ]{0,50}", few in 0..500_u32) {
            let pattern = Pattern::parse(&pattern).unwrap();
            let answer = pattern.finds(&text, &mut Budget::default());
            let hurried = pattern.finds(&text, &mut Budget::of(0, few));
            prop_assert!(hurried == answer || hurried == Err(Failure::Steps), "{hurried:?} {answer:?}");
        }
    }
}
