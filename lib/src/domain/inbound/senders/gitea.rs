//! Gitea and Forgejo: packages, runs of Gitea Actions, and the events that GitHub has as well.

use serde_json::Value;

use super::preset::Preset;
use super::results::Results;
use super::sender::{Found, Reading, ReplayProtection, Sender, SenderRequest, example, page};
use super::shape::has;
use super::{digest, forge, time, workflow_runs};
use crate::domain::inbound::json;
use crate::domain::inbound::normalised::EventKind;
use crate::domain::inbound::webhook_type::WebhookType;

/// Forgejo sends Gitea's headers too.
const DELIVERY_ID_HEADERS: [&str; 2] = ["x-forgejo-delivery", "x-gitea-delivery"];

/// The values of `conclusion` with which a run of Gitea Actions ends.
const CONCLUSIONS: Results = Results {
    success: &["success"],
    failure: &["failure"],
    cancelled: &["cancelled"],
    skipped: &["skipped"],
};

/// Gitea. It sends one signature in several headers, of which older versions and relatives lack some.
pub(super) static GITEA: Sender = Sender {
    name: "gitea",
    provider: "gitea",
    title: "Gitea",
    types: &[WebhookType::RegistryPush, WebhookType::CiPipeline, WebhookType::GithubApp],
    authentication: Preset::JsonTextHmac("X-Gitea-Signature"),
    alternatives: &[Preset::JsonTextHmac("X-Gogs-Signature"), Preset::JsonTextHmac("X-Hub-Signature-256")],
    recognises: Some(recognises),
    read,
    results: CONCLUSIONS,
    time_is_push: false,
    replay_protection: ReplayProtection::State,
    page: page!("gitea"),
    examples: &[
        example!("gitea", "package", "X-Gitea-Event" = "package"),
        example!("gitea", "push", "X-Gitea-Event" = "push"),
    ],
};

/// Forgejo, with Gitea's bodies.
pub(super) static FORGEJO: Sender = Sender {
    name: "forgejo",
    provider: "forgejo",
    title: "Forgejo",
    authentication: Preset::JsonTextHmac("X-Forgejo-Signature"),
    alternatives: &[
        Preset::JsonTextHmac("X-Gitea-Signature"),
        Preset::JsonTextHmac("X-Gogs-Signature"),
        Preset::JsonTextHmac("X-Hub-Signature-256"),
    ],
    recognises: None,
    examples: &[],
    ..GITEA
};

/// A run is as GitHub's, but its user has a `username`.
fn recognises(body: &Value) -> bool {
    let is_run = ["/workflow_run", "/workflow_job"].iter().any(|member| has(body, member));
    (has(body, "/package/type") && has(body, "/package/owner")) || (is_run && has(body, "/sender/username"))
}

fn read(request: &SenderRequest<'_>) -> Reading {
    let delivery_id = DELIVERY_ID_HEADERS.iter().find_map(|name| request.header(name)).map(str::to_owned);
    let found = if request.payload.get("package").is_some_and(Value::is_object) {
        package(request)
    } else {
        let other =
            || Found::Ignored("The event is not about code, a package or a finished pipeline".to_owned());
        workflow_runs::read(request).or_else(|| forge::read(request)).unwrap_or_else(other)
    };
    Reading { delivery_id, found }
}

fn package(request: &SenderRequest<'_>) -> Found {
    let payload = request.payload;
    if json::text(payload, "/package/type") != Some("container") {
        return Found::Ignored("The package is not a container image".to_owned());
    }
    let kind = match json::text(payload, "/action") {
        Some("created") => EventKind::ArtifactPushed,
        Some("deleted") => EventKind::ArtifactDeleted,
        _ => return Found::Ignored("The package was neither pushed nor deleted".to_owned()),
    };
    let owner = json::text(payload, "/package/owner/login")
        .or_else(|| json::text(payload, "/package/owner/username"));
    let (Some(owner), Some(name)) = (owner, json::text(payload, "/package/name")) else {
        return Found::Ignored("The package has no name".to_owned());
    };
    let mut event = request.event(kind, &format!("{owner}/{name}").to_lowercase());
    event.registry = forge::host(json::text(payload, "/package/html_url"));
    match json::text(payload, "/package/version") {
        Some(version) if digest::has_form(version) => digest::note(&mut event, Some(version)),
        version => event.tag = version.map(str::to_owned),
    }
    event.pushed_at = payload.pointer("/package/created_at").and_then(time::parse);
    let pusher =
        json::text(payload, "/package/creator/login").or_else(|| json::text(payload, "/sender/login"));
    event.pusher = pusher.map(str::to_owned);
    event.url = json::url(payload, "/package/html_url");
    Found::Events(vec![event])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::inbound::normalise::tests::{assert_bodies, events};

    #[test]
    fn example_bodies_normalise_to_these_events() {
        assert_bodies(
            &GITEA,
            &[
                "create-tag: git.tag git.example.com/myorg/myapp:v1.2.0 commit=6f2d1c0 by dev",
                "delete-tag: git.tag git.example.com/myorg/myapp:v1.2.0 deleted by dev",
                "issue-opened: ignored: The event is not about code, a package or a finished pipeline",
                "package: artifact.pushed git.example.com/myorg/myapp:v1.2.0 by builder at 2024-01-01T00:00:00Z",
                "pull-request-merged: pr git.example.com/myorg/myapp branch=feature commit=fffffff text=merged run=1 by dev at 2024-01-01T00:00:00Z",
                "push: git.push git.example.com/myorg/myapp branch=main commit=6f2d1c0 before=1a2b3c4 by dev at 2024-01-01T00:00:00Z",
                "push-tag-deleted: git.tag git.example.com/myorg/myapp:v1.2.0 before=a1a1a1a deleted by dev",
                "release: release git.example.com/myorg/myapp:v1.2.0 by dev at 2024-01-01T00:00:00Z",
                "release-prerelease: release git.example.com/myorg/myapp:v1.3.0-rc.1 by dev at 2024-01-01T00:00:00Z",
                "workflow-job: ci.finished git.example.com/myorg/myapp branch=main commit=6f2d1c0 result=failure pipeline=test run=31-1 runId=12 scope=job by dev at 2024-01-01T00:00:00Z",
                "workflow-run: ci.finished git.example.com/myorg/myapp branch=main commit=6f2d1c0 result=success pipeline=Release run=12-1 runId=12 by dev at 2024-01-01T00:00:00Z",
                "workflow-run-fork: ci.finished git.example.com/myorg/myapp branch=main commit=6f2d1c0 result=success pipeline=Release run=12-1 runId=12 request= of a fork by dev at 2024-01-01T00:00:00Z",
            ],
        );
    }

    #[test]
    fn a_new_tag_has_its_commit_and_awaits_nothing() {
        let body = include_str!("../../../../../events/inbound/gitea/create-tag.json");
        let [created] = &events(&GITEA, body)[..] else { panic!("one event") };
        assert!(!created.awaits_commit && !created.deleted && created.commit.is_some());
    }

    #[test]
    fn a_release_says_whether_it_is_a_prerelease() {
        let of = |body: &str| events(&GITEA, body)[0].prerelease;
        let prerelease = include_str!("../../../../../events/inbound/gitea/release-prerelease.json");
        assert_eq!(of(prerelease), Some(true));
        assert_eq!(of(include_str!("../../../../../events/inbound/gitea/release.json")), Some(false));
    }
}
