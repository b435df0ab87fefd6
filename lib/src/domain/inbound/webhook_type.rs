//! The types of webhook configs, and where each is served.

named! {
    /// The type of a webhook config. It decides the address.
    #[cfg_attr(feature = "schema", schemars(inline))]
    #[derive(Hash)]
    pub enum WebhookType {
        /// Pushes to a container registry.
        RegistryPush = "registry-push",
        /// Pipelines that have ended in a CI system.
        CiPipeline = "ci-pipeline",
        /// A GitHub App, or a repository's or organisation's hook.
        GithubApp = "github-app",
        /// A GitLab project's, group's or system hook.
        GitlabWebhook = "gitlab-webhook",
        /// Anything else.
        Generic = "generic",
    }
}

impl WebhookType {
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
    use super::*;

    #[test]
    fn a_type_is_found_by_its_part_of_the_address() {
        for (_, webhook_type) in WebhookType::ALL {
            assert_eq!(WebhookType::of_segment(webhook_type.segment()), Some(webhook_type));
        }
        assert_eq!(WebhookType::of_segment("registry-push"), None);
    }
}
