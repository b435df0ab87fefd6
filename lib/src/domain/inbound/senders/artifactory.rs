//! `JFrog` Artifactory: events of the domain `docker`.

use super::preset::Preset;
use super::results::USUAL;
use super::sender::{Found, Reading, ReplayProtection, Sender, SenderRequest, example, page};
use super::shape::{has, is};
use super::{digest, forge};
use crate::domain::inbound::json;
use crate::domain::inbound::normalised::EventKind;
use crate::domain::inbound::webhook_type::WebhookType;

/// `JFrog` Artifactory. Its webhook either signs or sends the secret, in the same header.
pub(super) static ARTIFACTORY: Sender = Sender {
    name: "artifactory",
    provider: "artifactory",
    title: "JFrog Artifactory",
    types: &[WebhookType::RegistryPush],
    authentication: Preset::hmac_sha256("X-JFrog-Event-Auth", None),
    alternatives: &[Preset::Token("X-JFrog-Event-Auth")],
    recognises: Some(|body| is(body, "/domain", "docker") && has(body, "/event_type")),
    read,
    results: USUAL,
    time_is_push: false,
    replay_protection: ReplayProtection::Body,
    page: page!("artifactory"),
    examples: &[example!("artifactory", "push")],
};

fn read(request: &SenderRequest<'_>) -> Reading {
    Reading { delivery_id: None, found: found(request) }
}

fn found(request: &SenderRequest<'_>) -> Found {
    let payload = request.payload;
    let other = |reason: &str| Found::Ignored(reason.to_owned());
    if json::text(payload, "/domain") != Some("docker") {
        return other("The event is not about images");
    }
    let action = json::text(payload, "/event_type");
    let kind = match action {
        // A promotion brings the tag into the repository that the event names.
        Some("pushed" | "promoted") => EventKind::ArtifactPushed,
        Some("deleted") => EventKind::ArtifactDeleted,
        _ => return other("The image was neither pushed, promoted nor deleted"),
    };
    let file = json::text(payload, "/data/name").unwrap_or_default();
    let is_manifest = matches!(file, "manifest.json" | "list.manifest.json");
    if action == Some("pushed") && !is_manifest {
        return other("What was pushed is a part of an image");
    }
    let path = json::text(payload, "/data/path");
    let from_path = || path.and_then(|path| path.rsplit_once('/')?.0.rsplit_once('/')).map(|(name, _)| name);
    let image = json::text(payload, "/data/image_name").or_else(from_path);
    let (Some(key), Some(image)) = (json::text(payload, "/data/repo_key"), image) else {
        return other("The event names no image");
    };
    let mut event = request.event(kind, &format!("{key}/{image}"));
    let origin = json::text(payload, "/jpd_origin").map(|origin| format!("{origin}/"));
    event.registry = forge::host(origin.as_deref());
    // The manifest of one platform lies under its digest.
    let tag = json::text(payload, "/data/tag")
        .filter(|tag| !tag.starts_with("sha256:") && !tag.starts_with("sha256__"));
    event.tag = tag.map(str::to_owned);
    let hash =
        json::text(payload, "/data/sha256").filter(|_| is_manifest).map(|hash| format!("sha256:{hash}"));
    digest::note(&mut event, hash.as_deref());
    Found::Events(vec![event])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::inbound::normalise::tests::assert_bodies;

    #[test]
    fn example_bodies_normalise_to_these_events() {
        assert_bodies(
            &ARTIFACTORY,
            &[
                "push: artifact.pushed example.jfrog.io/docker-local/myorg/myapp:v1.2.0@sha256:abab",
                "layer: ignored: What was pushed is a part of an image",
                "promoted: artifact.pushed example.jfrog.io/docker-prod-local/myorg/myapp:v1.2.0@sha256:abab",
                "platform: artifact.pushed example.jfrog.io/docker-local/myorg/myapp@sha256:abab",
            ],
        );
    }
}
