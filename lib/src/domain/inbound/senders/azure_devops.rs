//! Azure DevOps: pushes, pull requests and builds, by service hooks.
//!
//! A repository has several addresses, with other hosts for SSH and for older organisations. The event has
//! all of them, so that a component is found by any. Its repository is the bare name, which two projects may
//! share.

use serde_json::Value;

use super::forge::{is_commit, note_reference, repository_of_url};
use super::preset::Preset;
use super::pull_request::{number_in, number_of_reference, run_of};
use super::results::Results;
use super::sender::{Found, Reading, ReplayProtection, Sender, SenderRequest, example, page};
use super::shape::has;
use super::time;
use crate::domain::inbound::json;
use crate::domain::inbound::normalised::{EventKind, NormalisedEvent, RunOfPullRequest};
use crate::domain::inbound::webhook_type::WebhookType;

/// `result` of a build, and `status` of older servers. `partiallySucceeded` is not a success.
const RESULTS: Results = Results {
    success: &["succeeded"],
    failure: &["failed"],
    cancelled: &["canceled", "cancelled", "stopped", "abandoned"],
    skipped: &["skipped"],
};

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
    results: RESULTS,
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
        _ => Found::Ignored("The event is about neither code nor a finished build".to_owned()),
    };
    Reading { delivery_id, found }
}

/// The repository by its name, as the hook's form shows it, with the host of its address.
fn event(request: &SenderRequest<'_>, kind: EventKind) -> Option<NormalisedEvent> {
    let payload = request.payload;
    let repository = payload.pointer("/resource/repository")?;
    if json::text(repository, "/type") == Some("TfsVersionControl") {
        return None;
    }
    let remote = json::text(repository, "/remoteUrl").or_else(|| json::text(repository, "/url"));
    let located = remote.and_then(repository_of_url);
    let path = located.map_or("", |(_, path)| path);
    // The build of a repository at another code host names it by `id` or by its address there.
    let is_azures = path.contains("_git/") || path.contains("_apis/");
    let elsewhere = Some(path).filter(|path| !is_azures && !path.is_empty());
    let id = json::text(repository, "/id").filter(|id| id.contains('/'));
    let last = || path.split_once("_git/").map(|(_, name)| name);
    let name = elsewhere.or(id).or_else(|| json::text(repository, "/name")).or_else(last);
    let mut event = request.event(kind, name.filter(|name| !name.is_empty())?);
    let at_github = Some("github.com").filter(|_| json::text(repository, "/type") == Some("GitHub"));
    event.registry = located.and_then(|(host, _)| host).or(at_github).map(str::to_owned);
    let remote = remote.filter(|_| !path.contains("_apis/"));
    let ssh = json::text(repository, "/sshUrl").map(str::to_owned);
    event.addresses = addresses(remote.unwrap_or_default());
    if let Some(ssh) = ssh.filter(|ssh| !event.addresses.contains(ssh)) {
        event.addresses.push(ssh);
    }
    Some(event)
}

/// All addresses of the repository at one: of `https://dev.azure.com/myorg/proj/_git/app` also those for SSH
/// and at `myorg.visualstudio.com`. At other hosts it has only the one.
fn addresses(remote: &str) -> Vec<String> {
    let Some((scheme, rest)) = remote.split_once("://") else { return Vec::new() };
    let Some((host, path)) = rest.split_once('/') else { return Vec::new() };
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    let parts: Vec<&str> =
        path.trim_matches('/').split('/').filter(|part| *part != "DefaultCollection").collect();
    let old_name = host.strip_suffix(".visualstudio.com");
    // The project is left out if the repository has its name.
    let (organisation, project, name) = match (old_name, parts.as_slice()) {
        (Some(organisation), [project, "_git", name]) => (organisation, *project, *name),
        (Some(organisation), ["_git", name]) => (organisation, *name, *name),
        (None, [organisation, project, "_git", name]) if host == "dev.azure.com" => {
            (*organisation, *project, *name)
        }
        (None, [organisation, "_git", name]) if host == "dev.azure.com" => (*organisation, *name, *name),
        _ => return vec![format!("{scheme}://{host}/{}", path.trim_matches('/'))],
    };
    let mut addresses = vec![
        format!("https://dev.azure.com/{organisation}/{project}/_git/{name}"),
        format!("git@ssh.dev.azure.com:v3/{organisation}/{project}/{name}"),
        format!("https://{organisation}.visualstudio.com/{project}/_git/{name}"),
        format!("https://{organisation}.visualstudio.com/DefaultCollection/{project}/_git/{name}"),
        format!("{organisation}@vs-ssh.visualstudio.com:v3/{organisation}/{project}/{name}"),
    ];
    if project == name {
        addresses.push(format!("https://dev.azure.com/{organisation}/_git/{name}"));
        addresses.push(format!("https://{organisation}.visualstudio.com/_git/{name}"));
    }
    addresses
}

