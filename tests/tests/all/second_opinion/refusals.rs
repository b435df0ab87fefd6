//! What another implementation may refuse, and what we do not ask it for, each with the reason.

use stella_local::remote::refusals::Refusal;

/// A refusal that is meant: AWS refuses this too.
struct Wanted {
    operation: &'static str,
    code: &'static str,
    /// What the refused request has in it.
    about: &'static str,
    reason: &'static str,
}

/// Every refusal that is meant. Whatever else is refused is a mistake of ours, or a difference to be listed here.
const WANTED: [Wanted; 4] = [
    Wanted {
        operation: "PutItem",
        code: "ConditionalCheckFailedException",
        about: "#IDEMPOTENCY",
        reason: "a repeated Idempotency-Key finds the record of the first request",
    },
    Wanted {
        operation: "TransactWriteItems",
        code: "TransactionCanceledException",
        about: "#SEEN#",
        reason: "a repeated push finds the record of the first, and writes nothing",
    },
    Wanted {
        operation: "UpdateItem",
        code: "ConditionalCheckFailedException",
        about: "#PACE#",
        reason: "the first turn of a rate limit, or one after a pause, is the present",
    },
    Wanted {
        operation: "GetSecretValue",
        code: "ResourceNotFoundException",
        about: "AWSPREVIOUS",
        reason: "a secret that was never rotated has no former version",
    },
];

/// Operations of the API that moto cannot serve. They are tested on our own endpoints.
pub(super) const NOT_ASKED_FOR: [&str; 1] = [
    // moto 5.2 has no StartMessageMoveTask.
    "POST /dead-letters/redrive",
];

impl Wanted {
    fn is(&self, refusal: &Refusal) -> bool {
        refusal.operation == self.operation
            && refusal.code == self.code
            && refusal.request.contains(self.about)
    }
}

/// What was refused that nobody expected.
pub(super) fn unwanted(refusals: &[Refusal]) -> Vec<&Refusal> {
    let is_wanted = |refusal: &Refusal| WANTED.iter().any(|wanted| wanted.is(refusal));
    refusals.iter().filter(|refusal| !is_wanted(refusal)).collect()
}

/// The reasons for which something was expected to be refused, and was not.
pub(super) fn never_met(refusals: &[Refusal]) -> Vec<&'static str> {
    let is_missed = |wanted: &&Wanted| !refusals.iter().any(|refusal| wanted.is(refusal));
    WANTED.iter().filter(is_missed).map(|wanted| wanted.reason).collect()
}
