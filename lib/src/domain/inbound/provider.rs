//! Who calls us: the kinds of inbound webhook, the senders we know by name, and which go together.

use serde::{Deserialize, Serialize};

/// The kind of a webhook config; it decides the address that it is served at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WebhookType {
    /// A container registry tells of pushes.
    RegistryPush,
    /// A CI system tells how pipelines ended.
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

/// Whose bodies a webhook config expects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Provider {
    /// Told by the shape of each body.
    Auto,
    /// Docker Hub.
    Dockerhub,
    /// Harbor 2, in its own or the CloudEvents form.
    Harbor,
    /// GitHub's container registry.
    Ghcr,
    /// Quay.
    Quay,
    /// Azure Container Registry.
    Acr,
    /// Amazon's container registry.
    Ecr,
    /// Google's Artifact Registry.
    Gar,
    /// `JFrog` Artifactory.
    Artifactory,
    /// Sonatype Nexus 3.
    Nexus,
    /// The CNCF's registry.
    Distribution,
    /// Gitea.
    Gitea,
    /// Forgejo.
    Forgejo,
    /// GitHub's workflows.
    #[serde(rename = "github-actions")]
    GithubActions,
    /// GitLab's pipelines.
    #[serde(rename = "gitlab-ci")]
    GitlabCi,
    /// Jenkins with its Notification plugin.
    Jenkins,
    /// CircleCI.
    Circleci,
    /// Buildkite.
    Buildkite,
    /// Azure DevOps.
    #[serde(rename = "azure-devops")]
    AzureDevops,
    /// Tekton.
    Tekton,
    /// Whoever speaks `CDEvents`.
    Cdevents,
    /// Bitbucket, Cloud or Data Center.
    Bitbucket,
    /// Our own normalised form, or what a mapping says.
    Generic,
}

impl Provider {
    /// Every provider with its name on the wire.
    pub const ALL: [(&'static str, Self); 23] = [
        ("auto", Self::Auto),
        ("dockerhub", Self::Dockerhub),
        ("harbor", Self::Harbor),
        ("ghcr", Self::Ghcr),
        ("quay", Self::Quay),
        ("acr", Self::Acr),
        ("ecr", Self::Ecr),
        ("gar", Self::Gar),
        ("artifactory", Self::Artifactory),
        ("nexus", Self::Nexus),
        ("distribution", Self::Distribution),
        ("gitea", Self::Gitea),
        ("forgejo", Self::Forgejo),
        ("github-actions", Self::GithubActions),
        ("gitlab-ci", Self::GitlabCi),
        ("jenkins", Self::Jenkins),
        ("circleci", Self::Circleci),
        ("buildkite", Self::Buildkite),
        ("azure-devops", Self::AzureDevops),
        ("tekton", Self::Tekton),
        ("cdevents", Self::Cdevents),
        ("bitbucket", Self::Bitbucket),
        ("generic", Self::Generic),
    ];

    /// The name on the wire.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, provider)| *provider == self).map_or("", |(name, _)| name)
    }

    /// Whether this sender tells what configs of that type are about. The type `generic` takes everybody.
    #[must_use]
    pub fn fits(self, webhook_type: WebhookType) -> bool {
        use WebhookType::{CiPipeline, Generic, GithubApp, GitlabWebhook, RegistryPush};
        let types: &[WebhookType] = match self {
            Self::Auto | Self::Generic => return true,
            Self::Dockerhub
            | Self::Harbor
            | Self::Quay
            | Self::Acr
            | Self::Ecr
            | Self::Gar
            | Self::Artifactory
            | Self::Nexus
            | Self::Distribution => &[RegistryPush],
            Self::Ghcr => &[RegistryPush, GithubApp],
            Self::Gitea | Self::Forgejo => &[RegistryPush, CiPipeline, GithubApp],
            Self::GithubActions => &[CiPipeline, GithubApp],
            Self::GitlabCi => &[CiPipeline, GitlabWebhook],
            Self::Jenkins
            | Self::Circleci
            | Self::Buildkite
            | Self::AzureDevops
            | Self::Tekton
            | Self::Cdevents
            | Self::Bitbucket => &[CiPipeline],
        };
        webhook_type == Generic || types.contains(&webhook_type)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn providers_and_types_are_named_as_they_are_written() {
        for (name, provider) in Provider::ALL {
            assert_eq!(serde_json::to_value(provider).unwrap(), json!(name));
            assert_eq!(provider.name(), name);
        }
        for (name, kind) in WebhookType::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), json!(name));
            assert_eq!(kind.name(), name);
            assert_eq!(WebhookType::of_segment(kind.segment()), Some(kind));
        }
        assert_eq!(WebhookType::of_segment("registry-push"), None);
    }

    #[test]
    fn a_registry_does_not_finish_pipelines() {
        assert!(Provider::Harbor.fits(WebhookType::RegistryPush));
        assert!(Provider::Harbor.fits(WebhookType::Generic));
        assert!(!Provider::Harbor.fits(WebhookType::CiPipeline));
        assert!(!Provider::Jenkins.fits(WebhookType::RegistryPush));
        for (_, kind) in WebhookType::ALL {
            assert!(Provider::Auto.fits(kind) && Provider::Generic.fits(kind));
        }
    }
}
