//! A signal that fires once and that any number of tasks can wait for.

use tokio::sync::watch;

/// Fires its signal, also when it is dropped.
#[derive(Debug)]
pub(crate) struct Trigger(watch::Sender<bool>);

/// A signal. Clones are the same signal.
#[derive(Debug, Clone)]
pub(crate) struct Signal(watch::Receiver<bool>);

/// Creates a signal with its trigger.
pub(crate) fn signal() -> (Trigger, Signal) {
    let (sender, receiver) = watch::channel(false);
    (Trigger(sender), Signal(receiver))
}

impl Trigger {
    /// Fires the signal.
    pub(crate) fn fire(&self) {
        self.0.send_replace(true);
    }
}

impl Signal {
    /// Returns when the signal has fired.
    pub(crate) async fn fired(&self) {
        // An error means that the trigger was dropped.
        let _ = self.0.clone().wait_for(|fired| *fired).await;
    }

    /// Whether the signal has fired.
    pub(crate) fn has_fired(&self) -> bool {
        *self.0.borrow() || self.0.has_changed().is_err()
    }

    /// The output of the future, or `None` if the signal fires first.
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
    async fn a_signal_is_seen_by_those_who_wait_and_by_those_who_come_later() {
        let (trigger, signal) = signal();
        assert!(!signal.has_fired());
        assert_eq!(signal.or(async { 1 }).await, Some(1));
        trigger.fire();
        assert_eq!(signal.or(std::future::pending::<u8>()).await, None);
        assert!(signal.clone().has_fired());
    }

    #[tokio::test]
    async fn dropping_the_trigger_fires_the_signal() {
        let (trigger, signal) = signal();
        drop(trigger);
        signal.fired().await;
        assert!(signal.has_fired());
    }
}
