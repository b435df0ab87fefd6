//! The types of webhook configs, and where each is served.

use serde::{Deserialize, Serialize};

/// The type of a webhook config. It decides the address.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(inline))]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WebhookType {
    /// Pushes to a container registry.
    RegistryPush,
    /// Pipelines that have ended in a CI system.
    CiPipeline,
    /// A GitHub App, or a repository's or organisation's hook.
    GithubApp,
    /// A GitLab project's, group's or system hook.
    GitlabWebhook,
    /// Anything else.
    Generic,
}

impl WebhookType {
    /// Every type with its name on the wire.
    pub const ALL: [(&'static str, Self); 5] = [
        ("registry-push", Self::RegistryPush),
        ("ci-pipeline", Self::CiPipeline),
        ("github-app", Self::GithubApp),
        ("gitlab-webhook", Self::GitlabWebhook),
        ("generic", Self::Generic),
    ];

    /// The name on the wire.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, kind)| *kind == self).map_or("", |(name, _)| name)
    }

    /// The part of the address, as in `/api/v1/webhooks/registry/…`.
    #[must_use]
    pub fn segment(self) -> &'static str {
        match self {
            Self::RegistryPush => "registry",
            Self::CiPipeline => "ci",
            Self::GithubApp => "github",
            Self::GitlabWebhook => "gitlab",
            Self::Generic => "generic",
        }
    }

    /// The type served at a part of the address.
    #[must_use]
    pub fn of_segment(segment: &str) -> Option<Self> {
        Self::ALL.into_iter().map(|(_, kind)| kind).find(|kind| kind.segment() == segment)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn types_are_named_as_on_the_wire() {
        for (name, webhook_type) in WebhookType::ALL {
            assert_eq!(serde_json::to_value(webhook_type).unwrap(), json!(name));
            assert_eq!(webhook_type.name(), name);
            assert_eq!(WebhookType::of_segment(webhook_type.segment()), Some(webhook_type));
        }
        assert_eq!(WebhookType::of_segment("registry-push"), None);
    }
}
