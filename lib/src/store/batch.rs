//! Writing many items with few requests.

use std::collections::{BTreeMap, HashMap, HashSet};

use aws_sdk_dynamodb::types::{PutRequest, WriteRequest};
use futures_util::future::join_all;
use serde::Serialize;

use super::item::key_of;
use super::table::write;
use super::{Key, Table};
use crate::error::{Error, Kind};
use crate::log_error;

/// How many items one request writes: the limit of DynamoDB's `BatchWriteItem`.
const MAX_WRITES: usize = 25;

impl Table {
    /// Writes items whether or not they exist, 25 to a request. Returns those that were not written, by
    /// index, each with the kind of its error. For items that no other writer changes. Of several items with
    /// the same key, the first is written.
    ///
    /// # Errors
    /// `Fault` if a value cannot be serialised.
    pub async fn put_many<T: Serialize>(&self, items: &[(Key, T)]) -> Result<BTreeMap<usize, Kind>, Error> {
        let mut places = HashSet::new();
        let mut puts = Vec::new();
        for (key, value) in items {
            // DynamoDB refuses a request that names a key twice.
            if places.insert(key) {
                let put = PutRequest::builder().set_item(Some(write(key, value)?)).build();
                puts.push(put.map_err(|error| Error::fault("a write cannot be built").caused_by(error))?);
            }
        }
        let mut unwritten = HashMap::new();
        for some in puts.chunks(MAX_WRITES) {
            unwritten.extend(self.put_some(some).await);
        }
        let failed = |(number, (key, _)): (usize, &(Key, T))| Some((number, *unwritten.get(key)?));
        Ok(items.iter().enumerate().filter_map(failed).collect())
    }

    /// Writes the items of one request. A request that is refused for one of its items is repeated item by
    /// item.
    async fn put_some(&self, puts: &[PutRequest]) -> HashMap<Key, Kind> {
        let request = |put: &PutRequest| WriteRequest::builder().put_request(put.clone()).build();
        let requests: Vec<WriteRequest> = puts.iter().map(request).collect();
        match self.client().batch_write_item().request_items(self.name(), requests).send().await {
            Ok(output) => {
                let left = output.unprocessed_items.unwrap_or_default().into_values().flatten();
                left.filter_map(|left| Some((key_of(left.put_request?.item())?, Kind::Unavailable))).collect()
            }
            Err(error) => {
                let error = self.failed("BatchWriteItem", &error);
                if error.kind == Kind::Refused && puts.len() > 1 {
                    let each = puts.chunks(1).map(|one| Box::pin(self.put_some(one)));
                    return join_all(each).await.into_iter().flatten().collect();
                }
                log_error!(WARN, error, "items were not written", items = puts.len());
                puts.iter().filter_map(|put| Some((key_of(put.item())?, error.kind))).collect()
            }
        }
    }
}
