//! Azure DevOps: pushes, pull requests and builds, by service hooks.

use serde_json::Value;

use super::forge::{is_commit, note_reference, repository_of_url};
use super::preset::Preset;
use super::results::USUAL;
use super::sender::{Found, Reading, ReplayProtection, Sender, SenderRequest, example, page};
use super::shape::has;
use super::time;
use crate::domain::inbound::json;
use crate::domain::inbound::normalised::{EventKind, NormalisedEvent};
use crate::domain::inbound::webhook_type::WebhookType;

/// Azure DevOps.
pub(super) static AZURE_DEVOPS: Sender = Sender {
    name: "azure-devops",
    provider: "azure-devops",
    title: "Azure DevOps",
    types: &[WebhookType::CiPipeline],
    authentication: Preset::Basic,
    alternatives: &[],
    recognises: Some(|body| has(body, "/eventType") && has(body, "/resource")),
    read,
    results: USUAL,
    time_is_push: true,
    replay_protection: ReplayProtection::Time,
    page: page!("azure-devops"),
    examples: &[example!("azure-devops", "build-complete"), example!("azure-devops", "push")],
};

fn read(request: &SenderRequest<'_>) -> Reading {
    let payload = request.payload;
    let delivery_id = json::text(payload, "/id").map(str::to_owned);
    let found = match json::text(payload, "/eventType").unwrap_or_default() {
        "git.push" => push(request),
        "build.complete" => build(request),
        kind if kind.starts_with("git.pullrequest.") => pull_request(request, kind),
        _ => Found::Ignored("The event tells neither of code nor of a finished build".to_owned()),
    };
    Reading { delivery_id, found }
}

/// The repository by its name, as the hook's form shows it, with the host of its address.
fn event(request: &SenderRequest<'_>, kind: EventKind) -> Option<NormalisedEvent> {
    let payload = request.payload;
    let mut event = request.event(kind, json::text(payload, "/resource/repository/name")?);
    let remote = json::text(payload, "/resource/repository/remoteUrl");
    event.registry = remote.and_then(repository_of_url).and_then(|(host, _)| host).map(str::to_owned);
    Some(event)
}

fn push(request: &SenderRequest<'_>) -> Found {
    let payload = request.payload;
    let updates = payload.pointer("/resource/refUpdates").and_then(Value::as_array);
    let moved = |update: &Value| {
        let mut event = event(request, EventKind::GitPush)?;
        let commit = json::text(update, "/newObjectId").filter(|commit| is_commit(commit))?;
        let is_named = note_reference(&mut event, json::text(update, "/name")?);
        event.commit = Some(commit.to_owned());
        event.pusher = json::text(payload, "/resource/pushedBy/uniqueName").map(str::to_owned);
        event.pushed_at = payload.pointer("/resource/date").and_then(time::parse);
        Some(event).filter(|_| is_named)
    };
    let events: Vec<NormalisedEvent> = updates.into_iter().flatten().filter_map(moved).collect();
    if events.is_empty() {
        return Found::Ignored("No branch or tag has a new commit".to_owned());
    }
    Found::Events(events)
}

/// A build names its repository where it can, else its definition stands for it.
fn build(request: &SenderRequest<'_>) -> Found {
    let payload = request.payload;
    let text = |pointer: &str| json::text(payload, pointer).map(str::to_owned);
    let definition =
        || text("/resource/definition/name").map(|name| request.event(EventKind::CiFinished, &name));
    let Some(mut event) = event(request, EventKind::CiFinished).or_else(definition) else {
        return Found::Ignored("The build names neither a repository nor a definition".to_owned());
    };
    event.result_text = text("/resource/result").or_else(|| text("/resource/status"));
    // Written `LG:refs/heads/main:<commit>` by older servers.
    let source = text("/resource/sourceGetVersion");
    let (reference, commit) =
        source.as_deref().and_then(|source| source.rsplit_once(':')).unwrap_or_default();
    let reference = reference.rsplit(':').next().unwrap_or_default();
    let named = text("/resource/sourceBranch");
    note_reference(&mut event, named.as_deref().unwrap_or(reference));
    event.kind = EventKind::CiFinished;
    event.commit = text("/resource/sourceVersion")
        .or_else(|| Some(commit.to_owned()).filter(|commit| is_commit(commit)));
    event.run =
        text("/resource/buildNumber").or_else(|| payload.pointer("/resource/id").map(Value::to_string));
    event.pushed_at = payload.pointer("/resource/finishTime").and_then(time::parse);
    event.url = json::url(payload, "/resource/_links/web/href");
    Found::Events(vec![event])
}

fn pull_request(request: &SenderRequest<'_>, kind: &str) -> Found {
    let payload = request.payload;
    let Some(mut event) = event(request, EventKind::PullRequest) else {
        return Found::Ignored("The pull request names no repository".to_owned());
    };
    let text = |pointer: &str| json::text(payload, pointer).map(str::to_owned);
    let is_merged =
        kind == "git.pullrequest.merged" && text("/resource/status").as_deref() == Some("completed");
    event.result_text =
        if is_merged { Some("merged".to_owned()) } else { kind.rsplit('.').next().map(str::to_owned) };
    let commit = if is_merged {
        "/resource/lastMergeCommit/commitId"
    } else {
        "/resource/lastMergeSourceCommit/commitId"
    };
    event.commit = text(commit);
    event.branch =
        text("/resource/sourceRefName").map(|name| name.trim_start_matches("refs/heads/").to_owned());
    event.run = payload.pointer("/resource/pullRequestId").map(Value::to_string);
    event.pusher = text("/resource/createdBy/uniqueName");
    Found::Events(vec![event])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::inbound::normalise::tests::assert_bodies;

    #[test]
    fn example_bodies_normalise_to_these_events() {
        assert_bodies(
            &AZURE_DEVOPS,
            &[
                "push: git.push dev.azure.com/myapp branch=main commit=6f2d1c0 by dev@example.com at 2024-01-01T00:00:00Z",
                "build-complete: ci.finished myapp-ci branch=main commit=6f2d1c0 result=success text=succeeded run=20240101.1 at 2024-01-01T00:00:00Z",
                "pull-request-merged: pr dev.azure.com/myapp branch=feature commit=6f2d1c0 text=merged run=4 by dev@example.com",
                "pull-request-created: pr dev.azure.com/myapp branch=feature commit=6f2d1c0 text=created run=4 by dev@example.com",
                "work-item-created: ignored: The event tells neither of code nor of a finished build",
            ],
        );
    }
}
