//! Creates the tables, queues and secrets of the template, as a deployment does.

use dynoxide::actions::create_table::CreateTableRequest;
use dynoxide::actions::update_time_to_live::{TimeToLiveSpecification, UpdateTimeToLiveRequest};
use rand::Rng as _;
use rand::distr::{Alphanumeric, Distribution as _, Uniform};
use serde::Deserialize as _;
use serde_json::Value;

use crate::dynamodb::DynamoDb;
use crate::error::Error;
use crate::secrets_manager::SecretsManager;
use crate::sqs::Sqs;
use crate::wiring::{Secret, Wiring};

/// Creates the tables, queues and secrets that do not exist yet.
pub(crate) fn create(
    wiring: &Wiring,
    dynamodb: &DynamoDb,
    sqs: &Sqs,
    secrets_manager: &SecretsManager,
) -> Result<(), Error> {
    for table in &wiring.tables {
        create_table(dynamodb, table)?;
    }
    for (table, attribute) in &wiring.expiring {
        expire(dynamodb, table, attribute)?;
    }
    for queue in &wiring.queues {
        sqs.create_queue(&queue.name, &queue.attributes)?;
    }
    for secret in &wiring.secrets {
        secrets_manager.create_if_absent(&secret.name, &generated(secret))?;
    }
    Ok(())
}

/// An existing table is not changed: its keys cannot change, and its data must not be lost.
fn create_table(dynamodb: &DynamoDb, table: &Value) -> Result<(), Error> {
    let name = table.get("TableName").and_then(Value::as_str).unwrap_or_default();
    let failed = |error: String| Error::fault("A table cannot be made").about(name).caused_by(error);
    let database = dynamodb.database();
    if database.get_table_metadata(name).map_err(|error| failed(error.to_string()))?.is_some() {
        return Ok(());
    }
    let request = CreateTableRequest::deserialize(table).map_err(|error| failed(error.to_string()))?;
    database.create_table(request).map_err(|error| failed(error.to_string()))?;
    Ok(())
}

fn expire(dynamodb: &DynamoDb, table: &str, attribute: &str) -> Result<(), Error> {
    let failed = |error: String| Error::fault("A table's expiry cannot be set").about(table).caused_by(error);
    let database = dynamodb.database();
    let metadata = database.get_table_metadata(table).map_err(|error| failed(error.to_string()))?;
    if metadata
        .is_some_and(|metadata| metadata.ttl_enabled && metadata.ttl_attribute.as_deref() == Some(attribute))
    {
        return Ok(());
    }
    let request = UpdateTimeToLiveRequest {
        table_name: table.to_owned(),
        time_to_live_specification: TimeToLiveSpecification {
            attribute_name: attribute.to_owned(),
            enabled: true,
        },
    };
    database.update_time_to_live(request).map_err(|error| failed(error.to_string()))?;
    Ok(())
}

/// A random text, as Secrets Manager generates it.
pub(crate) fn generated(secret: &Secret) -> String {
    let random = rand::rng();
    if secret.letters_and_digits {
        return random.sample_iter(Alphanumeric).take(secret.length).map(char::from).collect();
    }
    let Ok(printable) = Uniform::new_inclusive('!', '~') else { return String::new() };
    printable.sample_iter(random).take(secret.length).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generated_secret_has_the_declared_length_and_characters() {
        let secret = |letters_and_digits| Secret { name: "s".to_owned(), length: 200, letters_and_digits };
        let plain = generated(&secret(true));
        assert_eq!(plain.len(), 200);
        assert!(plain.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{plain}");
        let any = generated(&secret(false));
        assert_eq!(any.len(), 200);
        assert!(any.bytes().all(|byte| byte.is_ascii_graphic()), "{any}");
        assert_ne!(plain, generated(&secret(true)));
    }
}
