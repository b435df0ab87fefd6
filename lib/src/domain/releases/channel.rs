//! Channels: how mature a version is, by its tag. The tag is judged by the component's own rules, or else by
//! the version that it names.

use serde::{Deserialize, Serialize};

use super::tag_version::version_of;
use crate::domain::shared::expression::{Budget, Pattern, Verdict};
use crate::domain::shared::object_reader::ObjectReader;

/// The channel of a version that is no pre-release.
pub const STABLE: &str = "stable";

/// The channel of a tag that does not tell its maturity.
pub const EDGE: &str = "edge";

/// The maximum length of a channel's name, in characters.
const MAX_CHARACTERS: usize = 64;

/// A rule by which tags belong to a channel.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChannelRule {
    /// A regular expression. The rule applies to tags in which it finds a match.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub pattern: Pattern,
    /// The channel of these tags.
    pub channel: String,
}

impl ChannelRule {
    /// Reads the members of one rule.
    pub fn parse(fields: &mut ObjectReader<'_>) -> Option<Self> {
        fields.require("pattern");
        let pattern = fields.parsed("pattern", Pattern::of_tags);
        fields.require("channel");
        let channel = fields.parsed("channel", channel_name);
        Some(Self { pattern: pattern?, channel: channel? })
    }
}

/// Reads the name of a channel, in rules and triggers.
///
/// # Errors
/// What is wrong with it.
pub fn channel_name(text: &str) -> Result<String, String> {
    let is_allowed = |character: char| character.is_ascii_alphanumeric() || "._-".contains(character);
    if text.is_empty() || text.chars().count() > MAX_CHARACTERS || !text.chars().all(is_allowed) {
        return Err(format!("must be 1 to {MAX_CHARACTERS} letters, digits, dots, hyphens or underscores"));
    }
    Ok(text.to_owned())
}

/// What is wrong with stored rules, each with its place, as in `channelRules[2].pattern: …`.
pub fn mistakes(rules: &[ChannelRule]) -> impl Iterator<Item = String> {
    let describe = |(at, rule): (usize, &ChannelRule)| {
        Some(format!("channelRules[{at}].pattern: {}", rule.pattern.mistake()?))
    };
    rules.iter().enumerate().filter_map(describe)
}

/// The channel of a tag.
///
/// The first rule whose pattern finds a match decides. A rule whose evaluation fails is skipped, and noted in
/// the budget. Without a match, the version of the tag decides (see [`version_of`]):
///
/// - A version without pre-release is [`STABLE`].
/// - A pre-release has the name of its first identifier, in lower case and without the number at its end:
///   `1.0.0-rc.1`, `1.0.0-rc1` and `1.0.0-RC-1` are all `rc`, because nobody means three channels by them.
/// - A time in the identifier, and what follows it, does not count either:
///   `1.0.0-nightly-20240115T101010Z` is `nightly`. Otherwise each build would have a channel of its own.
/// - A pre-release that is only a number or a time, and a tag that names no version, are [`EDGE`].
///
/// ```
/// use stella::domain::releases::channel::{ChannelRule, channel_of};
/// use stella::domain::shared::expression::{Budget, Pattern};
///
/// let channel = |rules: &[ChannelRule], tag: &str| channel_of(rules, tag, &mut Budget::default());
/// assert_eq!(channel(&[], "v1.2.0"), "stable");
/// assert_eq!(channel(&[], "v1.2.0-RC-1"), "rc");
/// assert_eq!(channel(&[], "latest"), "edge");
///
/// let pattern = Pattern::parse("^nightly-").unwrap();
/// let rules = [ChannelRule { pattern, channel: "nightly".to_owned() }];
/// assert_eq!(channel(&rules, "nightly-2026-01-09"), "nightly");
/// assert_eq!(channel(&rules, "v1.2.0"), "stable");
/// ```
#[must_use]
pub fn channel_of(rules: &[ChannelRule], tag: &str, budget: &mut Budget) -> String {
    for (at, rule) in rules.iter().enumerate() {
        match rule.pattern.verdict(tag, budget) {
            Verdict::Matches => return rule.channel.clone(),
            Verdict::Differs => {}
            Verdict::Failed(failure) => budget.note(&format!("channelRules[{at}].pattern"), failure),
        }
    }
    match version_of(tag) {
        Some(version) if version.pre.is_empty() => STABLE.to_owned(),
        Some(version) => channel_of_pre_release(&version.pre),
        None => EDGE.to_owned(),
    }
}

