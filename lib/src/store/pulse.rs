//! What is written of a subscription's standing: some attributes at a time, so that its environments do not
//! undo each other's words.

use aws_sdk_dynamodb::error::ProvideErrorMetadata as _;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue};
use chrono::{DateTime, Utc};

use super::item::read;
use super::table::attributes;
use super::{Key, Table, keys};
use crate::domain::outbound::breaker::Breaker;
use crate::domain::outbound::health::State;
use crate::error::Error;

/// What an environment has to say of the attempts it made since it last said something.
#[derive(Debug, Clone, Copy)]
pub struct News {
    /// When the last one was made.
    pub last_delivery: DateTime<Utc>,
    /// What the receiver answered it.
    pub last_status: Option<u16>,
    /// When the last success was.
    pub last_success: Option<DateTime<Utc>>,
    /// When all of it may be forgotten, in seconds since 1970.
    pub expires_at: i64,
}

fn number(value: impl Into<i64>) -> AttributeValue {
    AttributeValue::N(value.into().to_string())
}

fn moment(time: DateTime<Utc>) -> AttributeValue {
    AttributeValue::S(keys::time(time))
}

impl Table {
    /// Writes news down, and says where the subscription stands with them: failing since the first failure
    /// after its last success.
    ///
    /// # Errors
    /// Unavailable when DynamoDB is.
    pub async fn tell(&self, key: &Key, news: &News) -> Result<State, Error> {
        let mut update = self
            .client()
            .update_item()
            .table_name(self.name())
            .set_key(Some(attributes(key)))
            .expression_attribute_values(":last", moment(news.last_delivery))
            .expression_attribute_values(":expires", number(news.expires_at));
        let mut set = vec!["lastDelivery = :last", "expiresAt = :expires"];
        let mut remove = Vec::new();
        match news.last_status {
            Some(status) => {
                set.push("lastStatus = :status");
                update = update.expression_attribute_values(":status", number(status));
            }
            None => remove.push("lastStatus"),
        }
        match news.last_success {
            Some(success) => {
                set.push("lastSuccess = :success");
                remove.push("failingSince");
                update = update.expression_attribute_values(":success", moment(success));
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

    /// Opens a breaker that is still as it was `before`; one that somebody else opened stays as it is.
    ///
    /// # Errors
    /// Unavailable when DynamoDB is.
    pub async fn open(&self, key: &Key, before: &Breaker, after: &Breaker) -> Result<(), Error> {
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

    /// Takes the one probe of a breaker until a moment (milliseconds since 1970); whether it was to be had.
    ///
    /// # Errors
    /// Unavailable when DynamoDB is.
    pub async fn probe(&self, key: &Key, seen: &Breaker, until: i64, now: i64) -> Result<bool, Error> {
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
    /// Unavailable when DynamoDB is.
    pub async fn close(&self, key: &Key) -> Result<(), Error> {
        self.forget(key, "REMOVE openUntil, openSeconds, probeUntil").await
    }

    /// Closes a breaker and forgets the failures before.
    ///
    /// # Errors
    /// Unavailable when DynamoDB is.
    pub async fn forgive(&self, key: &Key) -> Result<(), Error> {
        self.forget(key, "REMOVE openUntil, openSeconds, probeUntil, failingSince").await
    }

    async fn forget(&self, key: &Key, expression: &str) -> Result<(), Error> {
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