/// Whether an id is the mark that there is no commit: zeros, 40 or 64 of them.
fn is_no_commit(id: &str) -> bool {
    !id.is_empty() && id.bytes().all(|byte| byte == b'0')
}

fn push(request: &SenderRequest<'_>) -> Found {
    let payload = request.payload;
    let updates = payload.pointer("/resource/refUpdates").and_then(Value::as_array);
    let moved = |update: &Value| {
        let mut event = event(request, EventKind::GitPush)?;
        let new = json::text(update, "/newObjectId")?;
        let is_named = note_reference(&mut event, json::text(update, "/name")?);
        event.deleted = is_no_commit(new);
        event.commit = Some(new).filter(|new| !event.deleted && is_commit(new)).map(str::to_owned);
        event.before = json::text(update, "/oldObjectId").map(str::to_owned);
        event.pusher = json::text(payload, "/resource/pushedBy/uniqueName").map(str::to_owned);
        event.pushed_at = payload.pointer("/resource/date").and_then(time::parse);
        let is_deleted_tag = event.deleted && event.kind == EventKind::GitTag;
        Some(event).filter(|event| is_named && (event.commit.is_some() || is_deleted_tag))
    };
    let events: Vec<NormalisedEvent> = updates.into_iter().flatten().filter_map(moved).collect();
    if events.is_empty() {
        return Found::Ignored("No branch or tag has a new commit, and no tag was deleted".to_owned());
    }
    Found::Events(events)
}

/// A build names its repository where it can. Otherwise the name of its definition is used.
fn build(request: &SenderRequest<'_>) -> Found {
    let payload = request.payload;
    let text = |pointer: &str| json::text(payload, pointer).map(str::to_owned);
    let definition =
        || text("/resource/definition/name").map(|name| request.event(EventKind::CiFinished, &name));
    let Some(mut event) = event(request, EventKind::CiFinished).or_else(definition) else {
        return Found::Ignored("The build names neither a repository nor a definition".to_owned());
    };
    event.result_text = text("/resource/result").or_else(|| text("/resource/status"));
    event.pipeline = text("/resource/definition/name");
    // Written `LG:refs/heads/main:<commit>` by older servers.
    let source = text("/resource/sourceGetVersion");
    let (reference, commit) =
        source.as_deref().and_then(|source| source.rsplit_once(':')).unwrap_or_default();
    let reference = reference.rsplit(':').next().unwrap_or_default();
    let named = text("/resource/sourceBranch");
    let reference = named.as_deref().unwrap_or(reference);
    note_reference(&mut event, reference);
    event.kind = EventKind::CiFinished;
    let commit = text("/resource/sourceVersion").unwrap_or_else(|| commit.to_owned());
    event.commit = Some(commit).filter(|commit| is_commit(commit) && !is_no_commit(commit));
    event.pull_request = built_request(&event, payload, reference);
    // The number is that of a day and a definition. A build that is run again keeps its id.
    let id = payload.pointer("/resource/id").map(Value::to_string);
    event.run = text("/resource/buildNumber").or_else(|| id.clone());
    event.run_id = id;
    event.pushed_at = payload.pointer("/resource/finishTime").and_then(time::parse);
    event.url = json::url(payload, "/resource/_links/web/href");
    Found::Events(vec![event])
}

