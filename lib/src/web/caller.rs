//! A tenant's caller.

use crate::domain::access::session::Principal;
use crate::domain::access::tenant::Role;
use crate::domain::shared::ids::{ApiKeyId, TenantId};

/// A tenant's caller, who proved to be one.
#[derive(Debug, Clone, Copy)]
pub struct Caller {
    /// For whom it calls.
    pub tenant: TenantId,
    /// What it may do.
    pub role: Role,
    /// The key by which it is known; who comes with an issuer's token has none.
    pub key_id: Option<ApiKeyId>,
}

impl Caller {
    /// For whom a session of this caller's would be.
    #[must_use]
    pub fn holder(self) -> Principal {
        Principal::Caller { tenant_id: self.tenant, role: self.role, key_id: self.key_id }
    }
}
