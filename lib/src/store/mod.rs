//! DynamoDB: the two tables, their keys, and the operations on them.

mod batch;
pub mod counts;
mod failures;
pub mod item;
pub mod keys;
pub mod listing;
mod query;
mod rate_slot;
mod receiver_health;
mod sort_keys;
pub(crate) mod subscriptions;
pub mod table;
pub mod transaction;

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use crate::aws::Aws;
use crate::domain::shared::ids::TenantId;
use crate::environment::Environment;
use crate::error::Error;

pub use keys::Key;
pub use listing::{Listing, Page, PageRequest, Pagination};
pub use receiver_health::LatestAttempts;
pub use sort_keys::Bound;
pub use table::{Created, Table};
pub use transaction::{Commit, Transaction};

/// An item, as the SDK represents it.
pub type Item = std::collections::HashMap<String, aws_sdk_dynamodb::types::AttributeValue>;

/// A day on which a tenant has events.
#[derive(Serialize, Deserialize)]
struct EventDay {
    day: NaiveDate,
}

/// The two tables.
#[derive(Clone)]
pub struct Store {
    /// Long-lived items: tenants, configs, components, releases, subscriptions, events.
    pub core: Table,
    /// Items that expire: deliveries, receipts, de-duplication keys.
    pub deliveries: Table,
    client: aws_sdk_dynamodb::Client,
    /// The event days that this environment has recorded.
    event_days: Arc<Mutex<HashSet<(TenantId, NaiveDate)>>>,
}

impl Store {
    /// The tables that the environment names.
    ///
    /// # Errors
    /// `Fault` if a variable is missing.
    pub fn new(environment: &Environment, aws: &Aws) -> Result<Self, Error> {
        let client = aws.dynamodb();
        Ok(Self {
            core: Table::new(client.clone(), environment.required("CORE_TABLE")?),
            deliveries: Table::new(client.clone(), environment.required("DELIVERIES_TABLE")?),
            client,
            event_days: Arc::default(),
        })
    }

    /// Records that a tenant has events of a day. Must be called before the first of them is written.
    ///
    /// # Errors
    /// `Unavailable` if DynamoDB does not answer.
    pub async fn record_event_day(&self, tenant: TenantId, day: NaiveDate) -> Result<(), Error> {
        let is_recorded = |days: &Mutex<HashSet<_>>| {
            days.lock().unwrap_or_else(PoisonError::into_inner).contains(&(tenant, day))
        };
        if is_recorded(&self.event_days) {
            return Ok(());
        }
        self.core.put(&keys::event_day(tenant, day), &EventDay { day }).await?;
        let mut days = self.event_days.lock().unwrap_or_else(PoisonError::into_inner);
        if days.len() > 10_000 {
            days.clear();
        }
        days.insert((tenant, day));
        Ok(())
    }

    /// The days on which a tenant has events, newest first.
    ///
    /// # Errors
    /// `Unavailable` if DynamoDB does not answer.
    pub async fn event_days(&self, tenant: TenantId) -> Result<Vec<NaiveDate>, Error> {
        let days: Vec<EventDay> = self.core.all(&keys::event_days(tenant), "DAY#").await?;
        Ok(days.into_iter().rev().map(|day| day.day).collect())
    }

    /// Begins a transaction over both tables.
    #[must_use]
    pub fn transaction(&self) -> Transaction {
        Transaction::new(self.client.clone())
    }
}
