//! The dashboard's body is valid. `CloudWatch` refuses a body with any error, and the whole deployment fails
//! with it (docs.aws.amazon.com, "Dashboard Body Structure and Syntax").

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::{Kind, of_kind, resources};

/// The number of columns of the grid.
const COLUMNS: u64 = 24;
/// The properties that a metric widget may have.
const WIDGET_PROPERTIES: [&str; 18] = [
    "accountId",
    "annotations",
    "end",
    "legend",
    "liveData",
    "metrics",
    "period",
    "region",
    "setPeriodToTimeRange",
    "sparkline",
    "stacked",
    "start",
    "stat",
    "table",
    "timezone",
    "title",
    "view",
    "yAxis",
];
/// The rendering properties that a metric may have.
const METRIC_PROPERTIES: [&str; 10] =
    ["accountId", "color", "expression", "id", "label", "period", "region", "stat", "visible", "yAxis"];

/// The errors in a dashboard body, each with its path.
fn errors(body: &Value) -> Vec<String> {
    let mut found = Vec::new();
    let Some(widgets) = body["widgets"].as_array() else { return vec!["widgets: no array".to_owned()] };
    let known = ["widgets", "start", "end", "periodOverride", "variables"];
    found.extend(unknown_members("", body.as_object(), &known));
    if widgets.len() > 500 {
        found.push("widgets: more than 500".to_owned());
    }
    for (number, widget) in widgets.iter().enumerate() {
        let place = format!("widgets/{number}");
        found.extend(unknown_members(
            &place,
            widget.as_object(),
            &["type", "x", "y", "width", "height", "properties"],
        ));
        found.extend(misplaced(&place, widget));
        let over = |other: &&Value| overlap(widget, other);
        found
            .extend(widgets[..number].iter().find(over).map(|_| format!("{place}: overlaps another widget")));
        if widget["type"] == "metric" {
            found.extend(widget_errors(&format!("{place}/properties"), &widget["properties"]));
        } else {
            found.push(format!("{place}: only metric widgets are known here"));
        }
    }
    let count = |widget: &Value| widget["properties"]["metrics"].as_array().map_or(0, Vec::len);
    if widgets.iter().map(count).sum::<usize>() > 2500 {
        found.push("widgets: more than 2500 metrics".to_owned());
    }
    found
}

/// The members that are not in the list.
fn unknown_members(place: &str, object: Option<&Map<String, Value>>, known: &[&str]) -> Vec<String> {
    let Some(object) = object else { return vec![format!("{place}: no object")] };
    let others = object.keys().filter(|name| !known.contains(&name.as_str()));
    others.map(|name| format!("{place}/{name}: unknown")).collect()
}

fn misplaced(place: &str, widget: &Value) -> Option<String> {
    let [x, y, width, height] = ["x", "y", "width", "height"].map(|name| widget[name].as_u64());
    let is_right = x.is_some_and(|x| x < COLUMNS)
        && y.is_some()
        && width.is_some_and(|width| (1..=COLUMNS).contains(&width))
        && height.is_some_and(|height| (1..=1000).contains(&height))
        && x.zip(width).is_some_and(|(x, width)| x + width <= COLUMNS);
    (!is_right).then(|| format!("{place}: not within the grid"))
}

fn overlap(one: &Value, other: &Value) -> bool {
    let meet = |at: &str, size: &str| {
        let span =
            |widget: &Value| Some((widget[at].as_u64()?, widget[at].as_u64()? + widget[size].as_u64()?));
        let spans = span(one).zip(span(other));
        spans.is_some_and(|((from, to), (from_other, to_other))| from < to_other && from_other < to)
    };
    meet("x", "width") && meet("y", "height")
}

