//! Failed expressions, in the item with their owner's state.

use aws_sdk_dynamodb::types::AttributeValue;
use chrono::{DateTime, Duration, Utc};

use super::table::attributes;
use super::{Key, Table, keys};
use crate::domain::shared::expression::Failures;
use crate::error::Error;

/// After how many days without another failure the counts expire.
const FORGOTTEN_DAYS: i64 = 90;

impl Table {
    /// Adds failures to those of an owner.
    ///
    /// # Errors
    /// `Unavailable` if DynamoDB does not answer.
    pub async fn add_filter_failures(
        &self,
        key: &Key,
        failures: &Failures,
        at: DateTime<Utc>,
    ) -> Result<(), Error> {
        let expires = at.checked_add_signed(Duration::days(FORGOTTEN_DAYS)).unwrap_or(at).timestamp();
        self.client()
            .update_item()
            .table_name(self.name())
            .set_key(Some(attributes(key)))
            .update_expression(
                "SET filterErrorsAt = :at, filterErrorsMessage = :message, expiresAt = :expires \
                 ADD filterErrors :count",
            )
            .expression_attribute_values(":at", AttributeValue::S(keys::time(at)))
            .expression_attribute_values(":message", AttributeValue::S(failures.message.clone()))
            .expression_attribute_values(":expires", AttributeValue::N(expires.to_string()))
            .expression_attribute_values(":count", AttributeValue::N(failures.count.to_string()))
            .send()
            .await
            .map_err(|error| self.failed("UpdateItem", &error))?;
        Ok(())
    }
}
