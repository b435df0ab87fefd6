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
const WANTED: [Wanted; 0] = [];

/// Operations of the API that moto cannot serve. They are tested on our own endpoints.
pub(super) const NOT_ASKED_FOR: [&str; 1] = [
    // moto 5.2 has no StartMessageMoveTask.
    "POST /dead-letters/redrive",
];

/// Fails with all that nobody expected.
pub(super) fn are_all_wanted(refusals: &[Refusal]) {
    let is_wanted = |refusal: &&Refusal| {
        WANTED.iter().any(|wanted| {
            refusal.operation == wanted.operation
                && refusal.code == wanted.code
                && refusal.request.contains(wanted.about)
        })
    };
    let unwanted: Vec<&Refusal> = refusals.iter().filter(|refusal| !is_wanted(refusal)).collect();
    assert!(unwanted.is_empty(), "{unwanted:#?}");
}
