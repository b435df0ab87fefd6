//! Queries over one partition, and over the index of due deliveries.

use aws_sdk_dynamodb::types::AttributeValue;
use serde::de::DeserializeOwned;

use super::table::{failed, read};
use super::{Item, Key, Table};
use crate::error::Error;

impl Table {
    /// Every row of one partition whose sort key lies between two bounds, oldest first; at most 10 000.
    ///
    /// # Errors
    /// Unavailable when DynamoDB is.
    pub async fn range(&self, partition: &str, from: &str, to: &str) -> Result<Vec<Item>, Error> {
        let mut rows = Vec::new();
        let mut start = None;
        loop {
            let output = self
                .client()
                .query()
                .table_name(self.name())
                .key_condition_expression("pk = :pk AND sk BETWEEN :from AND :to")
                .expression_attribute_values(":pk", AttributeValue::S(partition.to_owned()))
                .expression_attribute_values(":from", AttributeValue::S(from.to_owned()))
                .expression_attribute_values(":to", AttributeValue::S(to.to_owned()))
                .consistent_read(true)
                .set_exclusive_start_key(start.take())
                .send()
                .await
                .map_err(|error| failed("Query", error))?;
            rows.extend(output.items.unwrap_or_default());
            start = output.last_evaluated_key;
            if start.is_none() || rows.len() >= 10_000 {
                return Ok(rows);
            }
        }
    }

    /// Every row of one partition whose sort key begins so, oldest first; at most 10 000.
    ///
    /// # Errors
    /// Unavailable when DynamoDB is.
    pub async fn all<T: DeserializeOwned>(&self, partition: &str, prefix: &str) -> Result<Vec<T>, Error> {
        let rows = self.range(partition, prefix, &format!("{prefix}\u{10ffff}")).await?;
        rows.into_iter().map(read).collect()
    }

    /// Some rows of one partition, oldest first, after a sort key; and the sort key to go on after.
    ///
    /// # Errors
    /// Unavailable when DynamoDB is.
    pub async fn next<T: DeserializeOwned>(
        &self,
        partition: &str,
        after: &str,
        limit: i32,
    ) -> Result<(Vec<T>, Option<String>), Error> {
        let output = self
            .client()
            .query()
            .table_name(self.name())
            .key_condition_expression("pk = :pk AND sk > :after")
            .expression_attribute_values(":pk", AttributeValue::S(partition.to_owned()))
            .expression_attribute_values(":after", AttributeValue::S(after.to_owned()))
            .consistent_read(true)
            .limit(limit)
            .send()
            .await
            .map_err(|error| failed("Query", error))?;
        let next = output.last_evaluated_key.as_ref().and_then(key_of).map(|key| key.sk);
        let rows: Result<Vec<T>, Error> = output.items.unwrap_or_default().into_iter().map(read).collect();
        Ok((rows?, next))
    }

    /// The keys of the rows of the index `due` that are due by `until`, soonest first; at most `limit`.
    ///
    /// # Errors
    /// Unavailable when DynamoDB is.
    pub async fn due(&self, partition: &str, until: &str, limit: i32) -> Result<Vec<Key>, Error> {
        let output = self
            .client()
            .query()
            .table_name(self.name())
            .index_name("due")
            .key_condition_expression("duePk = :pk AND dueAt <= :until")
            .expression_attribute_values(":pk", AttributeValue::S(partition.to_owned()))
            .expression_attribute_values(":until", AttributeValue::S(until.to_owned()))
            .limit(limit)
            .send()
            .await
            .map_err(|error| failed("Query", error))?;
        Ok(output.items.unwrap_or_default().iter().filter_map(key_of).collect())
    }
}

/// Where an item is, if it says so.
pub(super) fn key_of(item: &Item) -> Option<Key> {
    let text = |name: &str| item.get(name).and_then(|value| value.as_s().ok()).cloned();
    Some(Key { pk: text("pk")?, sk: text("sk")? })
}
