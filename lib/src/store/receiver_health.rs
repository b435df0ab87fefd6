//! The state of a subscription's receiver. Each operation writes only some attributes, so that environments
//! do not overwrite each other's.

use aws_sdk_dynamodb::error::ProvideErrorMetadata as _;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue};
use chrono::{DateTime, Utc};

use super::item::read;
use super::table::attributes;
use super::{Key, Table, keys};
use crate::domain::outbound::breaker::Breaker;
use crate::domain::outbound::health::State;
use crate::error::Error;

/// What an environment observed of a receiver since it last wrote.
#[derive(Debug, Clone, Copy)]
pub struct LatestAttempts {
    /// When the last attempt was made.
    pub last_delivery: DateTime<Utc>,
    /// The status of the last attempt's answer.
    pub last_status: Option<u16>,
    /// When the last success was, if there was one.
    pub last_success: Option<DateTime<Utc>>,
    /// When the state expires, in seconds since 1970.
    pub expires_at: i64,
}

fn number(value: impl Into<i64>) -> AttributeValue {
    AttributeValue::N(value.into().to_string())
}

fn time(time: DateTime<Utc>) -> AttributeValue {
    AttributeValue::S(keys::time(time))
}

impl Table {
    /// Writes the latest attempts, and returns the state with them. `failingSince` is the first failure after
    /// the last success.
    ///
    /// # Errors
    /// `Unavailable` if DynamoDB does not answer.
    pub async fn record_attempts(&self, key: &Key, latest: &LatestAttempts) -> Result<State, Error> {
        let mut update = self
            .client()
            .update_item()
            .table_name(self.name())
            .set_key(Some(attributes(key)))
            .expression_attribute_values(":last", time(latest.last_delivery))
            .expression_attribute_values(":expires", number(latest.expires_at));
        let mut set = vec!["lastDelivery = :last", "expiresAt = :expires"];
        let mut remove = Vec::new();
        match latest.last_status {
            Some(status) => {
                set.push("lastStatus = :status");
                update = update.expression_attribute_values(":status", number(status));
            }
            None => remove.push("lastStatus"),
        }
        match latest.last_success {
            Some(success) => {
                set.push("lastSuccess = :success");
                remove.push("failingSince");
                update = update.expression_attribute_values(":success", time(success));
            }
            None => set.push("failingSince = if_not_exists(failingSince, :last)"),
        }
        let mut expression = format!("SET {}", set.join(", "));
        if !remove.is_empty() {
            expression = format!("{expression} REMOVE {}", remove.join(", "));
        }
        let output = update
            .update_expression(expression)
            .return_values(ReturnValue::AllNew)
            .send()
            .await
            .map_err(|error| self.failed("UpdateItem", &error))?;
        read(output.attributes.unwrap_or_default())
    }

    /// Opens a breaker that is still as it was `before`. One that another environment opened meanwhile stays
    /// as it is.
    ///
    /// # Errors
    /// `Unavailable` if DynamoDB does not answer.
    pub async fn open_breaker(&self, key: &Key, before: &Breaker, after: &Breaker) -> Result<(), Error> {
        let update = self
            .client()
            .update_item()
            .table_name(self.name())
            .set_key(Some(attributes(key)))
            .update_expression("SET openUntil = :until, openSeconds = :seconds REMOVE probeUntil")
            .expression_attribute_values(":until", number(after.open_until.unwrap_or_default()))
            .expression_attribute_values(":seconds", number(after.open_seconds));
        let update = match before.open_until {
            None => update.condition_expression("attribute_not_exists(openUntil)"),
            Some(seen) => update
                .condition_expression("openUntil = :seen")
                .expression_attribute_values(":seen", number(seen)),
        };
        match update.send().await {
            Err(error) if error.code() != Some("ConditionalCheckFailedException") => {
                Err(self.failed("UpdateItem", &error))
            }
            _ => Ok(()),
        }
    }

    /// Leases the probe of a breaker until `until`. Returns whether it was free. Times are milliseconds since
    /// 1970.
    ///
    /// # Errors
    /// `Unavailable` if DynamoDB does not answer.
    pub async fn take_probe(&self, key: &Key, seen: &Breaker, until: i64, now: i64) -> Result<bool, Error> {
        let taken = self
            .client()
            .update_item()
            .table_name(self.name())
            .set_key(Some(attributes(key)))
            .update_expression("SET probeUntil = :until")
            .condition_expression(
                "openUntil = :seen AND (attribute_not_exists(probeUntil) OR probeUntil <= :now)",
            )
            .expression_attribute_values(":until", number(until))
            .expression_attribute_values(":seen", number(seen.open_until.unwrap_or_default()))
            .expression_attribute_values(":now", number(now))
            .send()
            .await;
        match taken {
            Ok(_) => Ok(true),
            Err(error) if error.code() == Some("ConditionalCheckFailedException") => Ok(false),
            Err(error) => Err(self.failed("UpdateItem", &error)),
        }
    }

    /// Closes a breaker.
    ///
    /// # Errors
    /// `Unavailable` if DynamoDB does not answer.
    pub async fn close_breaker(&self, key: &Key) -> Result<(), Error> {
        self.remove(key, "REMOVE openUntil, openSeconds, probeUntil").await
    }

    /// Closes a breaker, and clears the time since when the receiver fails.
    ///
    /// # Errors
    /// `Unavailable` if DynamoDB does not answer.
    pub async fn clear_failures(&self, key: &Key) -> Result<(), Error> {
        self.remove(key, "REMOVE openUntil, openSeconds, probeUntil, failingSince").await
    }

    async fn remove(&self, key: &Key, expression: &str) -> Result<(), Error> {
        self.client()
            .update_item()
            .table_name(self.name())
            .set_key(Some(attributes(key)))
            .update_expression(expression)
            .send()
            .await
            .map_err(|error| self.failed("UpdateItem", &error))?;
        Ok(())
    }
}
