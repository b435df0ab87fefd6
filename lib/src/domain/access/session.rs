//! Portal links and portal sessions.

use chrono::{DateTime, Duration, Utc};
use serde::{Deserialize, Serialize};

use super::tenant::Role;
use crate::domain::shared::ids::{ApiKeyId, TenantId};
use crate::domain::shared::secret::secret_hash;

/// The length of a session, in hours.
pub const SESSION_HOURS: i64 = 12;
/// How long a link can be used, in seconds: minimum, maximum, default.
pub const LINK_SECONDS: (u64, u64, u64) = (60, 86_400, 3_600);

/// The principal of a link or session, and the key that it depends on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", tag = "holder")]
pub enum Principal {
    /// A caller with a role in a tenant.
    Caller {
        /// The tenant.
        tenant_id: TenantId,
        /// The role.
        role: Role,
        /// The API key. The session ends when it is revoked. `None` for a caller that was authenticated by a
        /// JWT.
        #[serde(skip_serializing_if = "Option::is_none")]
        key_id: Option<ApiKeyId>,
    },
    /// The operator.
    Operator {
        /// The SHA-256 of the operator key, in hex. The session ends when that key is replaced.
        key_hash: String,
    },
}

/// A portal link or a portal session, as it is stored under the hash of its text.
///
/// ```text
///  create a link ──▶ link ──── used once ────┐
///                     │                      ▼
///                     │      sign in ──▶ session ──▶ ended: 12 hours over, signed out,
///                     ▼      with a key                     or its key revoked or replaced
///                  expired
/// ```
///
/// A link is deleted in the transaction that creates its session, so it is used once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Session {
    /// The principal.
    #[serde(flatten)]
    pub principal: Principal,
    /// When it expires, in seconds since 1970.
    pub expires_at: i64,
}

impl Session {
    /// A session of [`SESSION_HOURS`] from `now`.
    #[must_use]
    pub fn signed_in(principal: Principal, now: DateTime<Utc>) -> Self {
        let end = now.checked_add_signed(Duration::hours(SESSION_HOURS)).unwrap_or(now);
        Self { principal, expires_at: end.timestamp() }
    }

    /// A link that can be used for `seconds` from `now`.
    #[must_use]
    pub fn link(principal: Principal, seconds: u64, now: DateTime<Utc>) -> Self {
        let seconds = i64::try_from(seconds).unwrap_or(0);
        Self { principal, expires_at: now.timestamp().saturating_add(seconds) }
    }

    /// Whether it has expired.
    #[must_use]
    pub fn has_expired(&self, now: DateTime<Utc>) -> bool {
        self.expires_at <= now.timestamp()
    }

    /// When it expires.
    #[must_use]
    pub fn end(&self) -> DateTime<Utc> {
        DateTime::from_timestamp(self.expires_at, 0).unwrap_or_default()
    }
}

/// The text of a new link: `stl_` and the secret in hex.
#[must_use]
pub fn link_text(secret: [u8; 32]) -> String {
    format!("stl_{}", hex::encode(secret))
}

/// The text of a new session: `sts_` and the secret in hex.
#[must_use]
pub fn session_text(secret: [u8; 32]) -> String {
    format!("sts_{}", hex::encode(secret))
}

/// Whether a text has the form of a link. Others are refused without a read.
#[must_use]
pub fn is_link_text(text: &str) -> bool {
    is_secret_of("stl_", text)
}

/// Whether a text has the form of a session. Others are refused without a read.
#[must_use]
pub fn is_session_text(text: &str) -> bool {
    is_secret_of("sts_", text)
}

fn is_secret_of(prefix: &str, text: &str) -> bool {
    text.strip_prefix(prefix)
        .is_some_and(|secret| secret.len() == 64 && secret.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// The CSRF token of a session, which the pages send with every request that is not a read. Another site can
/// make a browser send the session's cookie, but cannot know this token.
#[must_use]
pub fn csrf_token(session: &str) -> String {
    secret_hash(&format!("csrf {session}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_link_is_stored_with_the_principal_and_its_key() {
        let now = DateTime::from_timestamp(1_000, 0).unwrap();
        let tenant_id = TenantId::from(uuid::Uuid::nil());
        let principal = Principal::Caller { tenant_id, role: Role::Viewer, key_id: None };
        let link = Session::link(principal, 60, now);
        let stored = serde_json::to_value(&link).unwrap();
        let expected =
            json!({"holder": "caller", "tenantId": tenant_id, "role": "viewer", "expiresAt": 1_060});
        assert_eq!(stored, expected);
        assert_eq!(serde_json::from_value::<Session>(stored).unwrap(), link);
    }

    #[test]
    fn a_session_expires() {
        let now = DateTime::from_timestamp(1_000, 0).unwrap();
        let session = Session::signed_in(Principal::Operator { key_hash: String::new() }, now);
        let at = |hours| now.checked_add_signed(Duration::hours(hours)).unwrap();
        assert!(!session.has_expired(now) && !session.has_expired(at(11)) && session.has_expired(at(12)));
    }

    #[test]
    fn texts_have_their_form_and_no_other() {
        let (link, session) = (link_text([7; 32]), session_text([7; 32]));
        assert!(is_link_text(&link) && is_session_text(&session));
        assert!(!is_link_text(&session) && !is_session_text(&link));
        assert!(!is_session_text("sts_") && !is_session_text("sts_xyz") && !is_session_text(""));
        assert_ne!(csrf_token(&session), csrf_token(&session_text([8; 32])));
    }
}
