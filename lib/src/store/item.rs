//! Items as typed values.

use serde::de::DeserializeOwned;

use super::{Item, Key};
use crate::error::Error;
use crate::log_error;

/// An item as a value. Unknown attributes are ignored.
///
/// # Errors
/// `Fault` if an attribute is missing or has another type.
pub fn read<T: DeserializeOwned>(item: Item) -> Result<T, Error> {
    serde_dynamo::from_item(item)
        .map_err(|error| Error::fault("a stored item cannot be read").caused_by(error))
}

/// An item as a value. One that cannot be read is logged and left out, so that the rest of a list goes on.
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

/// The key of an item, if it contains one.
#[must_use]
pub fn key_of(item: &Item) -> Option<Key> {
    let text = |name: &str| item.get(name).and_then(|value| value.as_s().ok()).cloned();
    Some(Key { pk: text("pk")?, sk: text("sk")? })
}
