//! What another implementation may refuse, and what we do not ask it for, each with the reason.

use stella_local::remote::refusals::Refusal;

/// A refusal that is meant: AWS refuses this too.
struct Wanted {
    operation: &'static str,
    code: &'static str,
    /// What the refused request has in it.
    about: &'static str,
    /// Whether it happens in every run; the others do where the machine is busy.
    is_certain: bool,
    reason: &'static str,
}

/// Every refusal that is meant. Whatever else is refused is a mistake of ours, or a difference to be listed here.
const WANTED: [Wanted; 7] = [
    Wanted {
        operation: "PutItem",
        code: "ConditionalCheckFailedException",
        about: "#IDEMPOTENCY",
        is_certain: true,
        reason: "a repeated Idempotency-Key finds the record of the first request",
    },
    Wanted {
        operation: "TransactWriteItems",
        code: "TransactionCanceledException",
        about: "#SEEN#",
        is_certain: true,
        reason: "a repeated push finds the record of the first, and writes nothing",
    },
    Wanted {
        operation: "UpdateItem",
        code: "ConditionalCheckFailedException",
        about: "#PACE#",
        is_certain: true,
        reason: "the first turn of a rate limit, or one after a pause, is the present",
    },
    Wanted {
        operation: "GetSecretValue",
        code: "ResourceNotFoundException",
        about: "AWSPREVIOUS",
        is_certain: true,
        reason: "a secret that was never rotated has no former version",
    },
    Wanted {
        operation: "PutItem",
        code: "ConditionalCheckFailedException",
        about: "#SUBSCRIPTION#",
        is_certain: false,
        reason: "a message that a queue gave out twice finds its attempt made, by the row's revision",
    },
    Wanted {
        operation: "PutItem",
        code: "ConditionalCheckFailedException",
        about: "#RECOVERIES",
        is_certain: false,
        reason: "a command that a queue gave out twice finds its recovery further on",
    },
    Wanted {
        operation: "UpdateItem",
        code: "ConditionalCheckFailedException",
        about: "#PULSE#",
        is_certain: false,
        reason: "another environment opened the breaker, or took the probe, first",
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

/// The reasons for which something certain was expected to be refused, and was not.
pub(super) fn never_met(refusals: &[Refusal]) -> Vec<&'static str> {
    let is_missed =
        |wanted: &&Wanted| wanted.is_certain && !refusals.iter().any(|refusal| wanted.is(refusal));
    WANTED.iter().filter(is_missed).map(|wanted| wanted.reason).collect()
}
