//! Jenkins, by its Notification plugin: builds that have ended, each told twice, as completed and as
//! finalised.

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
    // The status of a build that has only started is that of the one before.
    if !matches!(json::text(payload, "/build/phase"), Some("COMPLETED" | "FINALIZED")) {
        return other("The build has not ended");
    }
    let Some(job) = json::text(payload, "/name") else { return other("The build has no job") };
    let source = json::text(payload, "/build/scm/url").and_then(repository_of_url);
    // Without a source the job stands for its repository.
    let (registry, name) = source.unwrap_or((None, job));
    let mut event = delivery.event(EventKind::CiFinished, name);
    event.registry = registry.map(str::to_owned);
    let text = |pointer: &str| json::text(payload, pointer).map(str::to_owned);
    event.result = text("/build/status");
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
    use super::super::tests::lines;
    use crate::domain::inbound::provider::{Provider, WebhookType};

    #[test]
    fn each_of_its_bodies_says_what_it_should() {
        for (body, webhook_type, provider, expected) in [
            (
                include_str!("../../../../../events/inbound/jenkins/finalized.json"),
                WebhookType::CiPipeline,
                Provider::Jenkins,
                vec![
                    "ci.finished github.com/myorg/myapp branch=main commit=6f2d1c0 result=SUCCESS run=myapp#5 at 2024-01-01T00:00:00Z",
                ],
            ),
            (
                include_str!("../../../../../events/inbound/jenkins/started.json"),
                WebhookType::CiPipeline,
                Provider::Jenkins,
                vec!["nothing: The build has not ended"],
            ),
        ] {
            assert_eq!(lines(webhook_type, provider, body), expected, "{body}");
        }
    }
}