fn widget_errors(place: &str, properties: &Value) -> Vec<String> {
    let mut found = unknown_members(place, properties.as_object(), &WIDGET_PROPERTIES);
    if !properties["region"].is_string() {
        found.push(format!("{place}/region: no text"));
    }
    found.extend(figure_errors(place, properties));
    let metrics = properties["metrics"].as_array().map(Vec::as_slice).unwrap_or_default();
    if metrics.is_empty() || metrics.len() > 500 {
        found.push(format!("{place}/metrics: no array of 1 to 500"));
    }
    let mut ids = BTreeSet::new();
    for (number, metric) in metrics.iter().enumerate() {
        let place = format!("{place}/metrics/{number}");
        let Some(members) = metric.as_array() else {
            found.push(format!("{place}: should be array"));
            continue;
        };
        found.extend(metric_errors(&place, members));
        let id = members.last().and_then(|last| last["id"].as_str());
        found.extend(
            id.filter(|id| !ids.insert((*id).to_owned())).map(|_| format!("{place}: its id is another's")),
        );
    }
    found
}

/// The errors in a metric, which is an array: namespace, name, and pairs of dimension name and value, or one
/// expression object. The last member may be an object with rendering properties.
fn metric_errors(place: &str, members: &[Value]) -> Vec<String> {
    let mut found = Vec::new();
    let (texts, drawn) = match members.split_last() {
        Some((last, texts)) if last.is_object() => (texts, Some(last)),
        _ => (members, None),
    };
    if !texts.iter().all(Value::is_string) {
        found.push(format!("{place}: texts, and at most an object at the end"));
    }
    let expression = drawn.map_or(&Value::Null, |drawn| &drawn["expression"]);
    if expression.is_null() && (texts.len() < 2 || texts.len() % 2 == 1 || texts.len() > 62) {
        found.push(format!("{place}: not a namespace, a name, and up to 30 pairs of dimensions"));
    }
    if !expression.is_null() {
        if !texts.is_empty() {
            found.push(format!("{place}: an expression stands alone"));
        }
        found.extend(expression_errors(place, expression.as_str().unwrap_or_default()));
    }
    if let Some(drawn) = drawn {
        found.extend(unknown_members(place, drawn.as_object(), &METRIC_PROPERTIES));
        found.extend(figure_errors(place, drawn));
        let is_id = |id: &str| {
            id.starts_with(|first: char| first.is_ascii_lowercase())
                && id.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
        };
        if drawn["id"].as_str().is_some_and(|id| !is_id(id)) {
            found.push(format!("{place}/id: begins with a small letter, then letters, digits, _"));
        }
    }
    found
}

/// The errors in period and statistic, both optional.
fn figure_errors(place: &str, object: &Value) -> Vec<String> {
    let mut found = Vec::new();
    if !object["period"].is_null()
        && object["period"].as_u64().is_none_or(|period| period == 0 || period % 60 != 0)
    {
        found.push(format!("{place}/period: no whole minutes"));
    }
    if !object["stat"].is_null() && object["stat"].as_str().is_none_or(|stat| !is_statistic(stat)) {
        found.push(format!("{place}/stat: no statistic"));
    }
    found
}

fn is_statistic(text: &str) -> bool {
    let percentile = text.strip_prefix('p').and_then(|number| number.parse::<f64>().ok());
    ["SampleCount", "Average", "Sum", "Minimum", "Maximum"].contains(&text)
        || percentile.is_some_and(|percentile| (0.0..=100.0).contains(&percentile))
}

