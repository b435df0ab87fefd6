//! The clock of a stack: the machine's, one that runs ahead of it, or one that is held until it is advanced.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, SubsecRound as _, Utc};
use tokio::sync::watch;

/// The longest single wait by the machine's clock, so that a change of that clock is noticed.
const MAX_WAIT: Duration = Duration::from_mins(1);

/// The clock of everything that runs in a stack. Clones are the same clock.
///
/// ```
/// let time = sam_local::Time::manual("2026-03-01T12:00:00Z".parse()?);
/// time.advance(chrono::Duration::hours(2));
/// assert_eq!(time.now().to_rfc3339(), "2026-03-01T14:00:00+00:00");
/// # Ok::<_, chrono::ParseError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Time(Source);

#[derive(Debug, Clone)]
enum Source {
    System,
    Ahead(Arc<watch::Sender<chrono::Duration>>),
    Manual(Arc<watch::Sender<DateTime<Utc>>>),
}

impl Time {
    /// The machine's clock.
    #[must_use]
    pub fn system() -> Self {
        Self(Source::System)
    }

    /// The machine's clock, and ahead of it by as much as it was advanced. For services that have no other
    /// clock than the machine's, as those at [`Settings::aws_endpoint`](crate::Settings::aws_endpoint).
    #[must_use]
    pub fn ahead() -> Self {
        Self(Source::Ahead(Arc::new(watch::Sender::new(chrono::Duration::zero()))))
    }

    /// A held clock, which stands still until it is advanced.
    #[must_use]
    pub fn manual(start: DateTime<Utc>) -> Self {
        Self(Source::Manual(Arc::new(watch::Sender::new(start.trunc_subsecs(3)))))
    }

    /// Whether this is a held clock.
    #[must_use]
    pub fn is_manual(&self) -> bool {
        matches!(self.0, Source::Manual(_))
    }

    /// The current time, to the millisecond.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        match &self.0 {
            Source::System => machine_time(),
            Source::Ahead(by) => later(machine_time(), *by.borrow()),
            Source::Manual(present) => *present.borrow(),
        }
    }

    /// Moves the clock forward, and wakes those who wait for a time that has come. Has no effect on
    /// [`Time::system`].
    pub fn advance(&self, by: chrono::Duration) {
        match &self.0 {
            Source::System => {}
            Source::Ahead(before) => before.send_modify(|ahead| {
                *ahead = ahead.checked_add(&by).unwrap_or(chrono::Duration::MAX);
            }),
            Source::Manual(present) => present.send_modify(|now| {
                *now = later(*now, by).trunc_subsecs(3);
            }),
        }
    }

    /// Returns at this time, at once if it is past.
    pub async fn sleep_until(&self, moment: DateTime<Utc>) {
        match &self.0 {
            Source::System => {
                while let Some(left) = self.left_until(moment) {
                    tokio::time::sleep(left).await;
                }
            }
            Source::Ahead(by) => {
                let mut by = by.subscribe();
                by.mark_unchanged();
                while let Some(left) = self.left_until(moment) {
                    // Ends early when the clock is advanced. The sender is in `self`.
                    let _ = tokio::time::timeout(left, by.changed()).await;
                }
            }
            Source::Manual(present) => {
                // The sender is in `self`, so the channel cannot be closed while this waits.
                let _ = present.subscribe().wait_for(|now| *now >= moment).await;
            }
        }
    }
}

impl Time {
    /// How long to wait until this time, at most `MAX_WAIT`; `None` if it is past.
    fn left_until(&self, moment: DateTime<Utc>) -> Option<Duration> {
        let left = moment.signed_duration_since(self.now()).to_std().ok()?;
        (!left.is_zero()).then(|| left.min(MAX_WAIT))
    }
}

fn later(moment: DateTime<Utc>, by: chrono::Duration) -> DateTime<Utc> {
    moment.checked_add_signed(by).unwrap_or(DateTime::<Utc>::MAX_UTC)
}

#[expect(clippy::disallowed_methods, reason = "the one place where the wall clock is read")]
fn machine_time() -> DateTime<Utc> {
    Utc::now().trunc_subsecs(3)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noon() -> DateTime<Utc> {
        "2026-03-01T12:00:00Z".parse().unwrap()
    }

    #[test]
    fn a_held_clock_moves_only_when_it_is_advanced() {
        let time = Time::manual(noon());
        let clone = time.clone();
        assert_eq!(time.now(), noon());
        clone.advance(chrono::Duration::seconds(90));
        assert_eq!(time.now(), noon() + chrono::Duration::seconds(90));
    }

    #[tokio::test]
    async fn advancing_a_held_clock_wakes_a_sleeper_at_its_time_and_not_before() {
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
    async fn a_past_time_is_not_waited_for() {
        Time::manual(noon()).sleep_until(noon()).await;
        Time::system().sleep_until(noon()).await;
        Time::ahead().sleep_until(noon()).await;
    }

    #[tokio::test]
    async fn advancing_a_clock_that_runs_ahead_wakes_sleepers() {
        let time = Time::ahead();
        let moment = time.now() + chrono::Duration::hours(5);
        let sleeper = {
            let time = time.clone();
            tokio::spawn(async move {
                time.sleep_until(moment).await;
                time.now()
            })
        };
        tokio::task::yield_now().await;
        time.advance(chrono::Duration::hours(4));
        tokio::task::yield_now().await;
        assert!(!sleeper.is_finished());
        time.advance(chrono::Duration::hours(1));
        assert!(sleeper.await.unwrap() >= moment);
        assert!(!time.is_manual());
    }
}
