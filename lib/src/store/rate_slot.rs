//! Slots that are given out one after the other, at a steady rate.

use aws_sdk_dynamodb::error::ProvideErrorMetadata as _;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue};

use super::table::attributes;
use super::{Key, Table};
use crate::error::Error;

/// How often a slot is tried for while others take theirs in between.
const MAX_TRIES: usize = 8;

impl Table {
    /// Takes the next slot. Returns its time, now or later, in the unit of `now`: microseconds since 1970 for
    /// rate-limit slots, slot numbers for releases. Slots are `interval` units apart. `expires_at` is in
    /// seconds since 1970.
    ///
    /// # Errors
    /// `Unavailable` if DynamoDB does not answer.
    pub async fn take_slot(&self, key: &Key, now: i64, interval: i64, expires_at: i64) -> Result<i64, Error> {
        // While others wait, the slot is after theirs; otherwise it is now.
        let queued = ("nextTurn = nextTurn + :interval", "nextTurn >= :now");
        let idle = ("nextTurn = :now + :interval", "attribute_not_exists(nextTurn) OR nextTurn < :now");
        for number in 0..MAX_TRIES {
            let is_queued = number % 2 == 0;
            let (set, condition) = if is_queued { queued } else { idle };
            let taken = self
                .client()
                .update_item()
                .table_name(self.name())
                .set_key(Some(attributes(key)))
                .update_expression(format!("SET {set}, expiresAt = :expires"))
                .condition_expression(condition)
                .expression_attribute_values(":now", AttributeValue::N(now.to_string()))
                .expression_attribute_values(":interval", AttributeValue::N(interval.to_string()))
                .expression_attribute_values(":expires", AttributeValue::N(expires_at.to_string()))
                .return_values(ReturnValue::UpdatedOld)
                .send()
                .await;
            match taken {
                Ok(output) => {
                    let before = output.attributes.and_then(|mut item| item.remove("nextTurn"));
                    let before = before.and_then(|value| value.as_n().ok()?.parse().ok());
                    return Ok(before.filter(|_| is_queued).unwrap_or(now));
                }
                Err(error) if error.code() == Some("ConditionalCheckFailedException") => {}
                Err(error) => return Err(self.failed("UpdateItem", &error)),
            }
        }
        Err(Error::unavailable("too many take a slot at once"))
    }
}
