//! A secret with its versions and their stages.

use std::collections::BTreeSet;

use rand::Rng as _;
use rand::distr::Alphanumeric;

use super::wire::Refusal;

/// The stage of the current version.
pub(super) const CURRENT: &str = "AWSCURRENT";
/// The stage of the version before the current one.
pub(super) const PREVIOUS: &str = "AWSPREVIOUS";
/// The most versions of a secret. The oldest ones without a stage are deleted.
const MAX_VERSIONS: usize = 100;

/// How ARNs of secrets begin. The name and six random characters follow.
pub(super) const ARN: &str = "arn:aws:secretsmanager:us-east-1:000000000000:secret:";

/// A secret. Times are milliseconds since 1970.
pub(super) struct Secret {
    pub(super) name: String,
    pub(super) arn: String,
    pub(super) description: String,
    /// As on the wire: `[{"Key", "Value"}]`.
    pub(super) tags: serde_json::Value,
    pub(super) created: i64,
    pub(super) changed: i64,
    pub(super) accessed: Option<i64>,
    /// When it was deleted, and when it cannot be restored any more.
    pub(super) deletion: Option<(i64, i64)>,
    /// The oldest first.
    pub(super) versions: Vec<Version>,
}

/// One version of a secret.
pub(super) struct Version {
    pub(super) id: String,
    pub(super) created: i64,
    pub(super) content: Content,
    pub(super) stages: BTreeSet<String>,
}

/// The content of a version.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Content {
    Text(String),
    /// In base64, as it is on the wire.
    Binary(String),
}

impl Secret {
    /// A new secret without a version.
    pub(super) fn new(name: &str, now: i64) -> Self {
        let suffix: String = rand::rng().sample_iter(Alphanumeric).take(6).map(char::from).collect();
        Self {
            name: name.to_owned(),
            arn: format!("{ARN}{name}-{suffix}"),
            description: String::new(),
            tags: serde_json::json!([]),
            created: now,
            changed: now,
            accessed: None,
            deletion: None,
            versions: Vec::new(),
        }
    }

    /// The version that has a stage.
    pub(super) fn version_with(&self, stage: &str) -> Option<&Version> {
        self.versions.iter().find(|version| version.stages.contains(stage))
    }

    pub(super) fn version(&self, id: &str) -> Option<&Version> {
        self.versions.iter().find(|version| version.id == id)
    }

    /// Adds a version and moves stages to it. A version with the same id and content is not added again.
    pub(super) fn put(
        &mut self,
        id: &str,
        content: Content,
        stages: &[&str],
        now: i64,
    ) -> Result<(), Refusal> {
        if let Some(version) = self.version(id) {
            if version.content == content {
                return Ok(());
            }
            return Err(Refusal::exists("A version of this id exists with another content."));
        }
        self.versions.push(Version { id: id.to_owned(), created: now, content, stages: BTreeSet::new() });
        for stage in stages {
            self.attach(stage, id);
        }
        while self.versions.len() > MAX_VERSIONS
            && let Some(oldest) = self.versions.iter().position(|version| version.stages.is_empty())
        {
            self.versions.remove(oldest);
        }
        self.changed = now;
        Ok(())
    }

    /// Moves a stage from the version that has it, which must be given, to another version, or removes it.
    pub(super) fn move_stage(
        &mut self,
        stage: &str,
        from: Option<&str>,
        to: Option<&str>,
        now: i64,
    ) -> Result<(), Refusal> {
        let current = self.version_with(stage).map(|version| version.id.as_str());
        if from.is_some_and(|from| current != Some(from)) {
            return Err(Refusal::parameter("The version to remove the stage from does not have it."));
        }
        match to {
            Some(to) if self.version(to).is_none() => {
                return Err(Refusal::not_found("Secrets Manager can't find the specified secret version."));
            }
            Some(to) if current.is_some_and(|current| current != to) && from.is_none() => {
                return Err(Refusal::parameter("Another version has the stage: name it to remove it there."));
            }
            Some(to) => self.attach(stage, to),
            None if stage == CURRENT => {
                return Err(Refusal::parameter("AWSCURRENT can be moved and not removed."));
            }
            None => self.detach(stage),
        }
        self.changed = now;
        Ok(())
    }

    /// Moves a stage to a version. The version that loses `AWSCURRENT` gets `AWSPREVIOUS`.
    fn attach(&mut self, stage: &str, id: &str) {
        let before = self.version_with(stage).map(|version| version.id.clone()).filter(|before| before != id);
        self.detach(stage);
        if let Some(version) = self.versions.iter_mut().find(|version| version.id == id) {
            version.stages.insert(stage.to_owned());
        }
        if stage == CURRENT
            && let Some(before) = before
        {
            self.attach(PREVIOUS, &before);
        }
    }

    fn detach(&mut self, stage: &str) {
        for version in &mut self.versions {
            version.stages.remove(stage);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Content {
        Content::Text(text.to_owned())
    }

    fn stages(secret: &Secret, id: &str) -> Vec<String> {
        secret.version(id).unwrap().stages.iter().cloned().collect()
    }

    #[test]
    fn a_new_version_is_current_and_the_last_one_previous() {
        let mut secret = Secret::new("s", 0);
        for id in ["1", "2", "3"] {
            secret.put(id, text(id), &[CURRENT], 0).unwrap();
        }
        assert_eq!(stages(&secret, "3"), [CURRENT]);
        assert_eq!(stages(&secret, "2"), [PREVIOUS]);
        assert!(stages(&secret, "1").is_empty());
    }

    #[test]
    fn moving_current_back_exchanges_current_and_previous() {
        let mut secret = Secret::new("s", 0);
        secret.put("1", text("1"), &[CURRENT], 0).unwrap();
        secret.put("2", text("2"), &[CURRENT], 0).unwrap();
        secret.move_stage(CURRENT, Some("2"), Some("1"), 0).unwrap();
        assert_eq!(stages(&secret, "1"), [CURRENT]);
        assert_eq!(stages(&secret, "2"), [PREVIOUS]);
    }

    #[test]
    fn a_stage_is_only_moved_from_the_given_version() {
        let mut secret = Secret::new("s", 0);
        secret.put("1", text("1"), &[CURRENT], 0).unwrap();
        secret.put("2", text("2"), &["AWSPENDING"], 0).unwrap();
        assert!(secret.move_stage(CURRENT, None, Some("2"), 0).is_err());
        assert!(secret.move_stage(CURRENT, Some("2"), Some("2"), 0).is_err());
        assert_eq!(stages(&secret, "1"), [CURRENT]);
    }

    #[test]
    fn versions_are_limited_and_those_with_a_stage_are_kept() {
        let mut secret = Secret::new("s", 0);
        secret.put("pending", text("p"), &["AWSPENDING"], 0).unwrap();
        for n in 0..300 {
            secret.put(&n.to_string(), text("x"), &[CURRENT], 0).unwrap();
        }
        assert_eq!(secret.versions.len(), MAX_VERSIONS);
        assert_eq!(secret.version_with("AWSPENDING").unwrap().id, "pending");
        assert_eq!(secret.version_with(PREVIOUS).unwrap().id, "298");
    }
}
