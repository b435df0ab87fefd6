//! Ranges of semantic versions, by which triggers select tags.

use semver::VersionReq;
use serde::{Deserialize, Serialize};

use super::channel::semantic_version;

/// How long a range may be, in characters.
const MAX_CHARACTERS: usize = 200;

/// A range of semantic versions as said, such as `>=1.2, <2`.
///
/// A leading `v` of the tag does not count. A pre-release is in the range only if the range itself names a
/// pre-release of the same three numbers: `>=1.0.0` has `1.1.0` and not `1.1.0-rc.1`, `>=1.1.0-rc.1` has
/// both. A tag that is no semantic version is in no range.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct VersionRange {
    said: String,
    range: VersionReq,
}

impl TryFrom<String> for VersionRange {
    type Error = String;

    fn try_from(said: String) -> Result<Self, String> {
        let range =
            VersionReq::parse(&said).map_err(|error| format!("is not a range of versions: {error}"))?;
        Ok(Self { said, range })
    }
}

impl From<VersionRange> for String {
    fn from(range: VersionRange) -> Self {
        range.said
    }
}

impl VersionRange {
    /// Reads a range: comparisons with commas between, as Cargo writes them.
    ///
    /// # Errors
    /// What is wrong with it: no range, or too long.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.chars().count() > MAX_CHARACTERS {
            return Err(format!("must have at most {MAX_CHARACTERS} characters"));
        }
        let range =
            VersionReq::parse(text).map_err(|error| format!("is not a range of versions: {error}"))?;
        Ok(Self { said: text.to_owned(), range })
    }

    /// Whether the tag is a version in the range.
    #[must_use]
    pub fn has(&self, tag: &str) -> bool {
        semantic_version(tag).is_some_and(|version| self.range.matches(&version))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pre_release_is_in_a_range_that_names_one_of_the_same_numbers() {
        for (range, tag, expected) in [
            (">=1.0.0", "v1.1.0", true),
            (">=1.0.0", "1.1.0-rc.1", false),
            (">=1.1.0-rc.1", "1.1.0-rc.2", true),
            (">=1.1.0-rc.1", "1.2.0-rc.1", false),
            (">=1.1.0-rc.1", "v1.2.0", true),
            ("1.2", "1.9.0", true),
            ("=1.2.0", "V1.2.0", true),
            ("~1.2", "1.3.0", false),
            (">=1.2, <2", "2.0.0", false),
        ] {
            assert_eq!(VersionRange::parse(range).unwrap().has(tag), expected, "{range} {tag}");
        }
    }

    #[test]
    fn what_is_no_range_is_refused() {
        let long = ">=1, ".repeat(41);
        for text in ["", "one", "1 || 2", ">=1 <2", "v1", &long] {
            assert!(VersionRange::parse(text).is_err(), "{text}");
        }
    }
}
