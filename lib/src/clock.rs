//! The clock. The wall clock is read here only, so that tests can set the time.

use std::pin::Pin;

use chrono::{DateTime, SubsecRound as _, Utc};

/// A wait until a point in time.
pub type Sleep<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// Gives the time. Use cases take it as an argument and never read the wall clock.
pub trait Clock: Send + Sync + 'static {
    /// The current time, in whole milliseconds: the precision of stored times.
    fn now(&self) -> DateTime<Utc>;

    /// Returns at `time`, or at once if it is past.
    fn sleep_until(&self, time: DateTime<Utc>) -> Sleep<'_>;
}

/// The machine's clock.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place where the wall clock is read")]
    fn now(&self) -> DateTime<Utc> {
        Utc::now().trunc_subsecs(3)
    }

    fn sleep_until(&self, time: DateTime<Utc>) -> Sleep<'_> {
        let left = time.signed_duration_since(self.now()).to_std().unwrap_or_default();
        Box::pin(tokio::time::sleep(left))
    }
}
