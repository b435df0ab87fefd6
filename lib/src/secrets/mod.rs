//! Secrets: Secrets Manager, the tenants' data keys, and sealing.

pub mod keyring;
pub mod seal;

use aws_sdk_secretsmanager::Client;

use crate::error::Error;

/// The current text of a secret.
///
/// # Errors
/// Unavailable when Secrets Manager does not answer; a fault when the secret has no text.
pub async fn read(client: &Client, id: &str) -> Result<String, Error> {
    let output = client.get_secret_value().secret_id(id).send().await.map_err(|error| {
        Error::unavailable("A secret cannot be read").about(id).caused_by(error.into_service_error())
    })?;
    output
        .secret_string
        .filter(|text| !text.is_empty())
        .ok_or_else(|| Error::fault("A secret is empty").about(id))
}
