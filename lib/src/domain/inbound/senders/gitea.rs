//! Gitea and Forgejo: packages, and what every forge tells.

use serde_json::Value;

use super::{Found, Reading, SenderRequest, digest, forge, time};
use crate::domain::inbound::json;
use crate::domain::inbound::normalised::EventKind;

/// Forgejo sends Gitea's headers too.
const DELIVERY_ID_HEADERS: [&str; 2] = ["x-forgejo-delivery", "x-gitea-delivery"];

pub(super) fn read(delivery: &SenderRequest<'_>) -> Reading {
    let delivery_id = DELIVERY_ID_HEADERS.iter().find_map(|name| delivery.header(name)).map(str::to_owned);
    let found = if delivery.payload.get("package").is_some_and(Value::is_object) {
        package(delivery)
    } else {
        let other = || Found::Ignored("The event tells neither of code nor of a package".to_owned());
        forge::read(delivery).unwrap_or_else(other)
    };
    Reading { delivery_id, found }
}

fn package(delivery: &SenderRequest<'_>) -> Found {
    let payload = delivery.payload;
    if json::text(payload, "/package/type") != Some("container") {
        return Found::Ignored("The package is no container image".to_owned());
    }
    let kind = match json::text(payload, "/action") {
        Some("created") => EventKind::ArtifactPushed,
        Some("deleted") => EventKind::ArtifactDeleted,
        _ => return Found::Ignored("The package was neither pushed nor deleted".to_owned()),
    };
    let owner = json::text(payload, "/package/owner/login")
        .or_else(|| json::text(payload, "/package/owner/username"));
    let (Some(owner), Some(name)) = (owner, json::text(payload, "/package/name")) else {
        return Found::Ignored("The package has no name".to_owned());
    };
    let mut event = delivery.event(kind, &format!("{owner}/{name}").to_lowercase());
    event.registry = forge::host(json::text(payload, "/package/html_url"));
    match json::text(payload, "/package/version") {
        Some(version) if digest::has_form(version) => digest::note(&mut event, Some(version)),
        version => event.tag = version.map(str::to_owned),
    }
    event.pushed_at = payload.pointer("/package/created_at").and_then(time::parse);
    let pusher =
        json::text(payload, "/package/creator/login").or_else(|| json::text(payload, "/sender/login"));
    event.pusher = pusher.map(str::to_owned);
    event.url = json::url(payload, "/package/html_url");
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
                include_str!("../../../../../events/inbound/gitea/package.json"),
                WebhookType::RegistryPush,
                Provider::Gitea,
                vec!["artifact.pushed git.example.com/myorg/myapp:v1.2.0 by builder at 2024-01-01T00:00:00Z"],
            ),
            (
                include_str!("../../../../../events/inbound/gitea/push.json"),
                WebhookType::CiPipeline,
                Provider::Forgejo,
                vec![
                    "git.push git.example.com/myorg/myapp branch=main commit=6f2d1c0 by dev at 2024-01-01T00:00:00Z",
                ],
            ),
        ] {
            assert_eq!(lines(webhook_type, provider, body), expected, "{body}");
        }
    }
}
