//! The codes of errors, by which programs distinguish errors.

use std::fmt;

use serde::{Serialize, Serializer};

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// What an error is, for programs. The names are stable.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Code {
            $($(#[$doc])* $variant,)*
        }

        impl Code {
            /// Every code.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The name in answers and logs, in `snake_case`.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }
        }
    };
}

codes! {
    /// The resource does not exist, or belongs to another tenant.
    NotFound = "not_found",
    /// The resource exists, and this method is not for it.
    MethodNotAllowed = "method_not_allowed",
    /// The query or the form has mistakes; `errors` lists each.
    InvalidRequest = "invalid_request",
    /// The query cannot be read, for example because a parameter is given twice.
    MalformedQuery = "malformed_query",
    /// The body is not JSON.
    MalformedJson = "malformed_json",
    /// The media type of the body is not supported.
    UnsupportedMediaType = "unsupported_media_type",
    /// The body is too large.
    BodyTooLarge = "body_too_large",
    /// The body ended early.
    BodyBrokeOff = "body_broke_off",
    /// The body has mistakes; `errors` lists each.
    ValidationFailed = "validation_failed",
    /// No valid API key, token, session or signature.
    Unauthenticated = "unauthenticated",
    /// The caller's role may not do this.
    Forbidden = "forbidden",
    /// A request with a session's cookie lacks the session's CSRF token.
    CsrfToken = "csrf_token",
    /// The portal link was used before, has expired, or never existed.
    LinkNotValid = "link_not_valid",
    /// Too many requests; repeat after `Retry-After` seconds.
    RateLimited = "rate_limited",
    /// The page is deeper than one request examines: use `cursor`.
    PageTooDeep = "page_too_deep",
    /// The cursor does not come from this list.
    InvalidCursor = "invalid_cursor",
    /// The tenant has too many subscriptions to list all deliveries at once.
    TooManySubscriptions = "too_many_subscriptions",
    /// The `Idempotency-Key` is empty or too long.
    InvalidIdempotencyKey = "invalid_idempotency_key",
    /// The same `Idempotency-Key` came with another body.
    IdempotencyKeyReused = "idempotency_key_reused",
    /// The first request with this `Idempotency-Key` is still running.
    RequestInProgress = "request_in_progress",
    /// The first answer showed a secret, which is shown once.
    SecretAlreadyShown = "secret_already_shown",
    /// Another request changed the resource at the same time: read it and try again.
    ChangedMeanwhile = "changed_meanwhile",
    /// The CloudEvents handshake lacks `WebHook-Request-Origin`.
    NoOrigin = "no_origin",
    /// The request has more events than one request may have.
    TooManyEvents = "too_many_events",
    /// The address of the config has no token.
    NoUrlToken = "no_url_token",
    /// The receipt does not have the whole body.
    NotReplayable = "not_replayable",
    /// The component with its triggers is too large to be stored.
    ComponentTooLarge = "component_too_large",
    /// The component has as many triggers as it may have.
    TooManyTriggers = "too_many_triggers",
    /// The event's `data` is too large.
    DataTooLarge = "data_too_large",
    /// The subscription is disabled.
    SubscriptionDisabled = "subscription_disabled",
    /// The subscription was deleted.
    SubscriptionDeleted = "subscription_deleted",
    /// The subscription does not sign.
    NoSigningSecret = "no_signing_secret",
    /// The deliveries of the subscription are fetched, not sent.
    PullSubscription = "pull_subscription",
    /// The deliveries of the subscription are sent, not fetched.
    NotAPullSubscription = "not_a_pull_subscription",
    /// The attempt was reported before, or the delivery has ended.
    AlreadyReported = "already_reported",
    /// No reader has fetched the delivery.
    NotFetched = "not_fetched",
    /// The delivery still has attempts to come.
    DeliveryOpen = "delivery_open",
    /// The event is no longer kept.
    EventExpired = "event_expired",
    /// The delivery is a test, which has no event.
    TestDelivery = "test_delivery",
    /// The dead letters are being moved already.
    RedriveRunning = "redrive_running",
    /// A dependency does not answer; repeat later.
    Unavailable = "unavailable",
    /// A dependency rejects this item for its content.
    Refused = "refused",
    /// A fault of the service.
    InternalError = "internal_error",
    /// Local stack: the request names a host that the stack does not serve.
    UnknownHost = "unknown_host",
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

names_schema!(
    Code as "ErrorCode",
    "What an error is, for programs. Codes are stable; new ones may be added.",
    Code::ALL
);

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_documentation_lists_every_code_and_no_other() {
        let page = include_str!("../../../docs/api.md");
        let list = page.split("## Error codes").nth(1).and_then(|rest| rest.split("\n## ").next()).unwrap();
        let listed: Vec<&str> =
            list.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
        let codes: BTreeSet<&str> = Code::ALL.iter().map(|code| code.name()).collect();
        assert_eq!(listed.iter().copied().collect::<BTreeSet<_>>(), codes);
        assert_eq!(listed.len(), codes.len(), "a code is listed twice");
    }
}
