//! CircleCI: workflows and jobs that have ended.

use serde_json::Value;

use super::forge::repository_of_url;
use super::{Found, Reading, SenderRequest, time};
use crate::domain::inbound::json;
use crate::domain::inbound::normalised::EventKind;

pub(super) fn read(delivery: &SenderRequest<'_>) -> Reading {
    let delivery_id = json::text(delivery.payload, "/id").map(str::to_owned);
    Reading { delivery_id, found: found(delivery) }
}

fn found(delivery: &SenderRequest<'_>) -> Found {
    let payload = delivery.payload;
    let other = |reason: &str| Found::Ignored(reason.to_owned());
    let (member, scope) = match json::text(payload, "/type") {
        Some("workflow-completed") => ("workflow", None),
        Some("job-completed") => ("job", Some("job")),
        Some("ping") => return Found::Ping,
        _ => return other("Neither a workflow nor a job has ended"),
    };
    let run = payload.get(member).unwrap_or(&Value::Null);
    // GitHub apps and GitLab have it among the trigger's parameters.
    let git = |vcs: &str, parameter: &str| {
        let parameter = format!("/pipeline/trigger_parameters/git/{parameter}");
        json::text(payload, &format!("/pipeline/vcs/{vcs}")).or_else(|| json::text(payload, &parameter))
    };
    let source = git("target_repository_url", "repo_url").and_then(repository_of_url);
    let slug = || {
        json::text(payload, "/project/slug")
            .and_then(|slug| slug.split_once('/'))
            .map(|(_, name)| (None, name))
    };
    let Some((registry, name)) = source.or_else(slug) else {
        return other("The event names no repository");
    };
    let mut event = delivery.event(EventKind::CiFinished, name);
    event.registry = registry.map(str::to_owned);
    event.scope = scope.map(str::to_owned);
    event.result = json::text(run, "/status").map(str::to_owned);
    event.run = json::text(run, "/id").map(str::to_owned);
    event.commit = git("revision", "checkout_sha").map(str::to_owned);
    event.branch = git("branch", "branch").map(str::to_owned);
    event.tag = git("tag", "tag").map(str::to_owned);
    event.pushed_at = payload.get("happened_at").and_then(time::parse);
    event.url = json::url(payload, "/workflow/url");
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
                include_str!("../../../../../events/inbound/circleci/workflow-completed.json"),
                WebhookType::CiPipeline,
                Provider::Circleci,
                vec![
                    "ci.finished github.com/myorg/myapp branch=main commit=6f2d1c0 result=success run=w1 at 2024-01-01T00:00:00Z",
                ],
            ),
            (
                include_str!("../../../../../events/inbound/circleci/job-completed.json"),
                WebhookType::CiPipeline,
                Provider::Circleci,
                vec![
                    "ci.finished gitlab.com/myorg/myapp:v1.2.0 commit=6f2d1c0 result=failed run=j1 scope=job at 2024-01-01T00:00:00Z",
                ],
            ),
        ] {
            assert_eq!(lines(webhook_type, provider, body), expected, "{body}");
        }
    }
}
