//! A transaction: all of its writes happen, or none.

use std::collections::BTreeSet;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{
    AttributeValue, Delete, Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem, Update,
};
use chrono::{DateTime, Utc};
use serde::Serialize;

use super::table::{attributes, failed, write};
use super::{Item, Key, Table};
use crate::aws::refusal::Refusal;
use crate::error::Error;

/// Writes that happen together, at most 100 ("`TransactWriteItems`" of DynamoDB's API reference).
pub struct Transaction {
    client: Client,
    writes: Vec<TransactWriteItem>,
}

/// The result of a transaction.
#[derive(Debug)]
pub enum Commit {
    /// Everything is written.
    Done,
    /// Nothing is written. The conditions of these writes failed: their indexes, each with the existing item.
    Refused(Vec<(usize, Item)>),
}

impl Transaction {
    pub(super) fn new(client: Client) -> Self {
        Self { client, writes: Vec::new() }
    }

    /// How many writes there are so far, which is the index of the next one.
    #[must_use]
    pub fn len(&self) -> usize {
        self.writes.len()
    }

    /// Whether there are no writes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.writes.is_empty()
    }

    /// Creates an item, on condition that it does not exist.
    ///
    /// # Errors
    /// `Fault` if the value cannot be serialised.
    pub fn create<T: Serialize>(&mut self, table: &Table, key: &Key, value: &T) -> Result<(), Error> {
        self.put(table, key, value, Some("attribute_not_exists(pk)"), None)
    }

    /// Creates an item, on condition that it does not exist, or that its `liveUntil` (seconds since 1970) is
    /// not after `now`.
    ///
    /// # Errors
    /// As [`Self::create`].
    pub fn create_unless_live<T: Serialize>(
        &mut self,
        table: &Table,
        key: &Key,
        value: &T,
        now: DateTime<Utc>,
    ) -> Result<(), Error> {
        let condition = "attribute_not_exists(pk) OR liveUntil <= :now";
        self.put(table, key, value, Some(condition), Some((":now", now.timestamp().to_string())))
    }

    /// Writes an item whether or not it exists.
    ///
    /// # Errors
    /// As [`Self::create`].
    pub fn overwrite<T: Serialize>(&mut self, table: &Table, key: &Key, value: &T) -> Result<(), Error> {
        self.put(table, key, value, None, None)
    }

    /// Replaces an item, on condition that its `revision` is still `expected`.
    ///
    /// # Errors
    /// As [`Self::create`].
    pub fn replace<T: Serialize>(
        &mut self,
        table: &Table,
        key: &Key,
        value: &T,
        expected: u64,
    ) -> Result<(), Error> {
        self.put(table, key, value, Some("revision = :expected"), Some((":expected", expected.to_string())))
    }

    fn put<T: Serialize>(
        &mut self,
        table: &Table,
        key: &Key,
        value: &T,
        condition: Option<&str>,
        number: Option<(&str, String)>,
    ) -> Result<(), Error> {
        let values = number.map(|(name, number)| Item::from([(name.to_owned(), AttributeValue::N(number))]));
        let put = Put::builder()
            .table_name(table.name())
            .set_item(Some(write(key, value)?))
            .set_condition_expression(condition.map(str::to_owned))
            .set_expression_attribute_values(values)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .build()
            .map_err(|error| Error::fault("a write cannot be built").caused_by(error))?;
        self.writes.push(TransactWriteItem::builder().put(put).build());
        Ok(())
    }

    /// Deletes an item, if it exists.
    ///
    /// # Errors
    /// As [`Self::create`].
    pub fn delete(&mut self, table: &Table, key: &Key) -> Result<(), Error> {
        self.remove(table, key, None)
    }

    /// Deletes an item, on condition that it exists: of several concurrent callers, one succeeds.
    ///
    /// # Errors
    /// As [`Self::create`].
    pub fn take(&mut self, table: &Table, key: &Key) -> Result<(), Error> {
        self.remove(table, key, Some("attribute_exists(pk)"))
    }

    fn remove(&mut self, table: &Table, key: &Key, condition: Option<&str>) -> Result<(), Error> {
        let delete = Delete::builder()
            .table_name(table.name())
            .set_key(Some(attributes(key)))
            .set_condition_expression(condition.map(str::to_owned))
            .build()
            .map_err(|error| Error::fault("a write cannot be built").caused_by(error))?;
        self.writes.push(TransactWriteItem::builder().delete(delete).build());
        Ok(())
    }

    /// Adds one to a number of an item, which is created if it does not exist.
    ///
    /// # Errors
    /// As [`Self::create`].
    pub fn increment(&mut self, table: &Table, key: &Key, attribute: &str) -> Result<(), Error> {
        let update = Update::builder()
            .table_name(table.name())
            .set_key(Some(attributes(key)))
            .update_expression("ADD #number :one")
            .expression_attribute_names("#number", attribute)
            .expression_attribute_values(":one", AttributeValue::N("1".to_owned()))
            .build()
            .map_err(|error| Error::fault("a write cannot be built").caused_by(error))?;
        self.writes.push(TransactWriteItem::builder().update(update).build());
        Ok(())
    }

    /// Commits: writes everything, or nothing.
    ///
    /// # Errors
    /// `Unavailable` if DynamoDB does not answer, or another transaction is writing the same items; `Refused`
    /// if DynamoDB refuses an item for its content.
    pub async fn commit(self) -> Result<Commit, Error> {
        let tables: BTreeSet<&str> = self.writes.iter().filter_map(table_of).collect();
        let tables = tables.into_iter().collect::<Vec<_>>().join(", ");
        let result = self.client.transact_write_items().set_transact_items(Some(self.writes)).send().await;
        let Err(error) = result else { return Ok(Commit::Done) };
        if let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) =
            error.as_service_error()
        {
            let reasons = cancelled.cancellation_reasons();
            let refused: Vec<(usize, Item)> = reasons
                .iter()
                .enumerate()
                .filter(|(_, reason)| reason.code() == Some("ConditionalCheckFailed"))
                .map(|(number, reason)| (number, reason.item().cloned().unwrap_or_default()))
                .collect();
            if !refused.is_empty() {
                return Ok(Commit::Refused(refused));
            }
            let is_invalid = |code: Option<&str>| {
                matches!(code, Some("ValidationError" | "ItemCollectionSizeLimitExceeded"))
            };
            if reasons.iter().any(|reason| is_invalid(reason.code())) {
                let refused = Error::refused("DynamoDB refuses to write this").about("TransactWriteItems");
                return Err(refused.caused_by(Refusal::new(
                    "DynamoDB",
                    "TransactWriteItems",
                    &tables,
                    &error,
                )));
            }
        }
        Err(failed("TransactWriteItems", &tables, &error))
    }
}

/// The table of a write.
fn table_of(write: &TransactWriteItem) -> Option<&str> {
    let put = write.put().map(Put::table_name);
    let delete = write.delete().map(Delete::table_name);
    put.or(delete).or_else(|| write.update().map(Update::table_name))
}
