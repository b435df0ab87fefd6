//! Jenkins, by its Notification plugin: builds that have ended. It sends each twice, as completed and as
//! finalised.

use serde_json::Value;

use super::forge::repository_of_url;
use super::preset::Preset;
use super::pull_request::{number_of_reference, run_of};
use super::results::Results;
use super::sender::{Found, Reading, ReplayProtection, Sender, SenderRequest, example, page};
use super::shape::has;
use super::time;
use crate::domain::inbound::json;
use crate::domain::inbound::normalised::EventKind;
use crate::domain::inbound::webhook_type::WebhookType;

/// The results of builds. `UNSTABLE`, with failed tests, is not a success.
const RESULTS: Results = Results {
    success: &["success"],
    failure: &["failure", "failed"],
    cancelled: &["aborted"],
    skipped: &["notbuilt"],
};

/// How references of pull requests begin: as multibranch projects name their jobs, and at code hosts.
const REQUESTS: [&str; 5] = ["PR-", "MR-", "pull/", "pr/", "merge-requests/"];

/// Jenkins with its Notification plugin.
pub(super) static JENKINS: Sender = Sender {
    name: "jenkins",
    provider: "jenkins",
    title: "Jenkins",
    types: &[WebhookType::CiPipeline],
    authentication: Preset::UrlToken,
    alternatives: &[],
    recognises: Some(|body| has(body, "/build/phase")),
    read,
    results: RESULTS,
    time_is_push: true,
    replay_protection: ReplayProtection::Id,
    page: page!("jenkins"),
    examples: &[example!("jenkins", "finalized")],
};

fn read(request: &SenderRequest<'_>) -> Reading {
    Reading { delivery_id: None, found: found(request) }
}

fn found(request: &SenderRequest<'_>) -> Found {
    let payload = request.payload;
    let other = |reason: &str| Found::Ignored(reason.to_owned());
    // The status of a build that has only started is that of the one before.
    if !matches!(json::text(payload, "/build/phase"), Some("COMPLETED" | "FINALIZED")) {
        return other("The build has not ended");
    }
    let Some(job) = json::text(payload, "/name") else { return other("The body names no job") };
    let source = json::text(payload, "/build/scm/url").and_then(repository_of_url);
    // For a job without a source, its own name is used.
    let (registry, name) = source.unwrap_or((None, job));
    let mut event = request.event(EventKind::CiFinished, name);
    event.registry = registry.map(str::to_owned);
    let text = |pointer: &str| json::text(payload, pointer).map(str::to_owned);
    event.result_text = text("/build/status");
    event.commit = text("/build/scm/commit");
    let built = json::text(payload, "/build/scm/branch");
    if let Some(tag) = built.and_then(|built| built.strip_prefix("refs/tags/")) {
        event.tag = Some(tag.to_owned());
    } else {
        event.branch = built.map(|built| branch(built).to_owned());
    }
    let path = job_path(payload, job);
    let last = path.last().copied().unwrap_or_default();
    let number = built.into_iter().chain([last]).find_map(|name| number_of_reference(name, &REQUESTS));
    event.pull_request = number.map(|number| run_of(&event, Some(number), None));
    // A multibranch project has a job for each branch and each pull request.
    let is_branch =
        last.replace("%252F", "/").replace("%2F", "/") == event.branch.as_deref().unwrap_or_default();
    let project = path.split_last().map(|(_, project)| project).filter(|project| !project.is_empty());
    let project = project.filter(|_| is_branch || number.is_some());
    event.pipeline = Some(project.unwrap_or(&path).join("/"));
    let number = payload.pointer("/build/number").and_then(Value::as_u64);
    event.run = number.map(|number| format!("{}#{number}", path.join("/")));
    event.pushed_at = payload.pointer("/build/timestamp").and_then(time::parse);
    event.url = json::url(payload, "/build/full_url");
    Found::Events(vec![event])
}

/// A branch without what git and Jenkins put before it.
fn branch(written: &str) -> &str {
    let bare = written.strip_prefix("refs/").unwrap_or(written);
    ["heads/", "remotes/origin/", "origin/"].iter().find_map(|start| bare.strip_prefix(start)).unwrap_or(bare)
}

/// The names of the folders and of the job in its address, `job/folder/job/myapp/`; or its name alone.
fn job_path<'v>(payload: &'v Value, job: &'v str) -> Vec<&'v str> {
    let parts: Vec<&str> =
        json::text(payload, "/url").unwrap_or_default().trim_matches('/').split('/').collect();
    let name = |pair: &[&'v str]| match pair {
        ["job", name] => Some(*name),
        _ => None,
    };
    let names: Vec<&str> = parts.chunks(2).filter_map(name).collect();
    if names.is_empty() { vec![job] } else { names }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::inbound::normalise::tests::assert_bodies;

    #[test]
    fn example_bodies_normalise_to_these_events() {
        assert_bodies(
            &JENKINS,
            &[
                "finalized: ci.finished github.com/myorg/myapp branch=main commit=6f2d1c0 result=success text=SUCCESS pipeline=myapp run=myapp#5 at 2024-01-01T00:00:00Z",
                "multibranch: ci.finished github.com/myorg/myapp branch=feature/x commit=6f2d1c0 result=other text=UNSTABLE pipeline=team/myapp run=team/myapp/feature%252Fx#6 at 2024-01-01T00:00:00Z",
                "pull-request: ci.finished github.com/myorg/myapp branch=PR-5 commit=6f2d1c0 result=success text=SUCCESS pipeline=myapp run=myapp/PR-5#1 request=5 of a fork at 2024-01-01T00:00:00Z",
                "started: ignored: The build has not ended",
                "tag: ci.finished github.com/myorg/myapp:v1.0.0 commit=6f2d1c0 result=success text=SUCCESS pipeline=myapp run=myapp#7 at 2024-01-01T00:00:00Z",
            ],
        );
    }

    #[test]
    fn a_branch_has_no_prefix() {
        for written in ["main", "origin/main", "refs/heads/main", "refs/remotes/origin/main"] {
            assert_eq!(branch(written), "main", "{written}");
        }
        assert_eq!(branch("origin/origin/main"), "origin/main");
    }
}