/// The pull request that a build ran for: of Azure's own repositories by its reason, of others by its reference
/// too.
fn built_request(event: &NormalisedEvent, payload: &Value, reference: &str) -> Option<RunOfPullRequest> {
    let by_reference = number_of_reference(reference, &["pull/"]);
    let given = payload.pointer("/resource/triggerInfo/pr.number");
    let number = given.and_then(|number| number.as_u64().or_else(|| number_in(number.as_str()?)));
    let is_run_of = json::text(payload, "/resource/reason") == Some("pullRequest");
    if !is_run_of && by_reference.is_none() && given.is_none() {
        return None;
    }
    let is_fork = json::text(payload, "/resource/triggerInfo/pr.isFork");
    let fork = is_fork.map(|text| !text.eq_ignore_ascii_case("false"));
    Some(RunOfPullRequest { fork, ..run_of(event, number.or(by_reference), None) })
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
    use crate::domain::inbound::normalise::tests::{assert_bodies, events};

    const PUSH: &str = include_str!("../../../../../events/inbound/azure-devops/push.json");

    #[test]
    fn example_bodies_normalise_to_these_events() {
        assert_bodies(
            &AZURE_DEVOPS,
            &[
                "push: git.push dev.azure.com/myapp branch=main commit=6f2d1c0 before=0000000 by dev@example.com at 2024-01-01T00:00:00Z",
                "push-deleted-tag: git.tag dev.azure.com/myapp:v1.2.0 before=6f2d1c0 deleted by dev@example.com at 2024-01-01T00:00:00Z",
                "build-complete: ci.finished myapp-ci branch=main commit=6f2d1c0 result=success text=succeeded pipeline=myapp-ci run=20240101.1 runId=2 at 2024-01-01T00:00:00Z",
                "build-of-github: ci.finished github.com/myorg/myapp branch=main commit=6f2d1c0 result=other text=partiallySucceeded pipeline=myapp-ci run=20240101.2 runId=3 at 2024-01-01T00:00:00Z",
                "build-of-pull-request: ci.finished dev.azure.com/myapp commit=6f2d1c0 result=success text=succeeded pipeline=myapp-ci run=20240101.3 runId=4 request=5 of a fork at 2024-01-01T00:00:00Z",
                "pull-request-merged: pr dev.azure.com/myapp branch=feature commit=6f2d1c0 text=merged run=4 by dev@example.com",
                "pull-request-created: pr dev.azure.com/myapp branch=feature commit=6f2d1c0 text=created run=4 by dev@example.com",
                "work-item-created: ignored: The event is about neither code nor a finished build",
            ],
        );
    }

    #[test]
    fn a_repository_has_its_addresses_for_browsers_and_for_ssh_at_every_host() {
        let modern = addresses("https://myorg@dev.azure.com/myorg/My%20Project/_git/app");
        for address in [
            "https://dev.azure.com/myorg/My%20Project/_git/app",
            "git@ssh.dev.azure.com:v3/myorg/My%20Project/app",
            "https://myorg.visualstudio.com/My%20Project/_git/app",
        ] {
            assert!(modern.iter().any(|known| known == address), "{address}");
        }
        assert_eq!(addresses("https://myorg.visualstudio.com/My%20Project/_git/app"), modern);
        assert_eq!(
            addresses("https://myorg.visualstudio.com/DefaultCollection/My%20Project/_git/app"),
            modern
        );
        assert_ne!(addresses("https://dev.azure.com/myorg/Other/_git/app"), modern);
        let short = addresses("https://dev.azure.com/myorg/_git/app");
        assert_eq!(short, addresses("https://dev.azure.com/myorg/app/_git/app"));
        assert!(short.contains(&"https://dev.azure.com/myorg/_git/app".to_owned()));
        let own = addresses("http://tfs.example.com/tfs/DefaultCollection/proj/_git/app");
        assert_eq!(own, ["http://tfs.example.com/tfs/DefaultCollection/proj/_git/app"]);
        assert!(addresses("").is_empty());
        assert_eq!(events(&AZURE_DEVOPS, PUSH)[0].addresses.len(), 5);
    }

    #[test]
    fn a_build_of_a_fork_and_a_build_of_the_repository_itself_are_told_apart() {
        let build = |trigger: &str| {
            let body = format!(
                r#"{{"eventType":"build.complete","resource":{{"id":4,"status":"completed","result":"succeeded",
                "repository":{{"id":"myorg/myapp","type":"GitHub"}},"reason":"pullRequest",
                "sourceBranch":"refs/pull/5/merge"{trigger}}}}}"#
            );
            events(&AZURE_DEVOPS, &body).remove(0)
        };
        let request = |trigger: &str| build(trigger).pull_request.expect("of a pull request");
        assert_eq!(request("").number, Some(5));
        assert!(request("").may_be_of_fork());
        assert!(!request(r#","triggerInfo":{"pr.number":"5","pr.isFork":"False"}"#).may_be_of_fork());
        assert!(request(r#","triggerInfo":{"pr.number":"5","pr.isFork":"True"}"#).may_be_of_fork());
        assert_eq!(build("").registry.as_deref(), Some("github.com"));
        assert_eq!(build("").repository, "myorg/myapp");
    }
}
