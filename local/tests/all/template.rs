//! The deployed template, as the local stack reads it.

use std::collections::BTreeMap;

use sam_local::template::{Endpoints, read, resolve};
use sam_local::wiring::{Source, Wiring};
use stella_local::TEMPLATE;

fn endpoints() -> Endpoints {
    Endpoints { queues: "http://127.0.0.1:9324".to_owned() }
}

fn wiring() -> Wiring {
    read(TEMPLATE, &BTreeMap::new(), &endpoints()).unwrap()
}

#[test]
fn the_template_declares_this() {
    insta::assert_debug_snapshot!(wiring());
}

#[test]
fn the_engine_creates_the_tables_of_the_template() {
    let engine = dynoxide::Database::memory().unwrap();
    for table in wiring().tables {
        engine.create_table(serde_json::from_value(table).unwrap()).unwrap();
    }
    let streams = |table| engine.get_table_metadata(table).unwrap().unwrap().stream_enabled;
    assert!(streams("dev-core-table"));
    assert!(!streams("dev-deliveries-table"));
}

#[test]
fn the_filter_of_the_stream_matches_event_items() {
    let wiring = wiring();
    let fanout = wiring.functions.iter().find(|function| function.code == "fanout").unwrap();
    let [Source::Stream { patterns, .. }] = fanout.sources.as_slice() else { panic!("one stream") };
    let mark = serde_json::to_value(stella::domain::outbound::event::Entity::Event).unwrap();
    let expected = serde_json::json!({
        "eventName": ["INSERT"],
        "dynamodb": {"NewImage": {"entity": {"S": [mark]}}},
    });
    assert_eq!(patterns, &[expected]);
}

#[test]
fn a_lane_reserves_its_concurrency_if_the_parameter_says_so() {
    let reserved = |given: &[(&str, &str)]| {
        let given = given.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let all = resolve(TEMPLATE, &given, &endpoints()).unwrap();
        all["DeliverFunction"].properties.get("ReservedConcurrentExecutions").cloned()
    };
    assert_eq!(reserved(&[]), None);
    assert_eq!(reserved(&[("ReserveConcurrency", "true"), ("DeliverConcurrency", "40")]), Some("40".into()));
}
