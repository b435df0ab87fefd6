//! Jenkins, by its Notification plugin: builds that have ended, each told twice, as completed and as
//! finalised.

use serde_json::Value;

use super::forge::repository_of_url;
use super::preset::Preset;
use super::results::USUAL;
use super::sender::{Found, Reading, ReplayProtection, Sender, SenderRequest, example, page};
use super::shape::has;
use super::time;
use crate::domain::inbound::json;
use crate::domain::inbound::normalised::EventKind;
use crate::domain::inbound::webhook_type::WebhookType;

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
    results: USUAL,
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
    let Some(job) = json::text(payload, "/name") else { return other("The build has no job") };
    let source = json::text(payload, "/build/scm/url").and_then(repository_of_url);
    // Without a source the job stands for its repository.
    let (registry, name) = source.unwrap_or((None, job));
    let mut event = request.event(EventKind::CiFinished, name);
    event.registry = registry.map(str::to_owned);
    let text = |pointer: &str| json::text(payload, pointer).map(str::to_owned);
    event.result_text = text("/build/status");
    event.commit = text("/build/scm/commit");
    event.branch = text("/build/scm/branch").map(|branch| branch.trim_start_matches("origin/").to_owned());
    event.run =
        payload.pointer("/build/number").and_then(Value::as_u64).map(|number| format!("{job}#{number}"));
    event.pushed_at = payload.pointer("/build/timestamp").and_then(time::parse);
    event.url = json::url(payload, "/build/full_url");
    Found::Events(vec![event])
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
                "finalized: ci.finished github.com/myorg/myapp branch=main commit=6f2d1c0 result=success text=SUCCESS run=myapp#5 at 2024-01-01T00:00:00Z",
                "started: ignored: The build has not ended",
            ],
        );
    }
}
