//! The time of the whole stack: the machine's, or one held by hand that wakes sleepers when advanced.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, SubsecRound as _, Utc};
use stella::clock::{Clock, Sleep, SystemClock};
use tokio::sync::watch;

/// The longest single wait on the machine's clock, so that a clock set by hand is noticed.
const LONGEST_WAIT: Duration = Duration::from_mins(1);

/// One clock for everything that runs in the stack. Clones tell the same time.
#[derive(Debug, Clone)]
pub struct Time(Source);

#[derive(Debug, Clone)]
enum Source {
    System,
    Manual(Arc<watch::Sender<DateTime<Utc>>>),
}

impl Time {
    /// The machine's own time.
    #[must_use]
    pub fn system() -> Self {
        Self(Source::System)
    }

    /// A time that stands still until it is advanced.
    #[must_use]
    pub fn manual(start: DateTime<Utc>) -> Self {
        Self(Source::Manual(Arc::new(watch::Sender::new(start.trunc_subsecs(3)))))
    }

    /// Whether it stands still until it is advanced.
    #[must_use]
    pub fn is_manual(&self) -> bool {
        matches!(self.0, Source::Manual(_))
    }

    /// The present moment, with milliseconds.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        match &self.0 {
            Source::System => SystemClock.now(),
            Source::Manual(present) => *present.borrow(),
        }
    }

    /// Moves a manual time forward and wakes whoever waits for a moment that is now past. The
    /// machine's time cannot be moved: nothing happens.
    pub fn advance(&self, by: chrono::Duration) {
        match &self.0 {
            Source::System => {}
            Source::Manual(present) => present.send_modify(|now| {
                *now = now.checked_add_signed(by).unwrap_or(DateTime::<Utc>::MAX_UTC).trunc_subsecs(3);
            }),
        }
    }

    /// Returns at the moment given, at once if it is past.
    pub async fn sleep_until(&self, moment: DateTime<Utc>) {
        match &self.0 {
            Source::System => {
                while let Ok(left) = moment.signed_duration_since(self.now()).to_std()
                    && !left.is_zero()
                {
                    tokio::time::sleep(left.min(LONGEST_WAIT)).await;
                }
            }
            Source::Manual(present) => {
                // The sender lives in `self`, so the wait cannot end by its going away.
                let _ = present.subscribe().wait_for(|now| *now >= moment).await;
            }
        }
    }
}

impl Clock for Time {
    fn now(&self) -> DateTime<Utc> {
        Self::now(self)
    }

    fn sleep_until(&self, moment: DateTime<Utc>) -> Sleep<'_> {
        Box::pin(Self::sleep_until(self, moment))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noon() -> DateTime<Utc> {
        "2026-03-01T12:00:00Z".parse().unwrap()
    }

    #[test]
    fn a_manual_time_moves_only_when_advanced() {
        let time = Time::manual(noon());
        let clone = time.clone();
        assert_eq!(time.now(), noon());
        clone.advance(chrono::Duration::seconds(90));
        assert_eq!(time.now(), noon() + chrono::Duration::seconds(90));
    }

    #[tokio::test]
    async fn advancing_wakes_a_sleeper_at_its_moment_and_not_before() {
        let time = Time::manual(noon());
        let sleeper = {
            let time = time.clone();
            tokio::spawn(async move {
                time.sleep_until(noon() + chrono::Duration::seconds(10)).await;
                time.now()
            })
        };
        tokio::task::yield_now().await;
        time.advance(chrono::Duration::seconds(9));
        tokio::task::yield_now().await;
        assert!(!sleeper.is_finished());
        time.advance(chrono::Duration::seconds(1));
        assert_eq!(sleeper.await.unwrap(), noon() + chrono::Duration::seconds(10));
    }

    #[tokio::test]
    async fn a_past_moment_is_not_waited_for() {
        Time::manual(noon()).sleep_until(noon()).await;
        Time::system().sleep_until(noon()).await;
    }
}
