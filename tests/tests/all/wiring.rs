//! The template sets exactly the environment variables that the functions read.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::PoisonError;

use end_to_end::World;
use end_to_end::runtime::record_environments;
use sam_local::Settings;
use sam_local::template::{Endpoints, read};

/// Variables that are read only on Lambda: by the runtime, and to count failures.
const READ_ON_LAMBDA: [&str; 2] = ["RUST_LOG", "STAGE"];

#[tokio::test]
async fn every_function_reads_exactly_the_variables_that_the_template_sets() {
    let (functions, environments) = record_environments();
    // With an issuer, because its other variables are read only then.
    let parameters = BTreeMap::from([("JwtIssuer".to_owned(), "https://login.example.com".to_owned())]);
    let _world =
        World::made_of(Settings { functions: functions.into(), parameters, ..stella_local::settings() })
            .await;
    let endpoints = Endpoints { queues: "http://127.0.0.1:9324".to_owned() };
    let template = include_str!("../../../template.yaml");
    let wiring = read(template, &BTreeMap::new(), &endpoints).unwrap();
    assert_eq!(wiring.functions.len(), 7);
    for function in wiring.functions {
        let environments = environments.lock().unwrap_or_else(PoisonError::into_inner);
        // Without the variables that AWS sets for every function, and those of the local stack.
        let own = |name: &String| {
            !name.starts_with("AWS_")
                && !name.starts_with("LOCAL_")
                && !READ_ON_LAMBDA.contains(&name.as_str())
        };
        let read: BTreeSet<String> = environments[&function.id].asked().into_iter().filter(own).collect();
        let set: BTreeSet<String> = function.variables.into_keys().filter(own).collect();
        assert_eq!(read, set, "{}", function.id);
    }
}