/// The errors in a search, `SEARCH('{Namespace,Dimension,…} Name="value" …', 'Statistic', period)`, whose
/// query has at most 1 024 characters.
fn expression_errors(place: &str, text: &str) -> Vec<String> {
    let parts = text.strip_prefix("SEARCH('").and_then(|rest| rest.strip_suffix(')'));
    let parts = parts.and_then(|rest| rest.split_once("', '"));
    let Some((query, figures)) = parts else {
        return vec![format!("{place}: not an expression of ours: {text}")];
    };
    let mut found = Vec::new();
    let Some((schema, terms)) = query.strip_prefix('{').and_then(|rest| rest.split_once("} ")) else {
        return vec![format!("{place}: a search without a schema: {query}")];
    };
    if query.len() > 1024 || query.contains('\\') {
        found.push(format!("{place}: too long, or escaped twice: {query}"));
    }
    let dimensions: Vec<&str> = schema.split(',').skip(1).collect();
    for term in terms.split(' ') {
        let (name, value) = term.split_once('=').unwrap_or((term, ""));
        let is_quoted = value.len() > 2 && value.starts_with('"') && value.ends_with('"');
        if !is_quoted || !(name == "MetricName" || dimensions.contains(&name)) {
            found.push(format!("{place}: looks for {term}"));
        }
    }
    let (statistic, period) = figures.split_once("', ").unwrap_or_default();
    if !is_statistic(statistic) || period.parse::<u64>().is_ok_and(|period| period % 60 != 0) {
        found.push(format!("{place}: a search by {figures}"));
    }
    found
}

/// The dashboard of a deployment with these parameters.
fn dashboard(parameters: &[(&str, &str)]) -> Value {
    let all = resources(parameters);
    let [(_, dashboard)] = of_kind(&all, Kind::Dashboard)[..] else { panic!("one dashboard") };
    assert!(
        dashboard.name.chars().all(|letter| letter.is_ascii_alphanumeric() || "-_".contains(letter)),
        "{}",
        dashboard.name
    );
    let body = dashboard.properties["DashboardBody"].as_str().expect("a text");
    serde_json::from_str(body).expect("JSON")
}

#[test]
fn the_dashboard_body_is_valid() {
    assert_eq!(errors(&dashboard(&[])), [""; 0]);
    assert_eq!(errors(&dashboard(&[("Stage", "a-20-letters-long-on")])), [""; 0]);
}

#[test]
fn every_metric_on_the_dashboard_belongs_to_the_deployment() {
    for widget in dashboard(&[])["widgets"].as_array().expect("widgets") {
        for metric in widget["properties"]["metrics"].as_array().expect("metrics") {
            let text = metric.to_string();
            assert!(!text.contains("${") && text.contains("dev"), "{text}");
        }
    }
}

#[test]
fn invalid_dashboard_bodies_are_detected() {
    let search = r#"SEARCH('{Stella,Stage} MetricName="Inbound"', 'Sum', 60)"#;
    let metrics = |metrics: Value| {
        json!({"widgets": [{"type": "metric", "x": 0, "y": 0, "width": 12, "height": 6,
            "properties": {"region": "us-east-1", "metrics": metrics}}]})
    };
    let taken = json!([["Stella", "Failures", "Stage", "dev", {"stat": "p99"}], [{"expression": search}]]);
    assert_eq!(errors(&metrics(taken)), [""; 0]);
    let refused = [
        json!([{"expression": search}]),
        json!([[{"expression": search.replace('"', "\\\"")}]]),
        json!([["Stella", "Failures", {"expression": search}]]),
        json!([["Stella"]]),
        json!([["Stella", "Failures", "Stage"]]),
        json!([["Stella", {"stat": "Sum"}, "Failures", "Stage"]]),
        json!([["Stella", "Failures", {"id": "Large"}]]),
        json!([["Stella", "Failures", {"id": "a"}], ["Stella", "Lag", {"id": "a"}]]),
        json!([["Stella", "Failures", {"colour": "#ff0000"}]]),
        json!([["Stella", "Failures", {"stat": "Most"}]]),
        json!([["Stella", "Failures", {"period": 61}]]),
        json!([]),
        json!({}),
    ];
    for one in refused {
        assert_ne!(errors(&metrics(one.clone())), [""; 0], "{one}");
    }
    let mut over = metrics(json!([["Stella", "Failures"]]));
    let widget = over["widgets"][0].clone();
    over["widgets"].as_array_mut().expect("widgets").push(widget);
    assert_eq!(errors(&over), ["widgets/1: overlaps another widget"]);
    over["widgets"][1]["x"] = json!(13);
    assert_eq!(errors(&over), ["widgets/1: not within the grid"]);
}
