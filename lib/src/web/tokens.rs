//! Authentication by JWTs (RFC 7519) of an issuer, beside API keys, if the deployment names an issuer.

use chrono::{DateTime, Utc};
use serde::Deserialize as _;
use serde_json::Value;

use super::caller::Caller;
use crate::domain::access::tenant::{Role, Tenant};
use crate::domain::inbound::auth::oidc::Token;
use crate::domain::shared::target::EgressPolicy;
use crate::egress::issuers::Issuers;
use crate::environment::Environment;
use crate::error::Error;
use crate::store::{Store, keys};

/// The JWTs that a deployment accepts.
pub struct Tokens {
    issuer: String,
    audience: String,
    tenant_claim: String,
    role_claim: String,
    issuers: Issuers,
    store: Store,
}

impl Tokens {
    /// The JWTs that the variables describe. `None` if they name no issuer.
    ///
    /// # Errors
    /// `Fault` if they name an issuer and lack another variable.
    pub fn of(environment: &Environment, store: &Store, policy: EgressPolicy) -> Result<Option<Self>, Error> {
        let Some(issuer) = environment.variable("JWT_ISSUER") else { return Ok(None) };
        let required = |name| environment.required(name).map(str::to_owned);
        Ok(Some(Self {
            issuer: issuer.to_owned(),
            audience: required("JWT_AUDIENCE")?,
            tenant_claim: required("JWT_TENANT_CLAIM")?,
            role_claim: required("JWT_ROLE_CLAIM")?,
            issuers: Issuers::new(policy),
            store: store.clone(),
        }))
    }

    /// The caller that a token authenticates. `None` if it is not a valid token of the issuer, or names no
    /// existing tenant and role.
    ///
    /// # Errors
    /// `Unavailable` if the issuer's keys cannot be fetched, or DynamoDB does not answer.
    pub async fn caller(&self, text: &str, now: DateTime<Utc>) -> Result<Option<Caller>, Error> {
        let Some(token) = Token::read(text) else { return Ok(None) };
        let keys = self.issuers.keys(&self.issuer, token.kid(), now).await?;
        let Some(claims) = token.claims(&self.issuer, &self.audience, &keys, now) else { return Ok(None) };
        let tenant = claims.get(&self.tenant_claim).and_then(Value::as_str).and_then(|id| id.parse().ok());
        let (Some(tenant), Some(role)) = (tenant, claims.get(&self.role_claim).and_then(role)) else {
            return Ok(None);
        };
        let known: Option<Tenant> = self.store.core.get(&keys::tenant_entry(tenant)).await?;
        Ok(known.map(|tenant| Caller { tenant: tenant.id, role, key_id: None }))
    }
}

/// The role that a claim names. Of a list, the highest.
fn role(claim: &Value) -> Option<Role> {
    match claim {
        Value::Array(list) => list.iter().filter_map(role).max(),
        one => Role::deserialize(one).ok(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_claim_names_one_role_or_several_of_which_the_highest_counts() {
        assert_eq!(role(&json!("viewer")), Some(Role::Viewer));
        assert_eq!(role(&json!(["viewer", "admin", "developers"])), Some(Role::Admin));
        for other in
            [json!("operator"), json!(["developers"]), json!([]), json!(null), json!(3), json!("Admin")]
        {
            assert_eq!(role(&other), None, "{other}");
        }
    }
}
