//! Hostile expressions and documents: the counted work stays within its bounds.

use serde_json::{Value, json};

use super::*;

fn nested(levels: usize) -> Value {
    (0..levels).fold(json!("n"), |value, _| json!([value]))
}

/// The result of a search for a text that is not there, and the number of visits.
fn search(path: &str, document: &Value) -> (Result<bool, Failure>, u32) {
    let path = Path::json(path).expect(path);
    let mut budget = Budget::default();
    let found = path.any(Node::Value(document), &mut budget, |node, _| Ok(node.text() == Some("nowhere")));
    (found, budget.spent().0)
}

#[test]
fn paths_whose_work_multiplies_are_refused_when_saved() {
    for path in [
        "$..*..*..*..*",
        "$..*..*..*..*..*..*..*..*",
        "$[*,*,*,*][*,*,*,*][*,*,*,*][*,*,*,*]",
        "$.data.x[?$.data.x[?@==\"b\"]]",
        "$[?@..a]",
        "$[?count(@..*) > 1]",
    ] {
        assert!(Path::json(path).is_err(), "{path}");
    }
}

#[test]
fn a_descent_ends_at_thirty_two_levels() {
    let (found, visits) = search("$..*", &nested(110));
    assert_eq!(found, Err(Failure::Depth));
    assert!(visits < 200, "{visits}");
    assert_eq!(search("$..*", &nested(32)).0, Ok(false));
    assert_eq!(search("$..*", &nested(33)).0, Err(Failure::Depth));
    let deep = "[0]".repeat(33);
    assert_eq!(search(&format!("${deep}"), &nested(40)).0, Err(Failure::Depth));
}

#[test]
fn a_match_above_the_depth_limit_is_found() {
    let document = json!({"a": "nowhere", "b": nested(60)});
    assert_eq!(search("$..*", &document).0, Ok(true));
}

#[test]
fn a_search_of_a_large_document_stops_at_the_budget() {
    let wide = json!(vec![json!({"a": [1, 2, 3], "b": "c"}); 20_000]);
    for path in ["$..*", "$..[?@.a != @.b]", "$[*].*", "$[?length(@.a) == 4]", "$[::-1]['a'][0:3]"] {
        let (found, visits) = search(path, &wide);
        assert_eq!(found, Err(Failure::Visits), "{path}");
        assert!(visits <= MAX_VISITS, "{path}: {visits}");
    }
}

#[test]
fn comparisons_of_large_values_are_counted() {
    let text = "x".repeat(100_000);
    let same = json!(vec![json!({"a": text, "b": text}); 40]);
    assert_eq!(search("$[?@.a == @.b && @.b < @.a]", &same).0, Err(Failure::Visits));
    assert_eq!(
        search("$[?length(@.a) == 1]", &json!(vec![json!({ "a": text }); 80])).0,
        Err(Failure::Visits)
    );
    let lists = json!({"a": vec![0; 30_000], "b": vec![0; 30_000]});
    assert_eq!(search("$[?@ == 1]", &json!([lists])).0, Ok(false));
    let pairs = json!([lists, lists]);
    assert_eq!(search("$[?@.a == @.b]", &pairs).0, Err(Failure::Visits));
}

#[test]
fn a_slice_with_step_zero_selects_nothing() {
    assert_eq!(search("$[::0]", &json!([1, 2, 3])), (Ok(false), 1));
    assert_eq!(search("$[-9007199254740991:9007199254740991:9007199254740991]", &json!([1, 2])).1, 2);
    assert_eq!(search("$[9007199254740991:-9007199254740991:-9007199254740991]", &json!([1, 2])).1, 2);
}

#[test]
fn two_hundred_of_the_worst_patterns_stay_within_the_tenants_budget() {
    let pattern = Pattern::parse("[01]*1[01]{300}$.").unwrap();
    let text = "1".repeat(pattern.max_text());
    let (mut budget, mut steps, mut left_out) = (Budget::default(), 0, 0);
    for _ in 0..200 {
        budget.next_owner();
        for _ in 0..20 {
            match pattern.finds(&text, &mut budget) {
                Err(Failure::Tenant) => left_out += 1,
                found => assert_ne!(found, Ok(true)),
            }
        }
        steps += budget.spent().1;
    }
    assert!(steps <= MAX_STEPS * TENANT_SHARES, "{steps}");
    assert!(left_out > 3_000, "{left_out}");
}
