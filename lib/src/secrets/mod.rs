//! Secrets: Secrets Manager, the tenants' data keys, and sealing.

pub mod keyring;
pub mod seal;

use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::config::http::HttpResponse;
use aws_sdk_secretsmanager::error::SdkError;
use aws_sdk_secretsmanager::operation::get_secret_value::GetSecretValueError;

use crate::aws::refusal::Refusal;
use crate::domain::shared::ids::TenantId;
use crate::error::Error;

/// The current text of a secret. `id` is its name or ARN.
///
/// # Errors
/// `Unavailable` if Secrets Manager does not answer; `Fault` if the secret is empty.
pub async fn read(client: &Client, id: &str) -> Result<String, Error> {
    let output = client.get_secret_value().secret_id(id).send().await;
    let output = output.map_err(|error| unreadable(id, &error))?;
    output
        .secret_string
        .filter(|text| !text.is_empty())
        .ok_or_else(|| Error::fault("A secret is empty").about(id))
}

/// The current text of a secret and, during a rotation, the previous one (its stage `AWSPREVIOUS`).
///
/// # Errors
/// As [`read`].
pub async fn read_both(client: &Client, id: &str) -> Result<Vec<String>, Error> {
    // A text that is pasted into Secrets Manager often ends in a line break, which is not part of the secret.
    let bare = |text: String| text.trim_end_matches(['\r', '\n']).to_owned();
    let mut both = vec![bare(read(client, id).await?)];
    let previous = client.get_secret_value().secret_id(id).version_stage("AWSPREVIOUS").send().await;
    match previous {
        Ok(output) => both.extend(output.secret_string.map(bare).filter(|text| !text.is_empty())),
        Err(error) => {
            let is_not_there =
                error.as_service_error().is_some_and(GetSecretValueError::is_resource_not_found_exception);
            if !is_not_there {
                return Err(unreadable(id, &error));
            }
        }
    }
    Ok(both)
}

/// The error of a secret that Secrets Manager did not return.
fn unreadable(id: &str, error: &SdkError<GetSecretValueError, HttpResponse>) -> Error {
    let refusal = Refusal::new("Secrets Manager", "GetSecretValue", id, error);
    Error::unavailable("A secret cannot be read").about(id).caused_by(refusal)
}

/// The name of a tenant's secret. The tenant's own prefix is put before the name here, because the functions'
/// role may read those of all tenants.
#[must_use]
pub fn tenants_entry(stage: &str, tenant: TenantId, name: &str) -> String {
    format!("/{stage}/tenants/{tenant}/{}", name.trim_start_matches('/'))
}
