//! The refusals by moto that are expected, and the operations that it cannot serve, each with the reason.

use sam_local::remote::refusals::Refusal;

/// An expected refusal: AWS refuses this request too.
struct Expected {
    operation: &'static str,
    code: &'static str,
    /// A part of the refused request.
    contains: &'static str,
    /// Whether it happens in every run; others happen only on a busy machine.
    is_certain: bool,
    reason: &'static str,
}

/// All expected refusals. Any other is a bug of ours, or a difference of moto's to be added with its reason.
const EXPECTED: [Expected; 7] = [
    Expected {
        operation: "PutItem",
        code: "ConditionalCheckFailedException",
        contains: "#IDEMPOTENCY",
        is_certain: true,
        reason: "a repeated Idempotency-Key finds the record of the first request",
    },
    Expected {
        operation: "TransactWriteItems",
        code: "TransactionCanceledException",
        contains: "#SEEN#",
        is_certain: true,
        reason: "a repeated push finds the record of the first, and writes nothing",
    },
    Expected {
        operation: "UpdateItem",
        code: "ConditionalCheckFailedException",
        contains: "#PACE#",
        is_certain: true,
        reason: "the first slot of a rate limit, and the first after a pause, is now",
    },
    Expected {
        operation: "GetSecretValue",
        code: "ResourceNotFoundException",
        contains: "AWSPREVIOUS",
        is_certain: true,
        reason: "a secret that was never rotated has no former version",
    },
    Expected {
        operation: "PutItem",
        code: "ConditionalCheckFailedException",
        contains: "#SUBSCRIPTION#",
        is_certain: false,
        reason: "a message received twice finds a newer revision of its row",
    },
    Expected {
        operation: "PutItem",
        code: "ConditionalCheckFailedException",
        contains: "#RECOVERIES",
        is_certain: false,
        reason: "a command received twice finds its recovery at a later position",
    },
    Expected {
        operation: "UpdateItem",
        code: "ConditionalCheckFailedException",
        contains: "#PULSE#",
        is_certain: false,
        reason: "another environment opened the breaker, or started the probe, first",
    },
];

/// Operations of the API that moto cannot serve. They are tested on our own endpoints.
pub(super) const NOT_REQUESTED: [&str; 1] = [
    // moto 5.2 has no StartMessageMoveTask.
    "POST /dead-letters/redrive",
];

impl Expected {
    fn matches(&self, refusal: &Refusal) -> bool {
        refusal.operation == self.operation
            && refusal.code == self.code
            && refusal.request.contains(self.contains)
    }
}

/// The refusals that are not in the list.
pub(super) fn unexpected(refusals: &[Refusal]) -> Vec<&Refusal> {
    let is_expected = |refusal: &Refusal| EXPECTED.iter().any(|expected| expected.matches(refusal));
    refusals.iter().filter(|refusal| !is_expected(refusal)).collect()
}

/// The reasons of the certain refusals that did not occur.
pub(super) fn missing(refusals: &[Refusal]) -> Vec<&'static str> {
    let is_missing = |expected: &&Expected| {
        expected.is_certain && !refusals.iter().any(|refusal| expected.matches(refusal))
    };
    EXPECTED.iter().filter(is_missing).map(|expected| expected.reason).collect()
}
