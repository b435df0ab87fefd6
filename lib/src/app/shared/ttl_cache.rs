//! A TTL cache with single-flight loading.

use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, Duration, Utc};

use crate::domain::shared::bounded_map::BoundedMap;
use crate::error::Error;

/// How many values are cached; the least recently used makes room.
const MAX_VALUES: usize = 10_000;

type Cell<V> = Arc<tokio::sync::Mutex<Option<(DateTime<Utc>, V)>>>;

/// A TTL cache: of several concurrent calls for one key, one loads the value.
pub struct TtlCache<K: Eq + Hash, V>(Mutex<BoundedMap<K, Cell<V>>>);

impl<K: Eq + Hash, V> Default for TtlCache<K, V> {
    fn default() -> Self {
        Self(Mutex::new(BoundedMap::new(MAX_VALUES)))
    }
}

impl<K: Eq + Hash, V: Clone> TtlCache<K, V> {
    /// The cached value, if it is younger than its `kept_for`; else the one that `read` loads.
    ///
    /// # Errors
    /// Those of `read`; then nothing is cached.
    pub async fn get(
        &self,
        key: K,
        now: DateTime<Utc>,
        kept_for: impl FnOnce(&V) -> Duration,
        read: impl AsyncFnOnce() -> Result<V, Error>,
    ) -> Result<V, Error> {
        let cell = self.cell(key);
        let mut kept = cell.lock().await;
        if let Some((read_at, value)) = kept.as_ref()
            && now.signed_duration_since(*read_at) < kept_for(value)
        {
            return Ok(value.clone());
        }
        *kept = None;
        let value = read().await?;
        *kept = Some((now, value.clone()));
        Ok(value)
    }

    /// Removes a value, so that it is loaded again.
    pub fn forget(&self, key: &K) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }

    fn cell(&self, key: K) -> Cell<V> {
        let mut cells = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(cells.get_or_insert_with(key, Cell::default))
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use futures_util::future::join_all;

    use super::*;

    #[tokio::test]
    async fn concurrent_calls_load_once_and_an_expired_or_forgotten_value_is_loaded_again() {
        let (cache, reads) = (TtlCache::<u8, u32>::default(), Cell::new(0_u32));
        let get = async |seconds| {
            let now = DateTime::from_timestamp(seconds, 0).unwrap();
            let read = async || {
                tokio::task::yield_now().await;
                reads.set(reads.get().saturating_add(1));
                Ok(reads.get())
            };
            cache.get(1, now, |_| Duration::seconds(10), read).await.unwrap()
        };
        assert_eq!(join_all((0..9).map(get)).await, [1; 9]);
        assert_eq!((get(9).await, get(18).await, get(19).await), (1, 2, 2));
        cache.forget(&1);
        assert_eq!(get(19).await, 3);
    }

    #[tokio::test]
    async fn a_failed_load_is_not_cached() {
        let cache = TtlCache::<u8, u8>::default();
        let now = DateTime::default();
        let fails = async || Err(Error::unavailable("as asked"));
        assert!(cache.get(1, now, |_| Duration::seconds(10), fails).await.is_err());
        assert_eq!(cache.get(1, now, |_| Duration::seconds(10), async || Ok(7)).await.ok(), Some(7));
    }
}
