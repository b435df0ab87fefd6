//! The authenticated caller of a tenant.

use crate::domain::access::session::Principal;
use crate::domain::access::tenant::Role;
use crate::domain::shared::ids::{ApiKeyId, TenantId};

/// An authenticated caller of a tenant.
#[derive(Debug, Clone, Copy)]
pub struct Caller {
    /// The caller's tenant.
    pub tenant: TenantId,
    /// The caller's role.
    pub role: Role,
    /// The API key of the caller. `None` for a JWT.
    pub key_id: Option<ApiKeyId>,
}

impl Caller {
    /// The principal of a session that this caller creates.
    #[must_use]
    pub fn principal(self) -> Principal {
        Principal::Caller { tenant_id: self.tenant, role: self.role, key_id: self.key_id }
    }
}
