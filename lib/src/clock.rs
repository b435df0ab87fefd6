//! What time it is. The one place where the wall clock is read, so that tests can hold the clock.

use chrono::{DateTime, SubsecRound as _, Utc};

/// Tells the time. Use cases take it as an argument and never read the wall clock.
pub trait Clock: Send + Sync + 'static {
    /// The present moment, with milliseconds and nothing finer: what is stored and compared.
    fn now(&self) -> DateTime<Utc>;
}

/// The machine's own clock.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place where the wall clock is read")]
    fn now(&self) -> DateTime<Utc> {
        Utc::now().trunc_subsecs(3)
    }
}
