//! One transaction: all of its writes happen, or none.

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

/// Writes that happen together, at most 100.
pub struct Transaction {
    client: Client,
    writes: Vec<TransactWriteItem>,
}

/// What came of a transaction.
#[derive(Debug)]
pub enum Commit {
    /// Everything is written.
    Done,
    /// Nothing is written: these writes (by number) were refused, each with the item that is there.
    Refused(Vec<(usize, Item)>),
}

impl Transaction {
    pub(super) fn new(client: Client) -> Self {
        Self { client, writes: Vec::new() }
    }

    /// How many writes there are so far; the number of the next.
    #[must_use]
    pub fn len(&self) -> usize {
        self.writes.len()
    }

    /// Whether there is nothing to write.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.writes.is_empty()
    }

    /// Writes an item that must not be there yet.
    ///
    /// # Errors
    /// A fault when the value cannot be written.
    pub fn create<T: Serialize>(&mut self, table: &Table, key: &Key, value: &T) -> Result<(), Error> {
        self.put(table, key, value, Some("attribute_not_exists(pk)"), None)
    }

    /// Writes an item that must not be there yet, or only as one whose time (`liveUntil`, in seconds since
    /// 1970) is over.
    ///
    /// # Errors
    /// As `create`.
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

    /// Writes an item whether or not it is there.
    ///
    /// # Errors
    /// As `create`.
    pub fn overwrite<T: Serialize>(&mut self, table: &Table, key: &Key, value: &T) -> Result<(), Error> {
        self.put(table, key, value, None, None)
    }

    /// Writes an item in place of one whose `revision` is still `expected`.
    ///
    /// # Errors
    /// As `create`.
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

    /// Removes an item, if it is there.
    ///
    /// # Errors
    /// As `create`.
    pub fn delete(&mut self, table: &Table, key: &Key) -> Result<(), Error> {
        self.remove(table, key, None)
    }

    /// Removes an item that must be there: of several who take it, one has it.
    ///
    /// # Errors
    /// As `create`.
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

    /// Adds one to a number of an item, which comes to be if it is not there.
    ///
    /// # Errors
    /// As `create`.
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

    /// Writes everything, or nothing.
    ///
    /// # Errors
    /// Unavailable when DynamoDB does not answer or another transaction is at the same items; refused when an item
    /// can never be written.
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

/// The table that a write is for.
fn table_of(write: &TransactWriteItem) -> Option<&str> {
    let put = write.put().map(Put::table_name);
    let delete = write.delete().map(Delete::table_name);
    put.or(delete).or_else(|| write.update().map(Update::table_name))
}
