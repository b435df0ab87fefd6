//! Who is signed in to the portal: by a one-time link or by a key, for some hours.

use chrono::{DateTime, Duration, Utc};
use serde::{Deserialize, Serialize};

use super::tenant::Role;
use crate::domain::shared::ids::{ApiKeyId, TenantId};
use crate::domain::shared::secret::secret_hash;

/// How long a session lasts, in hours.
pub const SESSION_HOURS: i64 = 12;
/// How long a link can be used, in seconds: at least, at most, and where nothing is said.
pub const LINK_SECONDS: (u64, u64, u64) = (60, 86_400, 3_600);

/// For whom somebody is signed in, and with what it stands or falls.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", tag = "holder")]
pub enum Principal {
    /// A caller of a tenant.
    Caller {
        /// Whose.
        tenant_id: TenantId,
        /// What it may do.
        role: Role,
        /// The key, which may be revoked. Who came with an issuer's token has none.
        #[serde(skip_serializing_if = "Option::is_none")]
        key_id: Option<ApiKeyId>,
    },
    /// The operator.
    Operator {
        /// SHA-256 of its key, which may be replaced.
        key_hash: String,
    },
}

/// A link or a session as stored, under the hash of its text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Session {
    /// For whom it is.
    #[serde(flatten)]
    pub holder: Principal,
    /// When it ends, in seconds since 1970.
    pub expires_at: i64,
}

impl Session {
    /// A session that begins now.
    #[must_use]
    pub fn session(holder: Principal, now: DateTime<Utc>) -> Self {
        let end = now.checked_add_signed(Duration::hours(SESSION_HOURS)).unwrap_or(now);
        Self { holder, expires_at: end.timestamp() }
    }

    /// A link that can be used for some seconds.
    #[must_use]
    pub fn link(holder: Principal, seconds: u64, now: DateTime<Utc>) -> Self {
        let seconds = i64::try_from(seconds).unwrap_or(0);
        Self { holder, expires_at: now.timestamp().saturating_add(seconds) }
    }

    /// Whether it has ended.
    #[must_use]
    pub fn has_expired(&self, now: DateTime<Utc>) -> bool {
        self.expires_at <= now.timestamp()
    }

    /// When it ends.
    #[must_use]
    pub fn end(&self) -> DateTime<Utc> {
        DateTime::from_timestamp(self.expires_at, 0).unwrap_or_default()
    }
}

/// The text of a new link: `stl_<secret>`.
#[must_use]
pub fn link_text(secret: [u8; 32]) -> String {
    format!("stl_{}", hex::encode(secret))
}

/// The text of a new session: `sts_<secret>`.
#[must_use]
pub fn session_text(secret: [u8; 32]) -> String {
    format!("sts_{}", hex::encode(secret))
}

/// Whether a text has the form of a link, so that junk costs no read.
#[must_use]
pub fn is_link_text(text: &str) -> bool {
    is_secret_of("stl_", text)
}

/// Whether a text has the form of a session.
#[must_use]
pub fn is_session_text(text: &str) -> bool {
    is_secret_of("sts_", text)
}

fn is_secret_of(prefix: &str, text: &str) -> bool {
    text.strip_prefix(prefix)
        .is_some_and(|secret| secret.len() == 64 && secret.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// What the pages of a session send with everything but reads: other sites can make a browser send its cookie, and
/// cannot know this.
#[must_use]
pub fn csrf_token(session: &str) -> String {
    secret_hash(&format!("csrf {session}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_pass_is_stored_with_what_it_stands_or_falls_with() {
        let now = DateTime::from_timestamp(1_000, 0).unwrap();
        let tenant_id = TenantId::from(uuid::Uuid::nil());
        let holder = Principal::Caller { tenant_id, role: Role::Viewer, key_id: None };
        let pass = Session::link(holder, 60, now);
        let stored = serde_json::to_value(&pass).unwrap();
        let expected =
            json!({"holder": "caller", "tenantId": tenant_id, "role": "viewer", "expiresAt": 1_060});
        assert_eq!(stored, expected);
        assert_eq!(serde_json::from_value::<Session>(stored).unwrap(), pass);
    }

    #[test]
    fn a_pass_ends() {
        let now = DateTime::from_timestamp(1_000, 0).unwrap();
        let pass = Session::session(Principal::Operator { key_hash: String::new() }, now);
        let at = |hours| now.checked_add_signed(Duration::hours(hours)).unwrap();
        assert!(!pass.has_expired(now) && !pass.has_expired(at(11)) && pass.has_expired(at(12)));
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
