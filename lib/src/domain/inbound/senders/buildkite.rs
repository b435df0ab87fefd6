//! Buildkite: builds that have ended.

use serde_json::Value;

use super::forge::repository_of_url;
use super::{Found, Reading, SenderRequest, time};
use crate::domain::inbound::json;
use crate::domain::inbound::normalised::EventKind;

pub(super) fn read(delivery: &SenderRequest<'_>) -> Reading {
    Reading { delivery_id: None, found: found(delivery) }
}

fn found(delivery: &SenderRequest<'_>) -> Found {
    let payload = delivery.payload;
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
    let mut event = delivery.event(EventKind::CiFinished, name);
    event.registry = registry.map(str::to_owned);
    let text = |pointer: &str| json::text(payload, pointer).map(str::to_owned);
    event.result = text("/build/state");
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
    use super::super::tests::lines;
    use crate::domain::inbound::provider::{Provider, WebhookType};

    #[test]
    fn each_of_its_bodies_says_what_it_should() {
        for (body, webhook_type, provider, expected) in [
            (
                include_str!("../../../../../events/inbound/buildkite/build-finished.json"),
                WebhookType::CiPipeline,
                Provider::Buildkite,
                vec![
                    "ci.finished github.com/myorg/myapp branch=main commit=6f2d1c0 result=passed run=b1 by Dev at 2024-01-01T00:00:00Z",
                ],
            ),
            (
                include_str!("../../../../../events/inbound/buildkite/build-blocked.json"),
                WebhookType::CiPipeline,
                Provider::Buildkite,
                vec!["nothing: The build waits for somebody to unblock it"],
            ),
            (
                include_str!("../../../../../events/inbound/buildkite/ping.json"),
                WebhookType::CiPipeline,
                Provider::Buildkite,
                vec!["ping"],
            ),
        ] {
            assert_eq!(lines(webhook_type, provider, body), expected, "{body}");
        }
    }
}
