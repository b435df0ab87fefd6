//! The clock of the functions, which is the stack's.

use chrono::{DateTime, Utc};
use sam_local::Time;
use stella::clock::{Clock, Sleep};

/// Adapts the time of a stack to a [`Clock`].
#[derive(Debug, Clone)]
pub struct StackClock(pub Time);

impl Clock for StackClock {
    fn now(&self) -> DateTime<Utc> {
        self.0.now()
    }

    fn sleep_until(&self, moment: DateTime<Utc>) -> Sleep<'_> {
        Box::pin(self.0.sleep_until(moment))
    }
}
