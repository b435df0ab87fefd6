//! The labels of a request with which its failure is logged.

use std::sync::{Arc, OnceLock};

use axum::extract::{FromRequestParts, MatchedPath};
use axum::http::request::Parts;

use crate::domain::inbound::integration::IntegrationId;
use crate::domain::shared::ids::TenantId;
use crate::error::Error;

/// The labels of a request, as far as they are known. Clones share them: [`serve`](super::gateway::serve)
/// keeps one, and handlers and the [`Authenticator`](super::authenticator::Authenticator) add to another.
#[derive(Debug, Clone, Default)]
pub struct RequestLabels(Arc<Labels>);

#[derive(Debug, Default)]
struct Labels {
    route: OnceLock<String>,
    tenant: OnceLock<TenantId>,
    integration: OnceLock<IntegrationId>,
}

impl RequestLabels {
    /// The labels of a request.
    #[must_use]
    pub fn of(parts: &Parts) -> Self {
        parts.extensions.get::<Self>().cloned().unwrap_or_default()
    }

    /// Adds a request's route to its labels.
    pub fn add_route(parts: &Parts) {
        if let Some(route) = parts.extensions.get::<MatchedPath>() {
            Self::of(parts).0.route.get_or_init(|| route.as_str().to_owned());
        }
    }

    /// Adds the tenant of the caller.
    pub fn set_tenant(&self, tenant: TenantId) {
        self.0.tenant.get_or_init(|| tenant);
    }

    /// Adds the integration id in the address of a sender.
    pub fn set_integration(&self, integration: IntegrationId) {
        self.0.integration.get_or_init(|| integration);
    }

    /// The route with the names of its parameters, as `/api/v1/events/{id}`: it contains no id and no token.
    #[must_use]
    pub fn route(&self) -> Option<&str> {
        self.0.route.get().map(String::as_str)
    }

    /// The tenant of the caller.
    #[must_use]
    pub fn tenant(&self) -> Option<TenantId> {
        self.0.tenant.get().copied()
    }

    /// The integration id in the address of a sender.
    #[must_use]
    pub fn integration(&self) -> Option<IntegrationId> {
        self.0.integration.get().copied()
    }
}

impl<S: Send + Sync> FromRequestParts<S> for RequestLabels {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Error> {
        Self::add_route(parts);
        Ok(Self::of(parts))
    }
}