fn channel_of_pre_release(pre: &str) -> String {
    let first = pre.split('.').next().unwrap_or_default().to_lowercase();
    let first = without_time(&first);
    let letters = first.trim_end_matches(|character: char| character.is_ascii_digit());
    match letters.trim_end_matches('-') {
        "" => EDGE.to_owned(),
        letters if letters.bytes().all(|byte| byte.is_ascii_lowercase()) => letters.to_owned(),
        _ => first.to_owned(),
    }
}

/// An identifier in lower case up to a time in it, and without the hyphens before that.
fn without_time(identifier: &str) -> &str {
    let mut is_in_number = false;
    for (at, byte) in identifier.bytes().enumerate() {
        let is_digit = byte.is_ascii_digit();
        if is_digit && !is_in_number && identifier.get(at..).is_some_and(begins_with_time) {
            return identifier.get(..at).unwrap_or_default().trim_end_matches('-');
        }
        is_in_number = is_digit;
    }
    identifier
}

/// Whether a text in lower case begins with a date from 1970 to 2199 (`20240115` or `2024-01-15`), with or
/// without a time of day (`t101010z`, `101010`, `t10-10-10z`), and then ends or goes on with a hyphen, as
/// Go's pseudo-versions do (`20191109021931-daa7c04131f5`).
fn begins_with_time(text: &str) -> bool {
    let Some((date, rest)) = date_of(text) else { return false };
    let is_date = matches!(date, [1970..=2199, 1..=12, 1..=31]);
    let digits = rest.strip_prefix('t').unwrap_or(rest);
    let after = digits.trim_start_matches(|character: char| character.is_ascii_digit());
    let after = after.strip_prefix('z').unwrap_or(after);
    is_date && (after.is_empty() || after.starts_with('-'))
}

