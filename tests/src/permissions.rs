//! What functions did of all that the template allows them, over all end-to-end tests.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use stella_local::template::{Endpoints, read};

/// What SQS does in the caller's name as it moves dead letters back: nothing asks us for it here.
const OF_SQS: [&str; 2] =
    ["ApiFunction DeadLetters sqs:DeleteMessage", "ApiFunction Redrive sqs:SendMessage"];

/// The file that the tests' stacks note permissions in when they are used.
#[must_use]
pub fn record() -> PathBuf {
    crate::profile_folder().join("permissions-used.txt")
}

/// The permissions that no test has a use for, each as `Function Statement action resource`.
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
        .filter(|grant| !OF_SQS.iter().any(|of_sqs| grant.starts_with(of_sqs)))
        .collect()
}
