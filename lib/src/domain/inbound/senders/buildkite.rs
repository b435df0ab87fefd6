//! Buildkite: builds that have ended, by its own webhooks and by Amazon EventBridge.

use serde_json::Value;

use super::forge::repository_of_url;
use super::preset::Preset;
use super::pull_request::{number_in, run_of};
use super::results::Results;
use super::sender::{Found, Reading, ReplayProtection, Sender, SenderRequest, example, page};
use super::shape::{begins, has};
use super::time;
use crate::domain::inbound::authentication::{Algorithm, Signed};
use crate::domain::inbound::json;
use crate::domain::inbound::normalised::{EventKind, NormalisedEvent, RunOfPullRequest};
use crate::domain::inbound::webhook_type::WebhookType;

/// The states of a build.
const RESULTS: Results = Results {
    success: &["passed"],
    failure: &["failed"],
    cancelled: &["canceled"],
    skipped: &["skipped", "notrun"],
};

/// Where the two ways have the same things.
struct Form {
    id: &'static str,
    repository: &'static str,
}

const WEBHOOK: Form = Form { id: "/build/id", repository: "/pipeline/repository" };
const EVENT_BRIDGE: Form = Form { id: "/build/uuid", repository: "/pipeline/repo" };

/// Buildkite. Its webhook either signs or sends the token.
pub(super) static BUILDKITE: Sender = Sender {
    name: "buildkite",
    provider: "buildkite",
    title: "Buildkite",
    types: &[WebhookType::CiPipeline],
    authentication: Preset::Hmac {
        header: "X-Buildkite-Signature",
        algorithm: Algorithm::HmacSha256,
        prefix: Some("signature="),
        signed: Signed::TimestampAndBody,
    },
    alternatives: &[Preset::Token("X-Buildkite-Token")],
    recognises: Some(|body| {
        (begins(body, "/event", "build.") && has(body, "/pipeline"))
            || begins(body, "/source", "aws.partner/buildkite.com/")
    }),
    read,
    results: RESULTS,
    time_is_push: true,
    replay_protection: ReplayProtection::Id,
    page: page!("buildkite"),
    examples: &[example!("buildkite", "build-finished", "X-Buildkite-Event" = "build.finished")],
};

fn read(request: &SenderRequest<'_>) -> Reading {
    let payload = request.payload;
    if let Some(name) = json::text(payload, "/detail-type") {
        let delivery_id = json::text(payload, "/id").map(str::to_owned);
        let detail = payload.get("detail").unwrap_or(&Value::Null);
        return Reading {
            delivery_id,
            found: found(request, name == "Build Finished", detail, &EVENT_BRIDGE),
        };
    }
    let found = match json::text(payload, "/event") {
        Some("ping") => Found::Ping,
        name => found(request, name == Some("build.finished"), payload, &WEBHOOK),
    };
    Reading { delivery_id: None, found }
}

fn found(request: &SenderRequest<'_>, has_ended: bool, body: &Value, form: &Form) -> Found {
    let other = |reason: &str| Found::Ignored(reason.to_owned());
    if !has_ended {
        return other("No build has ended");
    }
    let state = json::text(body, "/build/state");
    if body.pointer("/build/blocked") == Some(&Value::Bool(true)) || state == Some("blocked") {
        return other("The build waits for somebody to unblock it");
    }
    let Some((registry, name)) = json::text(body, form.repository).and_then(repository_of_url) else {
        return other("The pipeline names no repository");
    };
    let mut event = request.event(EventKind::CiFinished, name);
    event.registry = registry.map(str::to_owned);
    let text = |pointer: &str| json::text(body, pointer).map(str::to_owned);
    event.result_text = state.map(str::to_owned);
    event.pipeline = text("/pipeline/slug");
    // Until the source is checked out it may be a name.
    event.commit = text("/build/commit").filter(|commit| commit != "HEAD");
    event.branch = text("/build/branch");
    event.tag = text("/build/tag");
    event.pull_request = pull_request(&event, body);
    event.run = text(form.id);
    event.pushed_at = body.pointer("/build/finished_at").and_then(time::parse);
    event.pusher = text("/sender/name");
    event.url = json::url(body, "/build/web_url");
    Found::Events(vec![event])
}

/// The pull request of a build. EventBridge's events do not have it. There a fork's branch begins with its
/// owner, as in `forky:main`.
fn pull_request(event: &NormalisedEvent, body: &Value) -> Option<RunOfPullRequest> {
    let Some(request) = body.pointer("/build/pull_request").filter(|request| request.is_object()) else {
        let is_fork = event.branch.as_deref().is_some_and(|branch| branch.contains(':'));
        return is_fork.then(|| RunOfPullRequest { fork: Some(true), ..RunOfPullRequest::default() });
    };
    let number = request.get("id").and_then(|id| id.as_u64().or_else(|| number_in(id.as_str()?)));
    Some(run_of(event, number, json::text(request, "/repository")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::inbound::normalise::tests::assert_bodies;

    #[test]
    fn example_bodies_normalise_to_these_events() {
        assert_bodies(
            &BUILDKITE,
            &[
                "build-finished: ci.finished github.com/myorg/myapp branch=main commit=6f2d1c0 result=success text=passed pipeline=myapp run=b1 by Dev at 2024-01-01T00:00:00Z",
                "build-of-fork: ci.finished github.com/myorg/myapp branch=main commit=6f2d1c0 result=success text=passed pipeline=myapp run=b2 request=5 of a fork by Dev at 2024-01-01T00:00:00Z",
                "build-of-pull-request: ci.finished github.com/myorg/myapp branch=feature commit=6f2d1c0 result=success text=passed pipeline=myapp run=b3 request=6 by Dev at 2024-01-01T00:00:00Z",
                "build-blocked: ignored: The build waits for somebody to unblock it",
                "event-bridge: ci.finished github.com/myorg/myapp branch=main commit=6f2d1c0 result=failure text=failed pipeline=myapp run=b4 at 2024-01-01T00:00:00Z",
                "event-bridge-blocked: ignored: The build waits for somebody to unblock it",
                "event-bridge-fork: ci.finished github.com/myorg/myapp branch=forky:main commit=6f2d1c0 result=success text=passed pipeline=myapp run=b4 request= of a fork at 2024-01-01T00:00:00Z",
                "event-bridge-job: ignored: No build has ended",
                "ping: ping",
            ],
        );
    }
}
