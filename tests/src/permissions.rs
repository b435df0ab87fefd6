//! Which of the permissions in the template the end-to-end tests used.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use sam_local::template::{Endpoints, read};

/// Permissions that SQS uses on the caller's behalf to redrive dead letters. The emulated SQS does not need
/// them.
const USED_BY_SQS: [&str; 2] =
    ["ApiFunction DeadLetters sqs:DeleteMessage", "ApiFunction Redrive sqs:SendMessage"];

/// The file in which the tests' stacks record the permissions that are used.
#[must_use]
pub fn record() -> PathBuf {
    crate::profile_folder().join("permissions-used.txt")
}

/// The permissions that no test used, each as `Function Statement action resource`.
#[must_use]
pub fn unused(record: &str) -> BTreeSet<String> {
    let endpoints = Endpoints { queues: "http://127.0.0.1:9324".to_owned() };
    let wiring = read(include_str!("../../template.yaml"), &BTreeMap::new(), &endpoints);
    let functions = wiring.expect("the template is understood").functions.into_iter();
    let all = functions.flat_map(|function| {
        let policy = function.policy.expect("every function has a policy");
        policy.grants().map(|grant| format!("{} {grant}", function.id)).collect::<Vec<_>>()
    });
    let used: BTreeSet<&str> = record.lines().collect();
    all.filter(|grant| !used.contains(grant.as_str()))
        .filter(|grant| !USED_BY_SQS.iter().any(|used| grant.starts_with(used)))
        .collect()
}
