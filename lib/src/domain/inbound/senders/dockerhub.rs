//! Docker Hub: pushes, without a reliable digest, and never signed.
//!
//! `push_data.images` is missing today, was empty for years, and in the oldest bodies lists layer ids.
//! `callback_url` is a leftover. It is never called, because the sender of the body chooses the address.

use serde_json::Value;

use super::preset::Preset;
use super::results::USUAL;
use super::sender::{Reading, ReplayProtection, Sender, SenderRequest, example, page};
use super::shape::{begins, has};
use super::{digest, time};
use crate::domain::inbound::json;
use crate::domain::inbound::normalised::EventKind;
use crate::domain::inbound::webhook_type::WebhookType;

const HOST: &str = "docker.io";

/// Docker Hub.
pub(super) static DOCKERHUB: Sender = Sender {
    name: "dockerhub",
    provider: "dockerhub",
    title: "Docker Hub",
    types: &[WebhookType::RegistryPush],
    authentication: Preset::UrlToken,
    alternatives: &[],
    recognises: Some(|body| {
        let is_at_docker_hub = begins(body, "/repository/repo_url", "https://hub.docker.com/");
        has(body, "/push_data") && (is_at_docker_hub || json::text(body, "/repository/repo_name").is_some())
    }),
    read,
    results: USUAL,
    time_is_push: true,
    replay_protection: ReplayProtection::Time,
    page: page!("dockerhub"),
    examples: &[example!("dockerhub", "push")],
};

fn read(request: &SenderRequest<'_>) -> Reading {
    let payload = request.payload;
    if !payload.get("push_data").is_some_and(Value::is_object) {
        return Reading::ignored("The body is not a push of Docker Hub");
    }
    let Some(repository) = repository(payload) else {
        return Reading::ignored("The push names no repository");
    };
    let mut event = request.event(EventKind::ArtifactPushed, &repository);
    event.registry = Some(HOST.to_owned());
    event.tag = json::text(payload, "/push_data/tag").map(str::to_owned);
    digest::note(&mut event, json::text(payload, "/push_data/images/0"));
    event.pushed_at = payload.pointer("/push_data/pushed_at").and_then(time::parse);
    event.pusher = json::text(payload, "/push_data/pusher").map(str::to_owned);
    event.url = json::url(payload, "/repository/repo_url");
    Reading::event(event)
}

fn repository(payload: &Value) -> Option<String> {
    let namespace = json::text(payload, "/repository/namespace");
    let name = json::text(payload, "/repository/name");
    match (namespace, name) {
        (Some(namespace), Some(name)) => Some(format!("{namespace}/{name}")),
        (None, _) | (_, None) => json::text(payload, "/repository/repo_name").or(name).map(str::to_owned),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::inbound::normalise::tests::{assert_bodies, events, reason};
    use crate::domain::inbound::normalised::NormalisedEvent;

    const PUSH: &str = include_str!("../../../../../events/inbound/dockerhub/push.json");
    const CURRENT: &str = include_str!("../../../../../events/inbound/dockerhub/push-without-images.json");
    const OLDEST: &str = include_str!("../../../../../events/inbound/dockerhub/push-with-layer-ids.json");

    fn event(body: &str) -> NormalisedEvent {
        events(&DOCKERHUB, body).remove(0)
    }

    #[test]
    fn example_bodies_normalise_to_these_events() {
        assert_bodies(
            &DOCKERHUB,
            &[
                "push: artifact.pushed docker.io/myorg/myapp:v1.2.0@?sha256:abc1 at 2024-01-01T00:00:00Z",
                "push-without-images: artifact.pushed docker.io/myorg/myapp:latest by builder at 2024-01-01T00:00:00Z",
                "push-with-layer-ids: artifact.pushed docker.io/myorg/myapp:latest by builder at 2024-01-01T00:00:00Z",
            ],
        );
    }

    #[test]
    fn a_push_in_the_specifications_form_is_read() {
        let event = event(PUSH);
        assert_eq!(event.kind, EventKind::ArtifactPushed);
        assert_eq!(
            (event.registry.as_deref(), event.repository.as_str()),
            (Some("docker.io"), "myorg/myapp")
        );
        assert_eq!(event.tag.as_deref(), Some("v1.2.0"));
        assert_eq!((event.digest.as_deref(), event.digest_valid), (Some("sha256:abc123..."), false));
        assert_eq!(event.pushed_at.unwrap().to_rfc3339(), "2024-01-01T00:00:00+00:00");
        assert_eq!(event.url.as_deref(), Some("https://hub.docker.com/r/myorg/myapp"));
    }

    #[test]
    fn layer_ids_and_absent_images_are_not_digests() {
        let oldest = event(OLDEST);
        assert_eq!((oldest.digest, oldest.digest_valid), (None, false));
        // Written as a float there.
        assert_eq!(oldest.pushed_at.unwrap().timestamp(), 1_704_067_200);
        let current = event(CURRENT);
        assert_eq!(current.digest, None);
        assert_eq!((current.tag.as_deref(), current.pusher.as_deref()), (Some("latest"), Some("builder")));
    }

    #[test]
    fn only_a_body_that_says_it_is_docker_hubs_is_recognised() {
        for (repository, expected) in [
            (json!({"repo_name": "myorg/myapp"}), true),
            (json!({"name": "a", "namespace": "b", "repo_url": "https://hub.docker.com/r/b/a"}), true),
            (json!({"name": "a", "namespace": "b", "repo_url": "https://registry.example/b/a"}), false),
            (json!({"name": "a", "namespace": "b"}), false),
        ] {
            let body = json!({"push_data": {"tag": "v1"}, "repository": repository});
            assert_eq!(DOCKERHUB.recognises.unwrap()(&body), expected, "{body}");
        }
    }

    #[test]
    fn an_official_image_has_its_full_name() {
        let body =
            json!({"push_data": {"tag": "1"}, "repository": {"name": "nginx", "repo_name": "library/nginx"}});
        assert_eq!(event(&body.to_string()).repository, "library/nginx");
    }

    #[test]
    fn what_is_not_a_push_or_names_no_repository_is_ignored() {
        for body in [json!({}), json!([]), json!({"push_data": 1}), json!({"push_data": {"tag": "v1"}})] {
            assert!(!reason(&DOCKERHUB, &body.to_string()).is_empty(), "{body}");
        }
    }
}
