//! The senders: a file for each, with its entry of the table and its reader. What several senders share is in
//! `forge`, `workflow_runs`, `addresses`, `pull_request`, `reference`, `digest` and `time`.

mod acr;
mod addresses;
mod artifactory;
mod azure_devops;
mod bitbucket;
mod buildkite;
mod cdevents;
mod circleci;
pub mod digest;
mod distribution;
mod dockerhub;
mod ecr;
mod forge;
mod gar;
mod generic;
mod ghcr;
mod gitea;
mod github;
mod gitlab;
mod harbor;
mod jenkins;
mod nexus;
pub mod preset;
mod pull_request;
mod quay;
mod reference;
pub mod results;
pub mod sender;
mod shape;
mod tekton;
pub mod time;
mod workflow_runs;

#[cfg(test)]
#[path = "recipe_tests.rs"]
mod recipes;
#[cfg(test)]
mod refusals;
#[cfg(test)]
#[path = "table_tests.rs"]
mod tests;

use serde_json::Value;

pub use self::generic::GENERIC;
use self::sender::Sender;

/// Every sender, in the order in which the API lists them.
pub static SENDERS: &[&Sender] = &[
    &dockerhub::DOCKERHUB,
    &harbor::HARBOR,
    &ghcr::GHCR,
    &quay::QUAY,
    &acr::ACR,
    &ecr::ECR,
    &gar::GAR,
    &artifactory::ARTIFACTORY,
    &nexus::NEXUS,
    &distribution::DISTRIBUTION,
    &gitea::GITEA,
    &gitea::FORGEJO,
    &github::GITHUB,
    &github::GITHUB_ACTIONS,
    &gitlab::GITLAB,
    &gitlab::GITLAB_CI,
    &jenkins::JENKINS,
    &circleci::CIRCLECI,
    &buildkite::BUILDKITE,
    &azure_devops::AZURE_DEVOPS,
    &tekton::TEKTON,
    &cdevents::CDEVENTS,
    &bitbucket::BITBUCKET,
    &GENERIC,
];

/// The senders that can be set to post forms, with the JSON in the field `payload`: GitHub and its relatives.
/// The generic one stands for senders like Travis CI, which post nothing else.
static FORM_SENDERS: [&Sender; 6] =
    [&ghcr::GHCR, &gitea::GITEA, &gitea::FORGEJO, &github::GITHUB, &github::GITHUB_ACTIONS, &GENERIC];

/// Whether a sender may post forms.
#[must_use]
pub(super) fn sends_forms(sender: &Sender) -> bool {
    FORM_SENDERS.contains(&sender)
}

/// The first sender that recognises a body as its own, or else the generic one.
#[must_use]
pub fn recognise(body: &Value) -> &'static Sender {
    let is_its = |sender: &&&Sender| sender.recognises.is_some_and(|recognises| recognises(body));
    SENDERS.iter().find(is_its).copied().unwrap_or(&GENERIC)
}
