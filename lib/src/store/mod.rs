//! DynamoDB: the two tables, their keys, and what one call of theirs can do.

pub mod keys;
pub mod listing;
pub mod table;
pub mod transaction;

use crate::aws::Aws;
use crate::environment::Environment;
use crate::error::Error;

pub use keys::Key;
pub use listing::{Listing, Page, PageRequest};
pub use table::{Created, Table};
pub use transaction::{Commit, Transaction};

/// An item as DynamoDB has it.
pub type Item = std::collections::HashMap<String, aws_sdk_dynamodb::types::AttributeValue>;

/// The two tables.
#[derive(Clone)]
pub struct Store {
    /// What is kept: tenants, configs, components, releases, subscriptions, events.
    pub core: Table,
    /// What passes: deliveries, receipts, de-duplication.
    pub deliveries: Table,
    client: aws_sdk_dynamodb::Client,
}

impl Store {
    /// The tables that the environment names.
    ///
    /// # Errors
    /// A fault when a variable is missing.
    pub fn new(environment: &Environment, aws: &Aws) -> Result<Self, Error> {
        let client = aws.dynamodb();
        Ok(Self {
            core: Table::new(client.clone(), environment.required("CORE_TABLE")?),
            deliveries: Table::new(client.clone(), environment.required("DELIVERIES_TABLE")?),
            client,
        })
    }

    /// Begins a transaction over both tables.
    #[must_use]
    pub fn transaction(&self) -> Transaction {
        Transaction::new(self.client.clone())
    }
}
