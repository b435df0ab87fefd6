//! The provider of a webhook config: which sender's bodies it expects.

use serde::{Deserialize, Serialize};

use super::senders::sender::{AUTO, Sender};
use super::senders::{GENERIC, SENDERS};
use super::webhook_type::WebhookType;

/// The sender whose bodies a webhook config expects. On the wire: `auto`, or [`Sender::provider`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "&'static str")]
pub enum Provider {
    /// The sender that has the config's type to itself; for other types, the one that recognises each body.
    Auto,
    /// This sender.
    Named(&'static Sender),
}

impl Provider {
    /// Every provider with its name on the wire.
    pub fn all() -> impl Iterator<Item = (&'static str, Self)> {
        let named = SENDERS.iter().copied().filter(|sender| sender.provider != AUTO);
        std::iter::once((AUTO, Self::Auto)).chain(named.map(|sender| (sender.provider, Self::Named(sender))))
    }

    /// The provider of a name on the wire.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        Self::all().find(|(known, _)| *known == name).map(|(_, provider)| provider)
    }

    /// The name on the wire.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => AUTO,
            Self::Named(sender) => sender.provider,
        }
    }

    /// The sender of a config's requests. None: each body says it.
    #[must_use]
    pub fn sender(self, webhook_type: WebhookType) -> Option<&'static Sender> {
        match self {
            Self::Auto => SENDERS
                .iter()
                .copied()
                .find(|sender| sender.provider == AUTO && sender.types.contains(&webhook_type)),
            Self::Named(sender) => Some(sender),
        }
    }

    /// Whether configs of this type may have this provider.
    #[must_use]
    pub fn fits(self, webhook_type: WebhookType) -> bool {
        match self {
            Self::Auto => true,
            Self::Named(sender) => sender.config_types().any(|fitting| fitting == webhook_type),
        }
    }

    /// Whether a config's mapping is used: bodies of other senders have a known form.
    #[must_use]
    pub fn takes_mapping(self) -> bool {
        match self {
            Self::Auto => true,
            Self::Named(sender) => *sender == GENERIC,
        }
    }
}

impl TryFrom<String> for Provider {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        Self::of(&name).ok_or_else(|| format!("unknown provider `{name}`"))
    }
}

impl From<Provider> for &'static str {
    fn from(provider: Provider) -> Self {
        provider.name()
    }
}

names_schema!(
    Provider as "Provider",
    "Which sender posts the events. `auto`: the sender that has the config's type to itself, or else the one that \
     recognises each body.",
    Provider::all().map(|(name, _)| name)
);

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn provider(name: &str) -> Provider {
        Provider::of(name).unwrap()
    }

    #[test]
    fn providers_are_named_as_on_the_wire() {
        let mut names = Vec::new();
        for (name, provider) in Provider::all() {
            assert_eq!(serde_json::to_value(provider).unwrap(), json!(name));
            assert_eq!(serde_json::from_value::<Provider>(json!(name)).unwrap(), provider);
            names.push(name);
        }
        // The order in which the API lists them.
        let listed = "auto dockerhub harbor ghcr quay acr ecr gar artifactory nexus distribution gitea forgejo \
            github-actions gitlab-ci jenkins circleci buildkite azure-devops tekton cdevents bitbucket generic";
        assert_eq!(names.join(" "), listed);
        assert!(serde_json::from_value::<Provider>(json!("nobody")).is_err());
    }

    #[test]
    fn a_provider_fits_its_senders_types_and_generic() {
        use WebhookType::{CiPipeline, Generic, GithubApp, GitlabWebhook, RegistryPush};
        let all = [RegistryPush, CiPipeline, GithubApp, GitlabWebhook, Generic];
        for (name, fitting) in [
            ("auto", all.as_slice()),
            ("generic", all.as_slice()),
            ("harbor", &[RegistryPush, Generic]),
            ("ghcr", &[RegistryPush, GithubApp, Generic]),
            ("gitea", &[RegistryPush, CiPipeline, GithubApp, Generic]),
            ("forgejo", &[RegistryPush, CiPipeline, GithubApp, Generic]),
            ("github-actions", &[CiPipeline, GithubApp, Generic]),
            ("gitlab-ci", &[CiPipeline, GitlabWebhook, Generic]),
            ("jenkins", &[CiPipeline, Generic]),
        ] {
            for webhook_type in all {
                assert_eq!(provider(name).fits(webhook_type), fitting.contains(&webhook_type), "{name}");
            }
        }
    }

    #[test]
    fn auto_is_the_sender_that_has_the_type_to_itself() {
        let name = |webhook_type| Provider::Auto.sender(webhook_type).map(|sender| sender.name);
        assert_eq!(name(WebhookType::GithubApp), Some("github"));
        assert_eq!(name(WebhookType::GitlabWebhook), Some("gitlab"));
        for shared in [WebhookType::RegistryPush, WebhookType::CiPipeline, WebhookType::Generic] {
            assert_eq!(name(shared), None);
        }
    }

    #[test]
    fn a_mapping_is_for_bodies_of_unknown_form() {
        let takers: Vec<&str> =
            Provider::all().filter(|(_, provider)| provider.takes_mapping()).map(|(name, _)| name).collect();
        assert_eq!(takers, ["auto", "generic"]);
    }
}
