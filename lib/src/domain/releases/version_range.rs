//! Ranges of semantic versions, by which triggers select tags.

use semver::VersionReq;
use serde::{Deserialize, Serialize};

use super::tag_version::version_of;

/// The maximum length of a range, in characters.
const MAX_CHARACTERS: usize = 200;

/// A range of semantic versions, in [Cargo's syntax]: comparisons that are separated by commas, as in `>=1.2,
/// <2`.
///
/// [Cargo's syntax]: https://doc.rust-lang.org/cargo/reference/specifying-dependencies.html
///
/// A tag has the version of [`version_of`]: a leading `v` does not count, and neither do leading zeros, a
/// fourth number and the build. A pre-release is in the range only if the range names a
/// pre-release of the same three numbers. A tag that names no version is in no range.
///
/// ```
/// use stella::domain::releases::version_range::VersionRange;
///
/// let has = |range, tag| VersionRange::parse(range).unwrap().has(tag);
/// assert!(has("^1.2", "v1.9.0") && !has("^1.2", "v2.0.0"));
/// assert!(!has(">=1.0.0", "1.1.0-rc.1"));
/// assert!(has(">=1.1.0-rc.1", "1.1.0-rc.2") && !has(">=1.1.0-rc.1", "1.2.0-rc.1"));
/// assert!(has(">=24.4", "24.04") && has("=1.2.3", "1.2.3.4"));
/// assert!(!has("*", "latest"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct VersionRange {
    text: String,
    range: VersionReq,
}

impl TryFrom<String> for VersionRange {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let range =
            VersionReq::parse(&text).map_err(|error| format!("is not a range of versions: {error}"))?;
        Ok(Self { text, range })
    }
}

impl From<VersionRange> for String {
    fn from(range: VersionRange) -> Self {
        range.text
    }
}

impl VersionRange {
    /// Parses a range.
    ///
    /// # Errors
    /// What is wrong with it: it is not a range, or it is too long.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.chars().count() > MAX_CHARACTERS {
            return Err(format!("must have at most {MAX_CHARACTERS} characters"));
        }
        let range =
            VersionReq::parse(text).map_err(|error| format!("is not a range of versions: {error}"))?;
        Ok(Self { text: text.to_owned(), range })
    }

    /// Whether the tag names a version in the range.
    #[must_use]
    pub fn has(&self, tag: &str) -> bool {
        version_of(tag).is_some_and(|version| self.range.matches(&version))
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
            ("^1.2", "1.2.3_build.5", true),
            (">=2024.1.15", "2024.01.15", true),
            (">=2024.1.16", "2024.01.15", false),
            ("24.4", "24.04", true),
            ("*", "24.04-rc1", false),
            ("=1.2.0", "1.2", true),
            ("=1.2.3", "1.2.3.4", true),
            (">1.2.3", "1.2.3.4", false),
            ("*", "20240115.3", false),
            ("*", "1234", false),
        ] {
            assert_eq!(VersionRange::parse(range).unwrap().has(tag), expected, "{range} {tag}");
        }
    }

    #[test]
    fn malformed_ranges_are_refused() {
        let long = ">=1, ".repeat(41);
        for text in ["", "one", "1 || 2", ">=1 <2", "v1", &long] {
            assert!(VersionRange::parse(text).is_err(), "{text}");
        }
    }
}
