//! The time of the whole stack: the machine's, one ahead of it, or one held by hand; advancing wakes sleepers.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, SubsecRound as _, Utc};
use tokio::sync::watch;

/// The longest single wait on the machine's clock, so that a clock set by hand is noticed.
const MAX_WAIT: Duration = Duration::from_mins(1);

/// One clock for everything that runs in the stack. Clones tell the same time.
#[derive(Debug, Clone)]
pub struct Time(Source);

#[derive(Debug, Clone)]
enum Source {
    System,
    Ahead(Arc<watch::Sender<chrono::Duration>>),
    Manual(Arc<watch::Sender<DateTime<Utc>>>),
}

impl Time {
    /// The machine's own time.
    #[must_use]
    pub fn system() -> Self {
        Self(Source::System)
    }

    /// The machine's own time until it is advanced, and then ahead of it by as much: for what goes by the
    /// machine's clock itself, as services elsewhere do.
    #[must_use]
    pub fn ahead() -> Self {
        Self(Source::Ahead(Arc::new(watch::Sender::new(chrono::Duration::zero()))))
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
            Source::System => machine_time(),
            Source::Ahead(by) => later(machine_time(), *by.borrow()),
            Source::Manual(present) => *present.borrow(),
        }
    }

    /// Moves a time forward and wakes whoever waits for a moment that is now past. The machine's own
    /// cannot be moved: nothing happens.
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

    /// Returns at the moment given, at once if it is past.
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
                    // Woken when it is advanced; the sender lives in `self`.
                    let _ = tokio::time::timeout(left, by.changed()).await;
                }
            }
            Source::Manual(present) => {
                // The sender lives in `self`, so the wait cannot end by its going away.
                let _ = present.subscribe().wait_for(|now| *now >= moment).await;
            }
        }
    }
}

impl Time {
    /// How long to wait for a moment by the machine's clock, at most a minute; nothing if it is past.
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
        Time::ahead().sleep_until(noon()).await;
    }

    #[tokio::test]
    async fn a_time_that_runs_ahead_wakes_a_sleeper_when_it_is_advanced_past_its_moment() {
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
