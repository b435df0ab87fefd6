//! Why a delivery waits, or why it ended.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! reasons {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// Why a delivery waits, or why it ended as it did.
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(from = "String", into = "String")]
        pub enum Reason {
            $($(#[$doc])* $variant,)*
            /// A reason that another version of this service stored.
            Other(Box<str>),
        }

        impl Reason {
            /// The names of all reasons that this version gives.
            pub const NAMES: &[&str] = &[$($name,)*];

            /// The name, as it is stored and shown.
            #[must_use]
            pub fn name(&self) -> &str {
                match self {
                    $(Self::$variant => $name,)*
                    Self::Other(name) => name,
                }
            }
        }

        impl From<String> for Reason {
            fn from(name: String) -> Self {
                match name.as_str() {
                    $($name => Self::$variant,)*
                    _ => Self::Other(name.into()),
                }
            }
        }
    };
}

reasons! {
    /// Waits: the circuit breaker is open.
    Breaker = "breaker",
    /// Waits for its rate-limit slot.
    RateLimit = "rate_limit",
    /// Waits for a reader.
    Pull = "pull",
    /// Paused, or skipped: the subscription is disabled.
    Disabled = "disabled",
    /// Paused: the credential cannot be read.
    Credential = "credential",
    /// Failed: the last attempt that the retry policy allows has failed.
    Exhausted = "exhausted",
    /// Failed: the receiver answered 410 Gone.
    Gone = "gone",
    /// Cancelled: the subscription was deleted.
    SubscriptionDeleted = "subscription_deleted",
    /// Cancelled: the event is no longer kept.
    EventExpired = "event_expired",
    /// Cancelled: the delivery was open for too long.
    Expired = "expired",
}

impl From<Reason> for String {
    fn from(reason: Reason) -> Self {
        reason.name().to_owned()
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

names_schema!(
    Reason as "DeliveryReason",
    "Why a delivery waits, or why it ended as it did.",
    Reason::NAMES
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_stored_by_its_name_and_read_back() {
        for name in Reason::NAMES {
            let reason = Reason::from((*name).to_owned());
            assert!(!matches!(reason, Reason::Other(_)), "{name}");
            let stored = serde_json::to_value(&reason).unwrap();
            assert_eq!(stored, *name);
            assert_eq!(serde_json::from_value::<Reason>(stored).unwrap(), reason);
        }
    }

    #[test]
    fn a_reason_of_another_version_is_kept_as_it_is() {
        let reason: Reason = serde_json::from_str("\"order\"").unwrap();
        assert_eq!(reason, Reason::Other("order".into()));
        assert_eq!(serde_json::to_string(&reason).unwrap(), "\"order\"");
    }
}
