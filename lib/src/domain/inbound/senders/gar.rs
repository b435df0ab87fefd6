//! Google's Artifact Registry, by a Pub/Sub push subscription: wrapped, or as the bare message.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::preset::Preset;
use super::results::USUAL;
use super::sender::{Found, Reading, ReplayProtection, Sender, SenderRequest, example, page};
use super::shape::has;
use super::{digest, reference, time};
use crate::domain::inbound::json;
use crate::domain::inbound::normalised::EventKind;
use crate::domain::inbound::webhook_type::WebhookType;

/// Google's Artifact Registry. Pub/Sub can send OpenID Connect tokens; their audience and account are the
/// tenant's, so that only a config can have them.
pub(super) static GAR: Sender = Sender {
    name: "gar",
    provider: "gar",
    title: "Google Artifact Registry",
    types: &[WebhookType::RegistryPush],
    authentication: Preset::UrlToken,
    alternatives: &[],
    recognises: Some(|body| has(body, "/message/data") && has(body, "/subscription")),
    read,
    results: USUAL,
    time_is_push: true,
    replay_protection: ReplayProtection::Time,
    page: page!("gar"),
    examples: &[example!("gar", "push")],
};

fn read(request: &SenderRequest<'_>) -> Reading {
    let payload = request.payload;
    if let Some(data) = json::text(payload, "/message/data") {
        let inner = STANDARD.decode(data).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
        let Some(inner) = inner else {
            return Reading::ignored("The message's data is not JSON in base64");
        };
        let id =
            json::text(payload, "/message/messageId").or_else(|| json::text(payload, "/message/message_id"));
        let published = payload.pointer("/message/publishTime");
        return Reading { delivery_id: id.map(str::to_owned), found: found(request, &inner, published) };
    }
    Reading { delivery_id: None, found: found(request, payload, None) }
}

fn found(request: &SenderRequest<'_>, message: &Value, published: Option<&Value>) -> Found {
    let other = |reason: &str| Found::Ignored(reason.to_owned());
    let kind = match json::text(message, "/action") {
        Some("INSERT") => EventKind::ArtifactPushed,
        Some("DELETE") => EventKind::ArtifactDeleted,
        _ => return other("The message is not about an image"),
    };
    let (tagged, digested) = (json::text(message, "/tag"), json::text(message, "/digest"));
    let Some(name) = tagged.or(digested).map(reference::bare) else {
        return other("The message names no image");
    };
    let (host, name) = reference::split_host(name);
    let mut event = request.event(kind, name);
    event.registry = host.map(str::to_owned);
    event.tag = tagged.and_then(|tagged| tagged.rsplit_once(':')).map(|(_, tag)| tag.to_owned());
    digest::note(
        &mut event,
        digested.and_then(|digested| digested.split_once('@')).map(|(_, digest)| digest),
    );
    event.pushed_at = published.and_then(time::parse);
    Found::Events(vec![event])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::inbound::normalise::tests::assert_bodies;

    #[test]
    fn example_bodies_normalise_to_these_events() {
        assert_bodies(
            &GAR,
            &[
                "push: artifact.pushed europe-docker.pkg.dev/proj/repo/myapp:v1.2.0@sha256:abab at 2024-01-01T00:00:00Z",
                "unwrapped: artifact.pushed europe-docker.pkg.dev/proj/repo/myapp@sha256:abab",
                "not-base64: ignored: The message's data is not JSON in base64",
            ],
        );
    }
}
