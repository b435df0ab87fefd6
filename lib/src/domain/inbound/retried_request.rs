//! Retries of a queued request. What an earlier try of the *same* request wrote counts as processed, not as a
//! duplicate.

use super::receipt::{Action, EventResult, Figures};
use crate::domain::shared::ids::ReceiptId;

/// The results of all tries of the request with this receipt, as if one try had done everything.
#[must_use]
pub fn merge_retries(results: Vec<EventResult>, receipt: ReceiptId) -> Vec<EventResult> {
    let mut done: Vec<Figures> = Vec::new();
    let single = |result: EventResult| {
        let action = match result.action {
            // If the request itself has the same event twice, the second one is a duplicate.
            Action::Duplicate { figures, first_receipt_id }
                if first_receipt_id == receipt && !done.contains(&figures) =>
            {
                Action::Processed(figures)
            }
            action => action,
        };
        if let Action::Processed(figures) = &action {
            done.push(figures.clone());
        }
        EventResult { action, ..result }
    };
    results.into_iter().map(single).collect()
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::domain::inbound::normalised::EventKind;

    fn results(actions: Vec<Action>) -> Vec<EventResult> {
        let result = |action| EventResult {
            kind: EventKind::ArtifactPushed,
            repository: "myorg/myapp".to_owned(),
            tag: None,
            action,
        };
        actions.into_iter().map(result).collect()
    }

    #[test]
    fn what_an_earlier_try_did_is_processed_and_what_another_request_did_is_a_duplicate() {
        let (own, other) = (ReceiptId::from(Uuid::from_u128(1)), ReceiptId::from(Uuid::from_u128(2)));
        let figures = |versions_added| Figures { versions_added, ..Figures::default() };
        let duplicate = |versions_added, first_receipt_id| Action::Duplicate {
            figures: figures(versions_added),
            first_receipt_id,
        };
        let actual = vec![duplicate(1, own), duplicate(1, own), duplicate(2, other)];
        let wanted = vec![Action::Processed(figures(1)), duplicate(1, own), duplicate(2, other)];
        assert_eq!(merge_retries(results(actual), own), results(wanted.clone()));
        assert_eq!(merge_retries(results(wanted.clone()), own), results(wanted), "a single try is as it is");
    }
}
