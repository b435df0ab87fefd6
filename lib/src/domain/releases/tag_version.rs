//! The version that a tag names: by semantic versioning, and by the schemes that it does not know.

use semver::{BuildMetadata, Prerelease, Version};

/// The greatest number of digits of the first number, unless the tag is a semantic version. A longer number
/// (`20240115.3`) is a build number or a date, and tells nothing of the maturity.
const MAX_FIRST_DIGITS: usize = 4;

/// Words that begin a pre-release. Some people write `_` before them, which is no build then.
const PRE_RELEASES: [&str; 11] = [
    "alpha",
    "beta",
    "canary",
    "dev",
    "milestone",
    "nightly",
    "pre",
    "prerelease",
    "preview",
    "rc",
    "snapshot",
];

/// The version of a tag, with or without a leading `v` or `V`.
///
/// A [semantic version](https://semver.org) is that version. Otherwise:
///
/// - Helm's `_` is `+`, because no image tag may have `+`: `1.2.3_build.5` is `1.2.3+build.5`. If a word for
///   a pre-release follows (`1.2.3_rc1`), the tag has no version.
/// - Leading zeros of the numbers do not count: `2024.01.15` is `2024.1.15`.
/// - A third number that is missing is 0: `24.04` is `24.4.0`.
/// - A fourth number is the first part of the build: `1.2.3.4` is `1.2.3+4`. So ranges compare three numbers,
///   and the order of versions all four.
/// - A pre-release begins with a word, as in `24.04-rc1`. With anything else (`24.04-1`, `1.2-5f3c1d2`) the
///   tag has no version.
/// - A single number, and a first number of more than four digits, are build numbers, and no versions.
///
/// The order of versions is that of [`Version`], which is total and has the precedence of semantic
/// versioning.
///
/// ```
/// use stella::domain::releases::tag_version::version_of;
///
/// let version = |tag| version_of(tag).map(|version| version.to_string());
/// assert_eq!(version("v1.2.3-rc.1").as_deref(), Some("1.2.3-rc.1"));
/// assert_eq!(version("1.2.3_build.5").as_deref(), Some("1.2.3+build.5"));
/// assert_eq!(version("24.04").as_deref(), Some("24.4.0"));
/// assert_eq!(version("1.2.3.4").as_deref(), Some("1.2.3+4"));
/// assert_eq!(version("20240115.3"), None);
/// ```
#[must_use]
pub fn version_of(tag: &str) -> Option<Version> {
    let bare = tag.strip_prefix(['v', 'V']).unwrap_or(tag);
    Version::parse(bare).ok().or_else(|| with_build(bare)).or_else(|| other_version(bare))
}

/// A semantic version that has Helm's `_` for `+`.
fn with_build(text: &str) -> Option<Version> {
    let (before, build) = text.split_once('_').filter(|(_, build)| is_build(build))?;
    Version::parse(&format!("{before}+{build}")).ok()
}

fn other_version(text: &str) -> Option<Version> {
    let (rest, build) = match text.split_once(['+', '_']) {
        Some((rest, build)) if text.contains('+') || is_build(build) => (rest, Some(build)),
        Some(_) => return None,
        None => (text, None),
    };
    let (numbers, pre) = match rest.split_once('-') {
        Some((numbers, pre)) if begins_with_a_word(pre) => (numbers, Prerelease::new(pre).ok()?),
        Some(_) => return None,
        None => (rest, Prerelease::EMPTY),
    };
    let parts: Vec<u64> = numbers.split('.').map(number).collect::<Option<_>>()?;
    let (major, minor, patch, fourth) = match *parts.as_slice() {
        [major, minor] => (major, minor, 0, None),
        [major, minor, patch] => (major, minor, patch, None),
        [major, minor, patch, fourth] => (major, minor, patch, Some(fourth.to_string())),
        _ => return None,
    };
    let first_digits = numbers.split('.').next().map_or(0, str::len);
    if first_digits > MAX_FIRST_DIGITS {
        return None;
    }
    let build: Vec<&str> = fourth.as_deref().into_iter().chain(build).collect();
    if build.iter().any(|part| part.is_empty()) {
        return None;
    }
    let build = BuildMetadata::new(&build.join(".")).ok()?;
    Some(Version { major, minor, patch, pre, build })
}

/// Digits only, without a sign.
fn number(text: &str) -> Option<u64> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None }
}

/// Whether what follows a `_` is a build, and no pre-release.
fn is_build(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    let word = lower.split(|character: char| !character.is_ascii_alphabetic()).next().unwrap_or_default();
    !PRE_RELEASES.contains(&word)
}

