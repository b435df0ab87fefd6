//! Many items written with few requests.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::{PutRequest, WriteRequest};
use serde::Serialize;

use super::query::key_of;
use super::table::{failed, write};
use super::{Key, Table};
use crate::error::Error;

/// How many items one request writes.
const MOST: usize = 25;

impl Table {
    /// Writes items whether or not they are there, 25 to a request. Says which (by number) were not written;
    /// the others are. Only for what no other writer can have changed, and each place once.
    ///
    /// # Errors
    /// A fault when a value cannot be written.
    pub async fn put_many<T: Serialize>(&self, items: &[(Key, T)]) -> Result<Vec<usize>, Error> {
        let mut unwritten = Vec::new();
        for (number, some) in items.chunks(MOST).enumerate() {
            let mut places = HashMap::new();
            let mut requests = Vec::new();
            for (within, (key, value)) in some.iter().enumerate() {
                places.insert(key.clone(), number.saturating_mul(MOST).saturating_add(within));
                let put = PutRequest::builder().set_item(Some(write(key, value)?)).build();
                let put = put.map_err(|error| Error::fault("a write cannot be built").caused_by(error))?;
                requests.push(WriteRequest::builder().put_request(put).build());
            }
            let written = self.client().batch_write_item().request_items(self.name(), requests).send().await;
            match written {
                Ok(output) => {
                    let left = output.unprocessed_items.unwrap_or_default().into_values().flatten();
                    let keys = left.filter_map(|request| key_of(request.put_request?.item()));
                    unwritten.extend(keys.filter_map(|key| places.remove(&key)));
                }
                Err(error) => {
                    let error = failed("BatchWriteItem", error);
                    tracing::warn!(error = %error, items = some.len(), "items were not written");
                    unwritten.extend(places.into_values());
                }
            }
        }
        Ok(unwritten)
    }
}
