//! Example requests of each sender, from `events/inbound`.

/// An example request of a sender.
pub(crate) struct Example {
    pub(crate) sender: &'static str,
    pub(crate) event: &'static str,
    /// Headers that name the event, if the sender sets any.
    pub(crate) headers: &'static [(&'static str, &'static str)],
    pub(crate) body: &'static str,
}

/// The tag in the examples.
pub(crate) const TAG: &str = "v1.2.0";

macro_rules! examples {
    ($($sender:literal $event:literal $([$($name:literal = $value:literal),*])?,)*) => {
        /// All examples, grouped by sender.
        pub(crate) const ALL: &[Example] = &[$(Example {
            sender: $sender,
            event: $event,
            headers: &[$($(($name, $value)),*)?],
            body: include_str!(concat!("../../events/inbound/", $sender, "/", $event, ".json")),
        },)*];
    };
}

examples! {
    "acr" "push",
    "artifactory" "push",
    "azure-devops" "build-complete",
    "azure-devops" "push",
    "bitbucket" "push" ["X-Event-Key" = "repo:push"],
    "bitbucket" "pull-request" ["X-Event-Key" = "pullrequest:fulfilled"],
    "buildkite" "build-finished" ["X-Buildkite-Event" = "build.finished"],
    "cdevents" "artifact-published",
    "cdevents" "pipeline-run-finished",
    "circleci" "workflow-completed" ["circleci-event-type" = "workflow-completed"],
    "distribution" "push",
    "dockerhub" "push",
    "ecr" "push",
    "gar" "push",
    "generic" "normalised",
    "ghcr" "registry-package" ["X-GitHub-Event" = "registry_package"],
    "gitea" "package" ["X-Gitea-Event" = "package"],
    "gitea" "push" ["X-Gitea-Event" = "push"],
    "github" "ping" ["X-GitHub-Event" = "ping"],
    "github" "push-branch" ["X-GitHub-Event" = "push"],
    "github" "push-tag" ["X-GitHub-Event" = "push"],
    "github" "release" ["X-GitHub-Event" = "release"],
    "github" "workflow-run" ["X-GitHub-Event" = "workflow_run"],
    "gitlab" "pipeline" ["X-Gitlab-Event" = "Pipeline Hook"],
    "gitlab" "push" ["X-Gitlab-Event" = "Push Hook"],
    "gitlab" "release" ["X-Gitlab-Event" = "Release Hook"],
    "gitlab" "tag-push" ["X-Gitlab-Event" = "Tag Push Hook"],
    "harbor" "push",
    "jenkins" "finalized",
    "nexus" "component" ["X-Nexus-Webhook-Id" = "rm:repository:component"],
    "quay" "push",
    "tekton" "pipeline-run",
}
