//! Items as values.

use serde::de::DeserializeOwned;

use super::{Item, Key};
use crate::error::Error;
use crate::log_error;

/// An item as a value; members that the value does not know are passed over.
///
/// # Errors
/// A fault when the item lacks something.
pub fn read<T: DeserializeOwned>(item: Item) -> Result<T, Error> {
    serde_dynamo::from_item(item)
        .map_err(|error| Error::fault("a stored item cannot be read").caused_by(error))
}

/// An item as a value, unless it cannot be read: then that is logged, and what it stands among goes on without it.
#[must_use]
pub fn readable<T: DeserializeOwned>(item: Item) -> Option<T> {
    let place = key_of(&item);
    read(item)
        .inspect_err(|error| {
            let (pk, sk) = place.map_or_else(Default::default, |key| (key.pk, key.sk));
            log_error!(ERROR, error, "a stored item cannot be read", item.pk = pk, item.sk = sk);
        })
        .ok()
}

/// Where an item is, if it says so.
#[must_use]
pub fn key_of(item: &Item) -> Option<Key> {
    let text = |name: &str| item.get(name).and_then(|value| value.as_s().ok()).cloned();
    Some(Key { pk: text("pk")?, sk: text("sk")? })
}
