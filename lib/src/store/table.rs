//! One table: typed reads and writes of single items. Each write has a name that says its condition.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::http::HttpResponse;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes, ReturnValuesOnConditionCheckFailure};
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::item::read;
use super::{Item, Key, keys};
use crate::aws::refusal::Refusal;
use crate::error::Error;

/// A table.
#[derive(Clone)]
pub struct Table {
    client: Client,
    name: String,
}

/// The result of creating an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Created<T> {
    /// The item was created.
    Now,
    /// The item existed. This is it.
    Before(T),
}

impl Table {
    /// The table with that name.
    #[must_use]
    pub fn new(client: Client, name: &str) -> Self {
        Self { client, name: name.to_owned() }
    }

    /// The table's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    /// The error of a request to this table.
    pub(super) fn failed<E>(&self, operation: &'static str, error: &SdkError<E, HttpResponse>) -> Error
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        failed(operation, &self.name, error)
    }

    /// Reads an item, consistently.
    ///
    /// # Errors
    /// `Unavailable` if DynamoDB does not answer; `Fault` if the item cannot be read.
    pub async fn get<T: DeserializeOwned>(&self, key: &Key) -> Result<Option<T>, Error> {
        let output = self
            .client
            .get_item()
            .table_name(&self.name)
            .set_key(Some(attributes(key)))
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| self.failed("GetItem", &error))?;
        output.item.map(read).transpose()
    }

    /// Reads at most 100 items at once, consistently. Items that do not exist are left out.
    ///
    /// # Errors
    /// `Unavailable` if DynamoDB does not answer, or left some keys unread.
    pub async fn get_many(&self, keys: &[Key]) -> Result<Vec<Item>, Error> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let wanted = KeysAndAttributes::builder()
            .set_keys(Some(keys.iter().map(attributes).collect()))
            .consistent_read(true)
            .build()
            .map_err(|error| Error::fault("a read cannot be built").caused_by(error))?;
        let output = self
            .client
            .batch_get_item()
            .request_items(&self.name, wanted)
            .send()
            .await
            .map_err(|error| self.failed("BatchGetItem", &error))?;
        if output.unprocessed_keys.is_some_and(|keys| !keys.is_empty()) {
            return Err(Error::unavailable("DynamoDB left keys unread").about("BatchGetItem"));
        }
        Ok(output.responses.and_then(|mut tables| tables.remove(&self.name)).unwrap_or_default())
    }

    /// Creates an item. If it exists, returns the existing one.
    ///
    /// # Errors
    /// As [`Self::get`]; `Refused` if DynamoDB refuses the item for its content.
    pub async fn create<T: Serialize, E: DeserializeOwned>(
        &self,
        key: &Key,
        item: &T,
    ) -> Result<Created<E>, Error> {
        let result = self
            .client
            .put_item()
            .table_name(&self.name)
            .set_item(Some(write(key, item)?))
            .condition_expression("attribute_not_exists(pk)")
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        match result {
            Ok(_) => Ok(Created::Now),
            Err(error) => {
                use aws_sdk_dynamodb::operation::put_item::PutItemError::ConditionalCheckFailedException as Refused;
                match error {
                    SdkError::ServiceError(service) if matches!(service.err(), Refused(_)) => {
                        let Refused(refused) = service.into_err() else {
                            return Err(Error::fault("a refusal without its item").about("PutItem"));
                        };
                        read(refused.item.unwrap_or_default()).map(Created::Before)
                    }
                    other => Err(self.failed("PutItem", &other)),
                }
            }
        }
    }

    /// Writes an item whether or not it exists. For items that no other writer changes.
    ///
    /// # Errors
    /// As [`Self::create`].
    pub async fn put<T: Serialize>(&self, key: &Key, item: &T) -> Result<(), Error> {
        self.client
            .put_item()
            .table_name(&self.name)
            .set_item(Some(write(key, item)?))
            .send()
            .await
            .map_err(|error| self.failed("PutItem", &error))?;
        Ok(())
    }

    /// Replaces an item whose `revision` is still `expected`. Returns whether it was.
    ///
    /// # Errors
    /// As [`Self::create`].
    pub async fn replace<T: Serialize>(&self, key: &Key, item: &T, expected: u64) -> Result<bool, Error> {
        let result = self
            .client
            .put_item()
            .table_name(&self.name)
            .set_item(Some(write(key, item)?))
            .condition_expression("#revision = :expected")
            .expression_attribute_names("#revision", "revision")
            .expression_attribute_values(":expected", AttributeValue::N(expected.to_string()))
            .send()
            .await;
        match result {
            Ok(_) => Ok(true),
            Err(error) if error.code() == Some("ConditionalCheckFailedException") => Ok(false),
            Err(error) => Err(self.failed("PutItem", &error)),
        }
    }

    /// Adds to numbers of an item, which is created if it does not exist, and sets a time in it. `expires_at`
    /// is in seconds since 1970.
    ///
    /// # Errors
    /// As [`Self::create`].
    pub async fn add<'a>(
        &self,
        key: &Key,
        amounts: impl IntoIterator<Item = (&'a str, u64)>,
        time: Option<(&str, DateTime<Utc>)>,
        expires_at: i64,
    ) -> Result<(), Error> {
        let mut update = self.client.update_item().table_name(&self.name).set_key(Some(attributes(key)));
        let mut additions = Vec::new();
        for (number, (attribute, amount)) in amounts.into_iter().enumerate() {
            additions.push(format!("#n{number} :n{number}"));
            update = update
                .expression_attribute_names(format!("#n{number}"), attribute)
                .expression_attribute_values(format!(":n{number}"), AttributeValue::N(amount.to_string()));
        }
        let mut settings = "expiresAt = :expires".to_owned();
        if let Some((attribute, time)) = time {
            settings.push_str(", #time = :time");
            update = update
                .expression_attribute_names("#time", attribute)
                .expression_attribute_values(":time", AttributeValue::S(keys::time(time)));
        }
        update
            .update_expression(format!("ADD {} SET {settings}", additions.join(", ")))
            .expression_attribute_values(":expires", AttributeValue::N(expires_at.to_string()))
            .send()
            .await
            .map_err(|error| self.failed("UpdateItem", &error))?;
        Ok(())
    }

    /// Removes an item from the due index and leaves the rest of it as it is.
    ///
    /// # Errors
    /// As [`Self::create`].
    pub async fn leave_due_index(&self, key: &Key) -> Result<(), Error> {
        self.client
            .update_item()
            .table_name(&self.name)
            .set_key(Some(attributes(key)))
            .update_expression("REMOVE duePk, dueAt")
            .send()
            .await
            .map_err(|error| self.failed("UpdateItem", &error))?;
        Ok(())
    }

    /// Deletes an item, if it exists.
    ///
    /// # Errors
    /// As [`Self::create`].
    pub async fn delete(&self, key: &Key) -> Result<(), Error> {
        self.client
            .delete_item()
            .table_name(&self.name)
            .set_key(Some(attributes(key)))
            .send()
            .await
            .map_err(|error| self.failed("DeleteItem", &error))?;
        Ok(())
    }
}

