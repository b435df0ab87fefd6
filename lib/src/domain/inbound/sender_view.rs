//! A sender as callers see it.

use serde::Serialize;

use super::authentication::Authentication;
#[cfg(feature = "schema")]
use super::provider::Provider;
use super::senders::sender::Sender;
use super::webhook_type::WebhookType;

/// A registry, CI system or code host that can be set up to post webhooks.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "Sender"))]
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SenderView {
    /// The `provider` of its configs.
    #[cfg_attr(feature = "schema", schemars(with = "Provider"))]
    pub provider: &'static str,
    /// Its name, for people.
    pub title: &'static str,
    /// The types that its configs may have, the usual one first.
    pub types: Vec<WebhookType>,
    /// How it authenticates, if its config does not say. `none`: by a token in the address.
    pub authentication: Authentication,
    /// How it is set up, in Markdown.
    pub docs: &'static str,
}

impl From<&Sender> for SenderView {
    fn from(sender: &Sender) -> Self {
        Self {
            provider: sender.provider,
            title: sender.title,
            types: sender.config_types().collect(),
            authentication: sender.authentication.authentication(),
            docs: sender.page.text,
        }
    }
}
