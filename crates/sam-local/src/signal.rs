//! Something that happens once and that many wait for.

use tokio::sync::watch;

/// What makes it happen; dropping it does too.
#[derive(Debug)]
pub(crate) struct Trigger(watch::Sender<bool>);

/// What waits for it. Clones wait for the same.
#[derive(Debug, Clone)]
pub(crate) struct Signal(watch::Receiver<bool>);

/// A trigger and what it will set off.
pub(crate) fn signal() -> (Trigger, Signal) {
    let (sender, receiver) = watch::channel(false);
    (Trigger(sender), Signal(receiver))
}

impl Trigger {
    /// It happens now.
    pub(crate) fn fire(&self) {
        self.0.send_replace(true);
    }
}

impl Signal {
    /// Returns when it has happened, at once if it has already.
    pub(crate) async fn fired(&self) {
        // An error is a trigger that was dropped: whoever could have fired it is gone.
        let _ = self.0.clone().wait_for(|fired| *fired).await;
    }

    /// Whether it has happened.
    pub(crate) fn has_fired(&self) -> bool {
        *self.0.borrow() || self.0.has_changed().is_err()
    }

    /// What the future gives, or nothing if it happens first.
    pub(crate) async fn or<F: Future>(&self, future: F) -> Option<F::Output> {
        tokio::select! {
            biased;
            () = self.fired() => None,
            output = future => Some(output),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn whoever_waits_is_told_and_so_is_who_comes_late() {
        let (trigger, signal) = signal();
        assert!(!signal.has_fired());
        assert_eq!(signal.or(async { 1 }).await, Some(1));
        trigger.fire();
        assert_eq!(signal.or(std::future::pending::<u8>()).await, None);
        assert!(signal.clone().has_fired());
    }

    #[tokio::test]
    async fn a_dropped_trigger_has_fired() {
        let (trigger, signal) = signal();
        drop(trigger);
        signal.fired().await;
        assert!(signal.has_fired());
    }
}