/// Whether the first identifier of a pre-release is made of letters, with at most a number behind them, as in
/// `rc1`, `rc-1` and `feature-login`.
fn begins_with_a_word(pre: &str) -> bool {
    let first = pre.split('.').next().unwrap_or_default();
    let word = first.trim_end_matches(|character: char| character.is_ascii_digit());
    word.starts_with(|character: char| character.is_ascii_alphabetic())
        && word.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'-')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn version(tag: &str) -> String {
        version_of(tag).map_or_else(|| "none".to_owned(), |version| version.to_string())
    }

    #[test]
    fn each_scheme_has_its_version() {
        for (tag, expected) in [
            ("1.2.3", "1.2.3"),
            ("v1.2.3-rc.1+build.5", "1.2.3-rc.1+build.5"),
            ("1.2.3_build.5", "1.2.3+build.5"),
            ("v1.2.3-rc.1_5", "1.2.3-rc.1+5"),
            ("1.2.3_rc1", "none"),
            ("1.2.3_RC.1", "none"),
            ("1.2_beta", "none"),
            ("1.2.3_precise", "1.2.3+precise"),
            ("1.2.3_a_b", "none"),
            ("1.2.3_", "none"),
            ("1.2.3.4_", "none"),
            ("1.2.3.4+", "none"),
            ("2024.01.15", "2024.1.15"),
            ("2024.1.15", "2024.1.15"),
            ("2024.01.15_3", "2024.1.15+3"),
            ("24.04", "24.4.0"),
            ("v24.04-rc1", "24.4.0-rc1"),
            ("24.04.00", "24.4.0"),
            ("1.2", "1.2.0"),
            ("1.2.3.4", "1.2.3+4"),
            ("1.2.3.04", "1.2.3+4"),
            ("1.2.3.4-SNAPSHOT", "1.2.3-SNAPSHOT+4"),
            ("1.2.3.4+linux", "1.2.3+4.linux"),
            ("1.2-alpine3", "1.2.0-alpine3"),
            ("1.2-5f3c1d2", "none"),
            ("1.2-b5f3c1d", "none"),
            ("24.04-1", "none"),
            ("24.04-20240115T101010Z", "none"),
            ("1.2-rc.01", "none"),
            ("1.2.3.4.5", "none"),
            ("1", "none"),
            ("v1", "none"),
            ("1234", "none"),
            ("20240115.3", "none"),
            ("20240115.3.1", "20240115.3.1"),
            ("2024-01-15", "none"),
            ("build-1234", "none"),
            ("1..2", "none"),
            ("1.2.", "none"),
            (".1.2", "none"),
            ("+1.2", "none"),
            ("1.+2", "none"),
            ("1.99999999999999999999", "none"),
            ("latest", "none"),
            ("vv1.2", "none"),
            ("", "none"),
            ("١.٢", "none"),
        ] {
            assert_eq!(version(tag), expected, "{tag}");
        }
    }

    /// Tags of two to four numbers with leading zeros, and the numbers.
    fn numbered() -> impl Strategy<Value = (String, Vec<u64>)> {
        let part = (0..3_usize, 0..30_u64);
        proptest::collection::vec(part, 2..5).prop_map(|parts| {
            let text = |(zeros, number): &(usize, u64)| format!("{}{number}", "0".repeat(*zeros));
            let tag: Vec<String> = parts.iter().map(text).collect();
            (tag.join("."), parts.into_iter().map(|(_, number)| number).collect())
        })
    }

    proptest! {
        #[test]
        fn a_semantic_version_is_that_version(
            tag in "(0|[1-9][0-9]{0,9})\\.(0|[1-9][0-9]?)\\.(0|[1-9][0-9]?)(-[a-zA-Z][0-9a-zA-Z-]{0,6}(\\.(0|[1-9][0-9]{0,3})){0,2})?(\\+[0-9a-zA-Z-]{1,6}(\\.[0-9a-zA-Z]{1,4})?)?",
            v in "[vV]?"
        ) {
            let expected = Version::parse(&tag).unwrap();
            prop_assert_eq!(version_of(&format!("{v}{tag}")), Some(expected));
        }

        #[test]
        fn versions_are_ordered_by_their_numbers(left in numbered(), right in numbered()) {
            let padded = |numbers: &[u64]| {
                let third = numbers.get(2).copied().unwrap_or_default();
                (numbers[0], numbers[1], third, numbers.get(3).copied())
            };
            let (left_version, right_version) = (version_of(&left.0).unwrap(), version_of(&right.0).unwrap());
            prop_assert_eq!(left_version.cmp(&right_version), padded(&left.1).cmp(&padded(&right.1)));
        }

        #[test]
        fn the_order_is_that_of_semantic_versioning(
            left in "[0-2]\\.[0-2]\\.[0-2](-(alpha|rc)(\\.[0-9])?)?", right in "0?[0-2]\\.0?[0-2](\\.[0-2])?(-(alpha|rc)(\\.[0-9])?)?"
        ) {
            let left = (version_of(&left).unwrap(), Version::parse(&left).unwrap());
            let right = version_of(&right).unwrap();
            let same = Version::parse(&right.to_string()).unwrap();
            prop_assert_eq!(left.0.cmp_precedence(&right), left.1.cmp_precedence(&same));
            prop_assert_eq!(left.0.cmp(&right), right.cmp(&left.0).reverse());
        }

        #[test]
        fn a_version_reads_as_itself(tag in "[vV]?[0-9a-z._+-]{0,14}") {
            if let Some(version) = version_of(&tag) {
                prop_assert_eq!(version_of(&version.to_string()), Some(version));
            }
        }

        #[test]
        fn any_tag_is_read(tag: String) {
            let _ = version_of(&tag);
        }
    }
}
