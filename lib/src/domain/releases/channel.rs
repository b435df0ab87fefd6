//! Channels: how mature a version is, by its tag. The tag is judged by the component's own rules, or else by
//! semantic versioning.

use semver::Version;
use serde::{Deserialize, Serialize};

use crate::domain::shared::expression::{Budget, Pattern, Verdict};
use crate::domain::shared::object_reader::ObjectReader;

/// The channel of a full semantic version.
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
/// the budget. Without a match, the tag is read as a [semantic version](https://semver.org), with or without
/// a leading `v`:
///
/// - A version without pre-release is [`STABLE`].
/// - A pre-release has the name of its first identifier, in lower case and without the number at its end:
///   `1.0.0-rc.1`, `1.0.0-rc1` and `1.0.0-RC-1` are all `rc`, because nobody means three channels by them.
/// - A pre-release that is only a number, and a tag that is not a semantic version, are [`EDGE`].
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
    match semantic_version(tag) {
        Some(version) if version.pre.is_empty() => STABLE.to_owned(),
        Some(version) => {
            let first = version.pre.split('.').next().unwrap_or_default().to_lowercase();
            let letters = first.trim_end_matches(|character: char| character.is_ascii_digit());
            match letters.trim_end_matches('-') {
                "" => EDGE.to_owned(),
                letters if letters.bytes().all(|byte| byte.is_ascii_lowercase()) => letters.to_owned(),
                _ => first.clone(),
            }
        }
        None => EDGE.to_owned(),
    }
}

/// A tag as a [semantic version](https://semver.org), with or without a leading `v` or `V`.
#[must_use]
pub fn semantic_version(tag: &str) -> Option<Version> {
    Version::parse(tag.strip_prefix(['v', 'V']).unwrap_or(tag)).ok()
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
    fn by_default_a_tag_has_the_channel_of_its_semantic_version() {
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
            ("1.2", "edge"),
            ("v1", "edge"),
            ("2024.01.15", "edge"),
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
        fn every_tag_has_a_channel(tag: String) {
            prop_assert!(!of(&[], &tag).is_empty());
        }
    }
}
