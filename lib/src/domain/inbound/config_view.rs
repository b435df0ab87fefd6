//! A webhook config as callers see it.

use serde::Serialize;

use super::authentication::{Algorithm, Authentication};
use super::binding::RepositoryBinding;
use super::config::Config;
use super::integration::IntegrationId;
use super::mapping::Mapping;
use super::provider::Provider;
use super::rejections::RejectionsView;
use super::senders::sender::ReplayProtection;
use super::url_token::UrlToken;
use super::webhook_type::WebhookType;
use crate::domain::shared::filter::Filter;
use crate::domain::shared::filter_errors::FilterErrorsView;
use crate::domain::shared::ids::{ConfigId, TenantId};
use crate::domain::shared::retry::RetryPolicy;
use crate::domain::shared::time::Timestamp;

/// A webhook config: which sender may post events, and how it authenticates.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "WebhookConfig"))]
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ConfigView {
    /// The config's id.
    pub id: ConfigId,
    /// The tenant that the config belongs to.
    pub tenant_id: TenantId,
    /// The id of the config in its address. It contains a checksum.
    pub integration_id: IntegrationId,
    /// The config's name, for people.
    pub name: String,
    /// What the config receives; it decides the address.
    #[serde(rename = "type")]
    pub webhook_type: WebhookType,
    /// Which sender posts the events. `auto`: recognised by the shape of each body.
    pub provider: Provider,
    /// The address to paste into the sender. If it ends in a token, the token is shown only when it is generated.
    pub url: String,
    /// The name of an entry of Secrets Manager, below `/<stage>/tenants/<tenant id>/`, that has the secret. Its current
    /// and its previous value are valid.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<String>,
    /// The header of the signature, instead of the provider's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signature_header: Option<String>,
    /// The hash of the signature, instead of the provider's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signature_algorithm: Option<Algorithm>,
    /// How the sender authenticates, instead of by its provider's preset.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authentication: Option<Authentication>,
    /// Whether requests are accepted.
    pub enabled: bool,
    /// Conditions on the normalised event, whose member `payload` is the sender's body. All must match.
    pub filters: Vec<Filter>,
    /// The repositories that the sender may post events of: names, or `prefix/*`. Empty: all.
    #[cfg_attr(feature = "schema", schemars(with = "Vec<String>"))]
    pub repositories: RepositoryBinding,
    /// The delays between retries of a request that was queued. Such a request is retried until it is processed.
    pub retry_policy: RetryPolicy,
    /// For `generic`: where the body has the members of a normalised event, each by a JSONPath.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<std::collections::BTreeMap<String, String>>"))]
    pub mapping: Option<Mapping>,
    /// Words and numbers that mean that a pipeline succeeded, beside the sender's own. Upper and lower case, blanks, `_`
    /// and `-` make no difference.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub success_results: Vec<String>,
    /// The age in seconds above which events are ignored, with the reason `Too old`, by the time that the sender sends.
    /// 0: no limit.
    pub max_age_seconds: u32,
    /// Whether the time that the sender sends with a tag is that of the push. If so, it orders the pushes of a tag;
    /// otherwise the time of receipt does. Default: as is known of the sender. Absent if each body tells its sender.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_is_push: Option<bool>,
    /// What shows that a request is not an old one that a stranger sends again: the sender's `time`, its `id` of the
    /// delivery, the `state` before the push, or the `body` alone, which protects for 5 minutes. Absent if each body
    /// tells its sender.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replay_protection: Option<ReplayProtection>,
    /// The registry's host, in place of the one in the body: where a registry calls itself by another name than its
    /// users do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub registry: Option<String>,
    /// Expressions of the config that failed, if there are any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filter_errors: Option<FilterErrorsView>,
    /// About how many requests did not authenticate in the last 24 hours. Of one config, not in a list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rejected_last24h: Option<u64>,
    /// The requests that were refused in the last 8 days. Of one config, not in a list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rejections: Option<RejectionsView>,
    /// Why requests probably do not authenticate, for people. Only if some did not in the last 24 hours, and none was
    /// accepted in the last 30 days. Of one config, not in a list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authentication_hint: Option<String>,
    /// When the config was created.
    pub created_at: Timestamp,
    /// When the config was last changed.
    pub updated_at: Timestamp,
}

impl Config {
    /// The config as callers see it: without secrets. `base_url` is where the API is, as in
    /// `https://stella.example.com`. The address has a URL token only if one was `minted` just now, because only its
    /// hash is stored.
    #[must_use]
    pub fn view(
        &self,
        base_url: &str,
        minted: Option<&UrlToken>,
        filter_errors: Option<FilterErrorsView>,
    ) -> ConfigView {
        let spec = &self.spec;
        let (base, path) = (base_url.trim_end_matches('/'), spec.webhook_type.segment());
        let token = minted.map(|token| format!("/{}", token.expose())).unwrap_or_default();
        ConfigView {
            id: self.id,
            tenant_id: self.tenant_id,
            integration_id: self.integration_id,
            name: spec.name.clone(),
            webhook_type: spec.webhook_type,
            provider: spec.provider,
            url: format!("{base}/api/v1/webhooks/{path}/{}{token}", self.integration_id),
            secret_ref: spec.secret_ref.clone(),
            signature_header: spec.signature_header.clone(),
            signature_algorithm: spec.signature_algorithm,
            authentication: spec.authentication.clone(),
            enabled: spec.enabled,
            filters: spec.filters.clone(),
            repositories: spec.repositories.clone(),
            retry_policy: spec.retry_policy,
            mapping: spec.mapping.clone(),
            success_results: spec.success_results.clone(),
            max_age_seconds: spec.max_age_seconds.unwrap_or_default(),
            time_is_push: spec.orders_by_time(),
            replay_protection: spec.replay_protection(),
            registry: spec.registry.clone(),
            filter_errors,
            rejected_last24h: None,
            rejections: None,
            authentication_hint: None,
            created_at: Timestamp(self.created_at),
            updated_at: Timestamp(self.updated_at),
        }
    }
}
