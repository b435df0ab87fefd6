//! Tenants, their API keys, and what each role may do.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::domain::shared::ids::{ApiKeyId, TenantId};
use crate::domain::shared::time::Timestamp;

named! {
    /// What a caller may do. Each role may do what the ones before it may.
    #[cfg_attr(feature = "schema", schemars(inline))]
    #[derive(PartialOrd, Ord)]
    pub enum Role {
        /// Read; secrets are blanked.
        Viewer = "viewer",
        /// Also publish events.
        Publisher = "publisher",
        /// Everything in the tenant.
        Admin = "admin",
    }
}

/// A tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Tenant {
    /// The tenant's id.
    pub id: TenantId,
    /// The name, for people.
    pub name: String,
    /// When it was created.
    pub created_at: DateTime<Utc>,
}

/// An API key, as it is stored: without its text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ApiKey {
    /// The key's id, which is part of its text.
    pub id: ApiKeyId,
    /// The owning tenant.
    pub tenant_id: TenantId,
    /// The name, for people.
    pub name: String,
    /// What callers with this key may do.
    pub role: Role,
    /// The SHA-256 of its text, in hex.
    pub hash: String,
    /// When it was created.
    pub created_at: DateTime<Utc>,
}

/// A tenant, for the operator.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "Tenant"))]
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TenantView {
    /// The tenant's id.
    pub id: TenantId,
    /// The tenant's name, for people.
    pub name: String,
    /// When the tenant was created.
    pub created_at: Timestamp,
}

impl Tenant {
    /// The tenant as the operator sees it.
    #[must_use]
    pub fn view(&self) -> TenantView {
        TenantView { id: self.id, name: self.name.clone(), created_at: Timestamp(self.created_at) }
    }
}

/// An API key.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "ApiKey"))]
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ApiKeyView {
    /// The key's id, which is part of its text.
    pub id: ApiKeyId,
    /// The tenant that the key is for.
    pub tenant_id: TenantId,
    /// The key's name, for people.
    pub name: String,
    /// What callers with this key may do.
    pub role: Role,
    /// When the key was created.
    pub created_at: Timestamp,
    /// The key itself, `stk_<id>_<secret>`. Only in the answer to the request that created it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

impl ApiKey {
    /// The key as callers see it, without its text.
    #[must_use]
    pub fn view(&self) -> ApiKeyView {
        ApiKeyView {
            id: self.id,
            tenant_id: self.tenant_id,
            name: self.name.clone(),
            role: self.role,
            created_at: Timestamp(self.created_at),
            key: None,
        }
    }
}

/// The text of a new key: `stk_`, the id, `_` and the secret, both in hex.
#[must_use]
pub fn key_text(id: ApiKeyId, secret: [u8; 32]) -> String {
    format!("stk_{}_{}", id.uuid().simple(), hex::encode(secret))
}

/// Whether a text has the form of a key. Others are refused without a read.
#[must_use]
pub fn is_key_text(text: &str) -> bool {
    let mut parts = text.split('_');
    let is_hex = |part: Option<&str>, length: usize| {
        part.is_some_and(|part| part.len() == length && part.bytes().all(|byte| byte.is_ascii_hexdigit()))
    };
    parts.next() == Some("stk")
        && is_hex(parts.next(), 32)
        && is_hex(parts.next(), 64)
        && parts.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minted_key_has_the_form_of_a_key_and_other_texts_do_not() {
        let id = ApiKeyId::mint(DateTime::default(), [7; 10]);
        assert!(is_key_text(&key_text(id, [9; 32])));
        for junk in ["", "stk_", "stk_operator_x", "sk_1_2", "stk_zz_yy"] {
            assert!(!is_key_text(junk), "{junk}");
        }
    }

    #[test]
    fn roles_are_ordered_by_what_they_may_do() {
        assert!(Role::Viewer < Role::Publisher && Role::Publisher < Role::Admin);
    }
}