/// Year, month and day that a text begins with, and the rest.
fn date_of(text: &str) -> Option<([u32; 3], &str)> {
    let number = |digits: &str| {
        digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok()).flatten()
    };
    let (year, rest) = text.split_at_checked(4)?;
    let separator = if rest.starts_with('-') { "-" } else { "" };
    let (month, rest) = rest.strip_prefix(separator)?.split_at_checked(2)?;
    let (day, rest) = rest.strip_prefix(separator)?.split_at_checked(2)?;
    Some(([number(year)?, number(month)?, number(day)?], rest))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn rules(body: &Value) -> Result<Vec<ChannelRule>, Vec<String>> {
        let mut fields = ObjectReader::of(body);
        let rules = fields.objects("channelRules", 50, ChannelRule::parse);
        match fields.finish() {
            Ok(()) => Ok(rules.unwrap_or_default()),
            Err(error) => Err(error.errors.into_iter().map(|error| error.field).collect()),
        }
    }

    fn of(rules: &[ChannelRule], tag: &str) -> String {
        channel_of(rules, tag, &mut Budget::default())
    }

    #[test]
    fn a_stored_rule_that_would_be_refused_now_is_skipped_and_noted() {
        let stored = json!([{"pattern": "(", "channel": "a"}, {"pattern": "^v1", "channel": "b"}]);
        let rules: Vec<ChannelRule> = serde_json::from_value(stored).unwrap();
        let mut budget = Budget::default();
        assert_eq!(channel_of(&rules, "v1", &mut budget), "b");
        assert!(budget.take_failures().unwrap().message.starts_with("channelRules[0].pattern was accepted"));
    }

    #[test]
    fn by_default_a_tag_has_the_channel_of_its_version() {
        for (tag, channel) in [
            ("1.2.0", "stable"),
            ("v1.2.0", "stable"),
            ("V1.2.0", "stable"),
            ("v1.2.0+build.5", "stable"),
            ("v1.2.0-rc.1", "rc"),
            ("v1.2.0-rc1", "rc"),
            ("v1.2.0-RC-1", "rc"),
            ("1.2.0-rc", "rc"),
            ("1.2.0-beta.2", "beta"),
            ("1.2.0-alpha", "alpha"),
            ("1.2.0-SNAPSHOT", "snapshot"),
            ("1.2.0-alpine3", "alpine"),
            ("1.2.0-feature-login.3", "feature-login"),
            ("1.2.0-b5f3c1d", "b5f3c1d"),
            ("1.2.0-0.3.7", "edge"),
            ("1.2.0-20240101", "edge"),
            ("1.2.0-1-", "1-"),
            ("v1.2.3-20240115T101010Z", "edge"),
            ("v1.2.3-20240115t101010", "edge"),
            ("1.2.3-2024-01-15T10-10-10Z", "edge"),
            ("1.2.3-2024-01-15", "edge"),
            ("1.2.3-20240115-101010", "edge"),
            ("v0.0.0-20191109021931-daa7c04131f5", "edge"),
            ("1.2.3-nightly-20240115T101010Z", "nightly"),
            ("1.2.3-dev20240115T1010Z", "dev"),
            ("1.2.3-feature-login-20240115", "feature-login"),
            ("1.2.3-rc-20241315T101010Z", "rc-20241315t101010z"),
            ("1.2.3-a20240115b", "a20240115b"),
            ("1.2.3_build.5", "stable"),
            ("1.2.3-rc.1_build.5", "rc"),
            ("1.2.3_rc1", "edge"),
            ("2024.01.15", "stable"),
            ("24.04", "stable"),
            ("24.04-beta2", "beta"),
            ("1.2", "stable"),
            ("v1.2", "stable"),
            ("1.2.3.4", "stable"),
            ("1.2.3.4-SNAPSHOT", "snapshot"),
            ("1.2-5f3c1d2", "edge"),
            ("20240115.3", "edge"),
            ("1234", "edge"),
            ("v1", "edge"),
            ("latest", "edge"),
            ("main-5f3c1d2", "edge"),
            ("vv1.2.0", "edge"),
            ("", "edge"),
        ] {
            assert_eq!(of(&[], tag), channel, "{tag}");
        }
    }

    #[test]
    fn the_first_matching_rule_comes_before_the_default() {
        let body = json!({"channelRules": [
            {"pattern": "^nightly-", "channel": "nightly"},
            {"pattern": "^v1\\.", "channel": "lts"},
            {"pattern": "nightly", "channel": "never"},
        ]});
        let rules = rules(&body).unwrap();
        for (tag, channel) in
            [("nightly-5", "nightly"), ("v1.2.0", "lts"), ("v2.0.0", "stable"), ("a-nightly", "never")]
        {
            assert_eq!(of(&rules, tag), channel, "{tag}");
        }
    }

    #[test]
    fn every_mistake_in_a_rule_is_named() {
        let body = json!({"channelRules": [
            {"pattern": "(", "channel": "a b"},
            {"channel": ""},
            {"pattern": "(a{1000}){1000}", "channel": 5, "colour": "red"},
        ]});
        let mut mistakes = rules(&body).unwrap_err();
        mistakes.sort();
        let expected = [
            "[0].channel",
            "[0].pattern",
            "[1].channel",
            "[1].pattern",
            "[2].channel",
            "[2].colour",
            "[2].pattern",
        ];
        assert_eq!(mistakes, expected.map(|place| format!("channelRules{place}")));
    }

    proptest! {
        #[test]
        fn a_leading_v_changes_nothing(tag in "[0-9]{1,2}\\.[0-9]\\.[0-9](-[a-z]{1,5}[.0-9]{0,3})?") {
            prop_assert_eq!(of(&[], &tag), of(&[], &format!("v{tag}")));
        }

        #[test]
        fn a_time_is_never_a_channel(
            word in "[a-z]{0,4}-?", date in "20[0-9]{2}(0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01])", time in "([tT]?[0-9]{4,6}Z?|)"
        ) {
            let word = if word == "-" { "" } else { &word };
            let expected = if word.is_empty() { EDGE } else { word.trim_end_matches('-') };
            prop_assert_eq!(of(&[], &format!("1.2.3-{word}{date}{time}")), expected);
        }

        #[test]
        fn every_tag_has_a_channel(tag: String) {
            prop_assert!(!of(&[], &tag).is_empty());
        }
    }
}
