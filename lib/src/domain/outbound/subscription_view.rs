//! A subscription as callers see it.

use std::collections::BTreeMap;

use serde::Serialize;

use super::destination::Destination;
use super::event_type::EventPattern;
use super::health::{ReceiverView, SubscriptionHealth};
use super::subscription::{AuthType, Method, Subscription};
use crate::domain::shared::filter::Filter;
use crate::domain::shared::filter_errors::FilterErrorsView;
use crate::domain::shared::ids::{SubscriptionId, TenantId};
use crate::domain::shared::retry::RetryPolicy;
use crate::domain::shared::time::Timestamp;

/// A subscription: which events go to which endpoint, and its retry policy.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "Subscription"))]
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SubscriptionView {
    /// The subscription's id.
    pub id: SubscriptionId,
    /// The tenant that the subscription belongs to.
    pub tenant_id: TenantId,
    /// The subscription's name, for people.
    pub name: String,
    /// The URL that deliveries are sent to: https at a public address, unless the deployment allows more. It
    /// is checked when saved and when called. With `pull:` deliveries wait to be fetched instead.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub url: Destination,
    /// The HTTP method of deliveries.
    pub method: Method,
    /// Headers that each delivery carries besides the service's own, at most 20. Secret values are blanked.
    pub headers: BTreeMap<String, String>,
    /// How deliveries authenticate to the receiver.
    pub auth_type: AuthType,
    /// The name of an entry of Secrets Manager, below `/<stage>/tenants/<tenant id>/`, that has the
    /// credential.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credential_ref: Option<String>,
    /// The types of events that are delivered.
    pub events: Vec<EventPattern>,
    /// Conditions on the body of a delivery. All must match.
    pub filters: Vec<Filter>,
    /// Filters that failed, if there are any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filter_errors: Option<FilterErrorsView>,
    /// When a failed attempt is repeated.
    pub retry_policy: RetryPolicy,
    /// How long a whole attempt may take, in milliseconds.
    #[cfg_attr(feature = "schema", schemars(range(min = 100, max = 30_000)))]
    pub timeout: u64,
    /// The most attempts per second; more have to wait. Without it there is no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 10_000)))]
    pub rate_limit_per_second: Option<u32>,
    /// Whether events are delivered. Disabling pauses open deliveries; enabling resumes them.
    pub enabled: bool,
    /// Whether `url` may be an inbound address of this deployment. What is delivered there comes back in, for
    /// at most three hops.
    pub allow_self: bool,
    /// Why the service disabled the subscription, if it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disabled_reason: Option<String>,
    /// The signing secret. Only in the answer to the request for which the service generated it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signature_secret: Option<String>,
    /// When the last attempt was made; up to a minute old.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_delivery: Option<Timestamp>,
    /// The status code that the receiver answered to the last attempt; up to a minute old.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(range(min = 100, max = 999)))]
    pub last_status: Option<u16>,
    /// How the receiver did in the last 24 hours.
    pub health: SubscriptionHealth,
    /// When the subscription was created.
    pub created_at: Timestamp,
    /// When the subscription was last changed.
    pub updated_at: Timestamp,
}

impl Subscription {
    /// The subscription as callers see it: without secrets, except for a signing secret that was `minted`
    /// just now.
    #[must_use]
    pub fn view(&self, receiver: ReceiverView, minted: Option<String>) -> SubscriptionView {
        let spec = &self.spec;
        SubscriptionView {
            id: self.id,
            tenant_id: self.tenant_id,
            name: spec.name.clone(),
            url: spec.destination.clone(),
            method: spec.method,
            headers: spec.headers.redacted(),
            auth_type: spec.auth_type,
            credential_ref: spec.credential_ref.clone(),
            events: spec.events.clone(),
            filters: spec.filters.clone(),
            filter_errors: receiver.filter_errors,
            retry_policy: spec.retry_policy,
            timeout: spec.timeout,
            rate_limit_per_second: spec.rate_limit_per_second,
            enabled: spec.enabled,
            allow_self: spec.allow_self,
            disabled_reason: self.disabled_reason.clone(),
            signature_secret: minted,
            last_delivery: receiver.last_delivery,
            last_status: receiver.last_status,
            health: receiver.health,
            created_at: Timestamp(self.created_at),
            updated_at: Timestamp(self.updated_at),
        }
    }
}
