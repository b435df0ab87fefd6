//! Compares with another implementation of RFC 9535, wherever both accept an expression.

use proptest::prelude::*;
use serde_json::{Value, json};
use serde_json_path::JsonPath;

use super::*;

/// Small documents with few names, so that paths often lead somewhere.
fn documents() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(Value::from),
        (-2_i64..4).prop_map(Value::from),
        Just(json!(1.5)),
        "[ab]{0,2}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 5, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            proptest::collection::btree_map("[abc]", inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn literals() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        (-2_i64..4).prop_map(|number| number.to_string()),
        Just("1.5".to_owned()),
        Just("1e0".to_owned()),
        "'[ab]{0,2}'",
        "\"[ab]{0,2}\"",
    ]
}

fn queries() -> impl Strategy<Value = String> {
    let step = prop_oneof!["\\.[abc]", "\\['[abc]'\\]", "\\[-?[12]\\]", Just("[0]".to_owned())];
    proptest::collection::vec(step, 0..3).prop_map(|steps| format!("@{}", steps.concat()))
}

fn filters() -> impl Strategy<Value = String> {
    let operand = prop_oneof![
        4 => queries(),
        3 => literals(),
        1 => queries().prop_map(|query| format!("length({query})")),
        1 => queries().prop_map(|query| format!("count({query})")),
        1 => queries().prop_map(|query| format!("value( {query} )")),
    ];
    let comparison = prop_oneof![Just("=="), Just("!="), Just("<"), Just(">")];
    // For two absent values, the other implementation evaluates `<=` to false. By RFC 9535, 2.3.5.2.2, it is
    // true, because they are equal. And for `false >= true` it is true there, although booleans have no order.
    let inclusive = prop_oneof![Just("<="), Just(" >= ")];
    let leaf = prop_oneof![
        queries(),
        queries().prop_map(|query| format!("!{query}")),
        (operand.clone(), comparison, operand.clone())
            .prop_map(|(left, how, right)| format!("{left}{how}{right}")),
        (operand, inclusive, literals().prop_filter("has an order", |literal| literal != "true"))
            .prop_map(|(left, how, right)| format!("{left}{how}{right}")),
    ];
    leaf.prop_recursive(3, 8, 2, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(left, right)| format!("{left}&&{right}")),
            (inner.clone(), inner.clone()).prop_map(|(left, right)| format!("{left} || {right}")),
            inner.clone().prop_map(|of| format!("({of})")),
            inner.prop_map(|of| format!("!({of})")),
        ]
    })
}

fn selectors() -> impl Strategy<Value = String> {
    let bound = || prop_oneof![Just(String::new()), (-3_i64..4).prop_map(|bound| bound.to_string())];
    prop_oneof![
        "'[abc]'",
        "\"[abc]\"",
        (-3_i64..4).prop_map(|index| index.to_string()),
        Just("*".to_owned()),
        (bound(), bound(), bound()).prop_map(|(start, end, step)| format!("{start}:{end}:{step}")),
        (bound(), bound()).prop_map(|(start, end)| format!(" {start} : {end} ")),
        filters().prop_map(|filter| format!("?{filter}")),
    ]
}

/// Paths that we accept.
fn paths() -> impl Strategy<Value = String> {
    let segment = || {
        prop_oneof![
            2 => "\\.[abc]",
            1 => Just(".*".to_owned()),
            3 => selectors().prop_map(|selector| format!("[{selector}]")),
        ]
    };
    let descending = prop_oneof![
        Just(String::new()),
        "\\.\\.[abc]",
        Just("..*".to_owned()),
        selectors().prop_map(|selector| format!("..[{selector}]")),
    ];
    let some = || proptest::collection::vec(segment(), 0..3).prop_map(|segments| segments.concat());
    (some(), descending, some())
        .prop_map(|(before, descending, after)| format!("${before}{descending}{after}"))
}

fn all<'d>(path: &Path, document: &'d Value, budget: &mut Budget) -> Result<Vec<&'d Value>, Failure> {
    let mut nodes = Vec::new();
    path.any(Node::Value(document), budget, |node, _| {
        nodes.extend(node.value());
        Ok(false)
    })?;
    Ok(nodes)
}

#[test]
fn two_absent_values_are_equal_and_so_each_is_at_most_the_other() {
    let document = json!([null]);
    for comparison in ["==", "<=", ">="] {
        let path = Path::json(&format!("$[?@[1]{comparison}@[1]]")).unwrap();
        assert_eq!(all(&path, &document, &mut Budget::default()), Ok(vec![&Value::Null]), "{comparison}");
    }
}

#[test]
fn booleans_have_no_order() {
    let document = json!([false, true]);
    let nodes = |filter: &str| {
        let path = Path::json(&format!("$[?{filter}]")).unwrap();
        all(&path, &document, &mut Budget::default())
            .map(|nodes| nodes.into_iter().cloned().collect::<Vec<_>>())
    };
    for (filter, expected) in
        [("@ >= true", [true].as_slice()), ("@ <= true", &[true]), ("@ < true", &[]), ("@ > false", &[])]
    {
        assert_eq!(nodes(filter), Ok(expected.iter().copied().map(Value::from).collect()), "{filter}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_024, ..ProptestConfig::default() })]

    #[test]
    fn both_implementations_select_the_same_nodes_in_the_same_order(text in paths(), document in documents()) {
        let path = Path::json(&text).map_err(|mistake| TestCaseError::fail(format!("{text} {mistake}")))?;
        let expected = JsonPath::parse(&text).map_err(|error| TestCaseError::fail(format!("{text} {error}")))?;
        let expected = expected.query(&document).all();
        prop_assert_eq!(all(&path, &document, &mut Budget::default()), Ok(expected), "{} in {}", text, document);
    }

    #[test]
    fn a_path_that_we_accept_is_accepted_by_the_other_implementation(text in "\\$[.\\[\\]?@*'ab0:,!=<&|() -]{0,12}") {
        if Path::json(&text).is_ok() {
            prop_assert!(JsonPath::parse(&text).is_ok(), "{}", text);
        }
    }

    #[test]
    fn a_small_budget_gives_the_same_answer_or_fails(text in paths(), document in documents(), few in 0..60_u32) {
        let path = Path::json(&text).unwrap();
        let answer = |budget: &mut Budget| {
            let verdict = path.any(Node::Value(&document), budget, |node, _| Ok(node.text() == Some("a")));
            (verdict, budget.spent().0)
        };
        let (whole, needed) = answer(&mut Budget::default());
        let (bounded, spent) = answer(&mut Budget::of(few, 0));
        prop_assert!(spent <= few);
        if needed <= few {
            prop_assert_eq!(bounded, whole);
        } else {
            prop_assert_eq!(bounded, Err(Failure::Visits));
        }
    }
}