/// The attributes of a key.
pub(super) fn attributes(key: &Key) -> Item {
    Item::from([
        ("pk".to_owned(), AttributeValue::S(key.pk.clone())),
        ("sk".to_owned(), AttributeValue::S(key.sk.clone())),
    ])
}

/// A value as an item, with its key.
pub(super) fn write<T: Serialize>(key: &Key, value: &T) -> Result<Item, Error> {
    let mut item: Item = serde_dynamo::to_item(value)
        .map_err(|error| Error::fault("a value cannot be written as an item").caused_by(error))?;
    item.extend(attributes(key));
    Ok(item)
}

/// The error of a failed request: `Refused` if DynamoDB refuses what was to be written, `Fault` for another
/// mistake of ours, or else `Unavailable`.
pub(super) fn failed<E>(operation: &'static str, tables: &str, error: &SdkError<E, HttpResponse>) -> Error
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let is_write = matches!(
        operation,
        "PutItem" | "UpdateItem" | "DeleteItem" | "BatchWriteItem" | "TransactWriteItems"
    );
    let answer = match error.code() {
        Some("ValidationException" | "ItemCollectionSizeLimitExceededException") if is_write => {
            Error::refused("DynamoDB refuses to write this")
        }
        Some(
            "ValidationException"
            | "AccessDeniedException"
            | "ResourceNotFoundException"
            | "SerializationException",
        ) => Error::fault("DynamoDB refused a request"),
        _ => Error::unavailable("DynamoDB did not serve a request"),
    };
    answer.about(operation).caused_by(Refusal::new("DynamoDB", operation, tables, error))
}
