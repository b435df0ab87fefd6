//! The headers of an attempt's request. They are composed here only: attempts and pull readers get them with
//! the secret values filled in, and the delivery log shows them with those values redacted.

use chrono::{DateTime, Utc};

use super::event_type::EventType;
use super::lineage;
use super::subscription::{AuthType, Subscription};
use crate::domain::shared::delivery_id::DeliveryId;
use crate::domain::shared::headers::{REDACTED, redact};
use crate::domain::shared::time::timestamp;

/// `User-Agent`, unless the subscription sets its own.
pub const USER_AGENT: &str = concat!("Stella-Webhooks/", env!("CARGO_PKG_VERSION"));

/// A header of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// The name, as written.
    pub name: String,
    /// The value.
    pub value: HeaderValue,
}

/// The value of a header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HeaderValue {
    /// A value that contains no secret of ours. It may still be a subscription's own sensitive header, which
    /// logs do not show.
    Plain(String),
    /// A value that is made of a secret: a credential or a signature.
    Secret,
}

/// The attempt of a request.
#[derive(Debug, Clone, Copy)]
pub struct AttemptHead {
    /// The delivery.
    pub id: DeliveryId,
    /// The event's type.
    pub event: EventType,
    /// The attempt's number, from 1.
    pub number: u32,
    /// When the attempt is made. The signature covers it.
    pub at: DateTime<Utc>,
}

/// All headers but `Host` and `Content-Length`, in the order in which they are sent.
#[must_use]
pub fn headers(subscription: &Subscription, attempt: AttemptHead) -> Vec<Header> {
    let spec = &subscription.spec;
    let id = attempt.id.to_string();
    let mut headers: Vec<Header> = Vec::new();
    let mut add = |name: &str, value: HeaderValue| headers.push(Header { name: name.to_owned(), value });
    let plain = |value: &str| HeaderValue::Plain(value.to_owned());
    if !spec.headers.contains("content-type") {
        add("Content-Type", plain("application/json"));
    }
    if !spec.headers.contains("user-agent") {
        add("User-Agent", plain(USER_AGENT));
    }
    add("X-Stella-Event", plain(attempt.event.name()));
    add("X-Stella-Delivery", plain(&id));
    add("X-Stella-Timestamp", HeaderValue::Plain(timestamp(attempt.at)));
    add("X-Stella-Attempt", HeaderValue::Plain(attempt.number.to_string()));
    for (name, value) in spec.headers.as_sent().iter() {
        add(name, plain(value));
    }
    match spec.auth_type {
        AuthType::None => {}
        AuthType::Basic | AuthType::Bearer => add("Authorization", HeaderValue::Secret),
        AuthType::Signature => {
            add("X-Stella-Signature", HeaderValue::Secret);
            if subscription.previous_secret_at(attempt.at).is_some() {
                add("X-Stella-Signature-Previous", HeaderValue::Secret);
            }
            add("webhook-id", plain(&id));
            add("webhook-timestamp", HeaderValue::Plain(attempt.at.timestamp().to_string()));
            add("webhook-signature", HeaderValue::Secret);
        }
    }
    add(lineage::HEADER, HeaderValue::Secret);
    headers
}

/// The headers as they are sent, with the values of `secrets` by name. A secret header without a value is
/// left out.
#[must_use]
pub fn filled(headers: Vec<Header>, secrets: &[(&str, String)]) -> Vec<(String, String)> {
    let fill = |Header { name, value }| match value {
        HeaderValue::Plain(value) => Some((name, value)),
        HeaderValue::Secret => {
            let secret = secrets.iter().find(|(secret, _)| *secret == name)?.1.clone();
            Some((name, secret))
        }
    };
    headers.into_iter().filter_map(fill).collect()
}

/// The headers as a log shows them.
#[must_use]
pub fn redacted(headers: Vec<Header>) -> Vec<(String, String)> {
    let show = |Header { name, value }| {
        let shown = match &value {
            HeaderValue::Plain(value) => redact(&name, value).to_owned(),
            HeaderValue::Secret => REDACTED.to_owned(),
        };
        (name, shown)
    };
    headers.into_iter().map(show).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use uuid::Uuid;

    use super::*;
    use crate::domain::shared::merge_patch::merge;

    fn subscription(more: &Value) -> Subscription {
        let mut stored = json!({"id": Uuid::nil(), "tenantId": Uuid::nil(), "handle": 7, "name": "s",
            "url": "https://example.com", "method": "POST", "authType": "none", "events": ["*"], "timeout": 30_000,
            "retryPolicy": {}, "enabled": true, "revision": 1,
            "createdAt": "2026-03-01T12:00:00Z", "updatedAt": "2026-03-01T12:00:00Z"});
        merge(&mut stored, more);
        serde_json::from_value(stored).unwrap()
    }

    fn composed(more: &Value) -> Vec<Header> {
        let at = "2026-03-01T12:00:00Z".parse().unwrap();
        let id = DeliveryId::derive(Uuid::nil().into(), Uuid::nil().into(), 7);
        headers(&subscription(more), AttemptHead { id, event: EventType::ReleaseCreated, number: 2, at })
    }

    fn names(headers: &[Header]) -> Vec<String> {
        headers.iter().map(|header| header.name.to_ascii_lowercase()).collect()
    }

    #[test]
    fn a_subscriptions_own_header_replaces_the_default_of_that_name() {
        let own = json!({"headers": {"content-type": "application/cloudevents+json", "USER-AGENT": "ours"}});
        for (more, content_type) in [(json!({}), "application/json"), (own, "application/cloudevents+json")] {
            let headers = composed(&more);
            let mut once = names(&headers);
            once.sort();
            once.dedup();
            assert_eq!(once.len(), headers.len(), "{headers:?}");
            let sent = filled(headers, &[]);
            let found = sent.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-type")).unwrap();
            assert_eq!(found.1, content_type);
        }
    }

    #[test]
    fn the_log_shows_each_header_that_is_sent_and_no_secret() {
        let secrets =
            ["Authorization", "X-Stella-Signature", "X-Stella-Signature-Previous", "webhook-signature"]
                .into_iter()
                .chain([lineage::HEADER])
                .map(|name| (name, "s3cret".to_owned()))
                .collect::<Vec<_>>();
        let previous = json!({"sealed": "", "until": "2026-03-02T12:00:00Z"});
        for more in [
            json!({"authType": "basic", "headers": {"X-Api-Key": "s3cret", "X-Team": "blue"}}),
            json!({"authType": "bearer"}),
            json!({"authType": "signature"}),
            json!({"authType": "signature", "previousSecret": previous}),
        ] {
            let sent = filled(composed(&more), &secrets);
            let shown = redacted(composed(&more));
            assert_eq!(sent.len(), shown.len());
            for ((name, sent), (same, shown)) in sent.iter().zip(&shown) {
                assert_eq!(name, same);
                let expected = if sent == "s3cret" { REDACTED } else { sent };
                assert_eq!(shown, expected, "{name}");
            }
        }
    }
}
