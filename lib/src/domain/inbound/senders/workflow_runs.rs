//! Runs of GitHub Actions and of Gitea Actions, whose bodies have the same form: `workflow_run`,
//! `workflow_job`, and GitHub's `check_suite`.

use serde_json::Value;

use super::sender::{Found, SenderRequest};
use super::{forge, time};
use crate::domain::inbound::json;
use crate::domain::inbound::normalised::{EventKind, RunOfPullRequest};

/// The members that a run is in, each with the scope of its event.
const RUNS: [(&str, Option<&str>); 3] =
    [("workflow_run", None), ("workflow_job", Some("job")), ("check_suite", Some("check_suite"))];

/// The run in a body, if it has one.
pub(super) fn read(request: &SenderRequest<'_>) -> Option<Found> {
    RUNS.iter().find_map(|(member, scope)| {
        let run = request.payload.get(*member).filter(|run| run.is_object())?;
        Some(finished(request, run, *scope))
    })
}

/// A workflow run that has ended, or a part of one.
fn finished(request: &SenderRequest<'_>, run: &Value, scope: Option<&str>) -> Found {
    let payload = request.payload;
    if json::text(payload, "/action") != Some("completed") {
        return Found::Ignored("The run has not ended".to_owned());
    }
    let mut event = match forge::event(request, EventKind::CiFinished) {
        Ok(event) => event,
        Err(found) => return found,
    };
    let text = |pointer: &str| json::text(run, pointer).map(str::to_owned);
    event.scope = scope.map(str::to_owned);
    event.result_text = text("/conclusion");
    event.commit = forge::commit(run, "/head_sha");
    event.branch = text("/head_branch");
    event.url = json::url(run, "/html_url");
    event.pushed_at = ["/updated_at", "/completed_at"].iter().find_map(|at| time::parse(run.pointer(at)?));
    let workflow = json::text(payload, "/workflow/name").filter(|_| scope.is_none()).map(str::to_owned);
    event.pipeline = workflow.or_else(|| text("/name"));
    // Another attempt of a run has the same id. A job has an id of its own, and that of its run.
    let number = |member: &str| run.get(member).and_then(Value::as_u64);
    let attempt = number("run_attempt").unwrap_or(1);
    event.run = number("id").map(|id| format!("{id}-{attempt}"));
    event.run_id = number("run_id").or_else(|| number("id")).map(|id| id.to_string());
    event.pull_request = pull_request(payload, run, scope);
    Found::Events(vec![event])
}

/// The pull request that a run was for. A run's `event` says whether there is one. A check suite has no
/// `event`, but the open pull requests of its commit; and no branch, if that is in a fork. A job's body has
/// neither.
fn pull_request(payload: &Value, run: &Value, scope: Option<&str>) -> Option<RunOfPullRequest> {
    let first = run.pointer("/pull_requests/0");
    let source = json::text(run, "/head_repository/full_name");
    let is_other = match (source, json::text(payload, "/repository/full_name")) {
        (Some(source), Some(own)) => Some(!source.eq_ignore_ascii_case(own)),
        (Some(_), None) | (None, _) => run.pointer("/head_repository/fork").and_then(Value::as_bool),
    };
    let is_of_request = match json::text(run, "/event") {
        Some(event) => event.starts_with("pull_request"),
        None => first.is_some(),
    };
    let has_no_branch = scope == Some("check_suite") && run.get("head_branch") == Some(&Value::Null);
    if !is_of_request && is_other != Some(true) && !has_no_branch {
        return None;
    }
    let id = |pointer: &str| first?.pointer(pointer)?.as_u64();
    let is_of_other_id = || Some(id("/head/repo/id")? != id("/base/repo/id")?);
    Some(RunOfPullRequest {
        number: id("/number"),
        source_repository: source.map(str::to_owned),
        fork: is_other.or_else(is_of_other_id),
    })
}
