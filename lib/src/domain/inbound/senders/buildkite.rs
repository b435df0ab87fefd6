//! Buildkite: builds that have ended.

use serde_json::Value;

use super::forge::repository_of_url;
use super::preset::Preset;
use super::results::USUAL;
use super::sender::{Found, Reading, ReplayProtection, Sender, SenderRequest, example, page};
use super::shape::{begins, has};
use super::time;
use crate::domain::inbound::authentication::{Algorithm, Signed};
use crate::domain::inbound::json;
use crate::domain::inbound::normalised::EventKind;
use crate::domain::inbound::webhook_type::WebhookType;

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
    recognises: Some(|body| begins(body, "/event", "build.") && has(body, "/pipeline")),
    read,
    results: USUAL,
    time_is_push: true,
    replay_protection: ReplayProtection::Id,
    page: page!("buildkite"),
    examples: &[example!("buildkite", "build-finished", "X-Buildkite-Event" = "build.finished")],
};

fn read(request: &SenderRequest<'_>) -> Reading {
    Reading { delivery_id: None, found: found(request) }
}

fn found(request: &SenderRequest<'_>) -> Found {
    let payload = request.payload;
    let other = |reason: &str| Found::Ignored(reason.to_owned());
    match json::text(payload, "/event") {
        Some("build.finished") => {}
        Some("ping") => return Found::Ping,
        _ => return other("No build has ended"),
    }
    if payload.pointer("/build/blocked") == Some(&Value::Bool(true)) {
        return other("The build waits for somebody to unblock it");
    }
    let Some((registry, name)) = json::text(payload, "/pipeline/repository").and_then(repository_of_url)
    else {
        return other("The pipeline names no repository");
    };
    let mut event = request.event(EventKind::CiFinished, name);
    event.registry = registry.map(str::to_owned);
    let text = |pointer: &str| json::text(payload, pointer).map(str::to_owned);
    event.result_text = text("/build/state");
    // Until the source is checked out it may be a name.
    event.commit = text("/build/commit").filter(|commit| commit != "HEAD");
    event.branch = text("/build/branch");
    event.tag = text("/build/tag");
    event.run = text("/build/id");
    event.pushed_at = payload.pointer("/build/finished_at").and_then(time::parse);
    event.pusher = text("/sender/name");
    event.url = json::url(payload, "/build/web_url");
    Found::Events(vec![event])
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
                "build-finished: ci.finished github.com/myorg/myapp branch=main commit=6f2d1c0 result=success text=passed run=b1 by Dev at 2024-01-01T00:00:00Z",
                "build-blocked: ignored: The build waits for somebody to unblock it",
                "ping: ping",
            ],
        );
    }
}
