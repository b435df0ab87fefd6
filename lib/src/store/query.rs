//! Queries of one partition, and of the due index.

use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::types::AttributeValue;
use chrono::{DateTime, Utc};
use serde::de::DeserializeOwned;

use super::item::{key_of, read, readable};
use super::sort_keys::{Bound, SortKeys};
use super::{Item, Key, Table, keys};
use crate::error::Error;

impl Table {
    /// All rows of a partition whose sort keys are between two bounds, oldest first; about 10 000 at most.
    ///
    /// # Errors
    /// `Unavailable` if DynamoDB does not answer.
    pub async fn range(&self, partition: &str, from: &str, to: &str) -> Result<Vec<Item>, Error> {
        let to = Bound::new(to).ok_or_else(|| Error::fault("a range has no upper bound"))?;
        let wanted = SortKeys::between(from, to);
        let mut rows = Vec::new();
        let mut start = None;
        loop {
            let output = self
                .rows_of(partition, wanted.clone())
                .set_exclusive_start_key(start.take())
                .send()
                .await
                .map_err(|error| self.failed("Query", &error))?;
            rows.extend(output.items.unwrap_or_default());
            start = output.last_evaluated_key;
            if start.is_none() || rows.len() >= 10_000 {
                return Ok(rows);
            }
        }
    }

    /// All rows of a partition whose sort keys begin with `prefix`, oldest first; about 10 000 at most.
    ///
    /// # Errors
    /// `Unavailable` if DynamoDB does not answer; `Fault` if a row cannot be read.
    pub async fn all<T: DeserializeOwned>(&self, partition: &str, prefix: &str) -> Result<Vec<T>, Error> {
        let rows = self.range(partition, prefix, &format!("{prefix}\u{10ffff}")).await?;
        rows.into_iter().map(read).collect()
    }

    /// At most `limit` rows of a partition, oldest first, behind the sort key `after` (empty: from the
    /// first), and the sort key to continue behind. A row that cannot be read is logged and left out.
    ///
    /// # Errors
    /// `Unavailable` if DynamoDB does not answer.
    pub async fn next<T: DeserializeOwned>(
        &self,
        partition: &str,
        after: &str,
        limit: i32,
    ) -> Result<(Vec<T>, Option<String>), Error> {
        let output = self
            .rows_of(partition, SortKeys::behind(after))
            .limit(limit)
            .send()
            .await
            .map_err(|error| self.failed("Query", &error))?;
        let next = output.last_evaluated_key.as_ref().and_then(key_of).map(|key| key.sk);
        Ok((output.items.unwrap_or_default().into_iter().filter_map(readable).collect(), next))
    }

    /// Sort keys of a partition between two bounds, oldest first, and where to continue. Other attributes of
    /// the rows are not transferred.
    ///
    /// # Errors
    /// `Unavailable` if DynamoDB does not answer.
    pub async fn sort_keys(
        &self,
        partition: &str,
        from: &str,
        to: &str,
        start: Option<Item>,
    ) -> Result<(Vec<String>, Option<Item>), Error> {
        let to = Bound::new(to).ok_or_else(|| Error::fault("a range has no upper bound"))?;
        let output = self
            .rows_of(partition, SortKeys::between(from, to))
            .projection_expression("pk, sk")
            .set_exclusive_start_key(start)
            .send()
            .await
            .map_err(|error| self.failed("Query", &error))?;
        let keys = output.items.unwrap_or_default().iter().filter_map(key_of).map(|key| key.sk).collect();
        Ok((keys, output.last_evaluated_key))
    }

    /// A consistent query of a partition's rows.
    pub(super) fn rows_of(&self, partition: &str, wanted: SortKeys) -> QueryFluentBuilder {
        wanted.of(partition, self.client().query().table_name(self.name()).consistent_read(true))
    }

    /// The keys of rows in a partition of the due index that are due by `until`, the earliest first; at most
    /// `limit`.
    ///
    /// # Errors
    /// `Unavailable` if DynamoDB does not answer.
    pub async fn due(&self, partition: &str, until: DateTime<Utc>, limit: i32) -> Result<Vec<Key>, Error> {
        let output = self
            .client()
            .query()
            .table_name(self.name())
            .index_name("due")
            .key_condition_expression("duePk = :pk AND dueAt <= :until")
            .expression_attribute_values(":pk", AttributeValue::S(partition.to_owned()))
            .expression_attribute_values(":until", AttributeValue::S(keys::time(until)))
            .limit(limit)
            .send()
            .await
            .map_err(|error| self.failed("Query", &error))?;
        Ok(output.items.unwrap_or_default().iter().filter_map(key_of).collect())
    }
}
