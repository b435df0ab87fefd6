//! Filters over a JSON document: which events a subscription, a webhook config or a trigger selects.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::expression::{
    Budget, Failure, MAX_PATH, Node, Path, Pattern, Ready, Verdict, contains, equal, text_bytes,
};
use super::object_reader::ObjectReader;

named! {
    /// How the field's value is compared.
    #[cfg_attr(feature = "schema", schemars(inline))]
    pub enum Operator {
        /// The field has the same JSON value.
        Equals = "equals",
        /// The field has another JSON value.
        NotEquals = "notEquals",
        /// The field is a text that contains the value, or a list with it.
        Contains = "contains",
        /// The field is a text in which the regular expression finds a match.
        Matches = "matches",
        /// The value is a list, and the field has one of its entries.
        In = "in",
        /// The field is there (`true`), or it is not (`false`).
        Exists = "exists",
        /// The field is a text that begins with the value.
        StartsWith = "startsWith",
    }
}

/// A filter, as written and as compiled. A stored filter that does not compile, because another version
/// accepted it, is broken: it matches nothing, and its owner can still be read.
///
/// ```
/// use serde_json::{Value, json};
/// use stella::domain::shared::expression::{Budget, Node, Verdict};
/// use stella::domain::shared::filter::Filter;
///
/// let filter = json!({"field": "$.tags[*]", "operator": "startsWith", "value": "v1."});
/// let filter: Filter = serde_json::from_value(filter).unwrap();
/// let verdict = |document: Value| filter.verdict(Node::Value(&document), &mut Budget::default());
///
/// assert_eq!(verdict(json!({"tags": ["latest", "v1.2"]})), Verdict::Matches);
/// assert_eq!(verdict(json!({"tags": ["latest"]})), Verdict::Differs);
/// assert_eq!(verdict(json!({})), Verdict::Differs);
/// ```
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(from = "FilterSpec", into = "FilterSpec")]
pub struct Filter {
    spec: FilterSpec,
    compiled: Result<Compiled, String>,
}

#[derive(Debug, Clone)]
struct Compiled {
    path: Path,
    test: Test,
}

/// A condition on an event. If there are several, all must match. A path that leads nowhere does not match.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "Filter"))]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct FilterSpec {
    /// Which member: a path with dots, as in `data.environment.name`, or a JSONPath (RFC 9535), as in
    /// `$.tag`.
    field: String,
    /// How the member is compared with `value`.
    operator: Operator,
    /// What it is compared with: a list for `in`, a regular expression for `matches`, `true` or `false` for
    /// `exists`.
    #[serde(default)]
    value: Value,
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Filter {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        FilterSpec::schema_name()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        FilterSpec::json_schema(generator)
    }
}

/// What a node is tested for. The value to compare it with is that of the filter's spec.
#[derive(Debug, Clone)]
enum Test {
    Equals,
    NotEquals,
    Contains,
    Matches(Pattern),
    In,
    Exists,
    StartsWith,
}

impl PartialEq for Filter {
    fn eq(&self, other: &Self) -> bool {
        self.spec == other.spec
    }
}

impl From<FilterSpec> for Filter {
    fn from(spec: FilterSpec) -> Self {
        let compile = || {
            let path = Path::parse(&spec.field).map_err(|mistake| format!("field {mistake}"))?;
            let test =
                Test::stored(spec.operator, &spec.value).map_err(|mistake| format!("value {mistake}"))?;
            Ok(Compiled { path, test })
        };
        let compiled = compile();
        Self { spec, compiled }
    }
}

impl From<Filter> for FilterSpec {
    fn from(filter: Filter) -> Self {
        filter.spec
    }
}

impl Test {
    /// The test of a stored filter. Its pattern is compiled when it is first used.
    fn stored(operator: Operator, value: &Value) -> Result<Self, String> {
        let text = || value.as_str().ok_or_else(|| "must be a string".to_owned());
        Ok(match operator {
            Operator::Equals => Self::Equals,
            Operator::NotEquals => Self::NotEquals,
            Operator::Contains => Self::Contains,
            Operator::Matches => Self::Matches(Pattern::from(text()?.to_owned())),
            Operator::In if !value.is_array() => return Err("must be a list".to_owned()),
            Operator::In => Self::In,
            Operator::Exists if !matches!(value, Value::Null | Value::Bool(_)) => {
                return Err("must be true, false or absent".to_owned());
            }
            Operator::Exists => Self::Exists,
            Operator::StartsWith => {
                text()?;
                Self::StartsWith
            }
        })
    }

    /// The test of a filter that is to be saved. Its pattern must compile.
    fn parse(operator: Operator, value: &Value) -> Result<Self, String> {
        let test = Self::stored(operator, value)?;
        test.mistake().map_or(Ok(test), Err)
    }

    fn mistake(&self) -> Option<String> {
        match self {
            Self::Matches(pattern) => pattern.mistake(),
            Self::Equals | Self::NotEquals | Self::Contains | Self::In | Self::Exists | Self::StartsWith => {
                None
            }
        }
    }

    /// Whether a node passes the test. `ready` keeps the compiled pattern from one node to the next.
    fn holds<'p>(
        &'p self,
        value: &Value,
        found: Node<'_>,
        ready: &mut Option<Ready<'p>>,
        budget: &mut Budget,
    ) -> Result<bool, Failure> {
        match self {
            Self::Equals => equal(found, Node::Value(value), budget),
            Self::NotEquals => Ok(!equal(found, Node::Value(value), budget)?),
            Self::Contains => contains(found, value, budget),
            Self::Matches(pattern) => {
                let Some(text) = found.text() else { return Ok(false) };
                match ready {
                    Some(ready) => ready.finds(text, budget),
                    None => ready.insert(pattern.ready(budget)?).finds(text, budget),
                }
            }
            Self::In => {
                for entry in value.as_array().into_iter().flatten() {
                    if equal(found, Node::Value(entry), budget)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            Self::Exists => Ok(true),
            Self::StartsWith => {
                let start = value.as_str().unwrap_or_default();
                let Some(text) = found.text().filter(|text| text.len() >= start.len()) else {
                    return Ok(false);
                };
                text_bytes(start.len(), budget)?;
                Ok(text.starts_with(start))
            }
        }
    }
}

impl Filter {
    /// Reads the members of one filter: `field`, `operator`, `value`.
    pub fn parse(fields: &mut ObjectReader<'_>) -> Option<Self> {
        let field = fields.required_text("field", MAX_PATH);
        fields.require("operator");
        let operator = fields.one_of("operator", &Operator::ALL);
        let value = fields.value("value").cloned().unwrap_or(Value::Null);
        let path = (!field.is_empty()).then(|| Path::parse(&field)).transpose();
        let path = path.unwrap_or_else(|mistake| {
            fields.wrong("field", mistake);
            None
        });
        let test = operator.map(|operator| Test::parse(operator, &value)).transpose();
        let test = test.unwrap_or_else(|mistake| {
            fields.wrong("value", mistake);
            None
        });
        let spec = FilterSpec { field, operator: operator?, value };
        Some(Self { spec, compiled: Ok(Compiled { path: path?, test: test? }) })
    }

    /// What is wrong with the filter, if it is broken.
    #[must_use]
    pub fn mistake(&self) -> Option<String> {
        match &self.compiled {
            Ok(compiled) => compiled.test.mistake(),
            Err(mistake) => Some(mistake.clone()),
        }
    }

    /// Evaluates the filter. A path that leads nowhere does not match, except with `exists: false`. If a
    /// JSONPath selects several nodes, one that passes is enough.
    #[must_use]
    pub fn verdict(&self, root: Node<'_>, budget: &mut Budget) -> Verdict {
        self.evaluate(root, budget).into()
    }

    fn evaluate(&self, root: Node<'_>, budget: &mut Budget) -> Result<bool, Failure> {
        let Compiled { path, test } = self.compiled.as_ref().map_err(|_| Failure::Broken)?;
        let value = &self.spec.value;
        let mut ready = None;
        let found = path.any(root, budget, |found, budget| test.holds(value, found, &mut ready, budget))?;
        let wants_nothing = self.spec.operator == Operator::Exists && *value == Value::Bool(false);
        Ok(found != wants_nothing)
    }
}

/// Whether all filters of one owner match. A filter that fails ends the evaluation, and is noted in the
/// budget at its place: `filters[2]`, after the text `place`.
pub fn all_match(filters: &[Filter], place: &str, root: Node<'_>, budget: &mut Budget) -> bool {
    for (at, filter) in filters.iter().enumerate() {
        match filter.verdict(root, budget) {
            Verdict::Matches => {}
            Verdict::Differs => return false,
            Verdict::Failed(failure) => {
                budget.note(&format!("{place}filters[{at}]"), failure);
                return false;
            }
        }
    }
    true
}

/// What is wrong with stored filters, each with its place, as in `filters[2]: …`.
pub fn mistakes(filters: &[Filter]) -> impl Iterator<Item = String> {
    let describe = |(at, filter): (usize, &Filter)| Some(format!("filters[{at}]: {}", filter.mistake()?));
    filters.iter().enumerate().filter_map(describe)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn filter(field: &str, operator: &str, value: &Value) -> Filter {
        serde_json::from_value(json!({"field": field, "operator": operator, "value": value}))
            .expect("a filter")
    }

    fn verdict(filter: &Filter, document: &Value) -> Verdict {
        filter.verdict(Node::Value(document), &mut Budget::default())
    }

    #[test]
    fn each_operator_compares_as_documented() {
        let document =
            json!({"tag": "v1.2.0", "data": {"environment": {"name": "production"}, "labels": ["a", "b"]}});
        for (field, operator, value, expected) in [
            ("data.environment.name", "equals", json!("production"), true),
            ("data.environment.name", "equals", json!("staging"), false),
            ("$.tag", "matches", json!("^v\\d+\\.\\d+\\.\\d+$"), true),
            ("$.tag", "startsWith", json!("v2"), false),
            ("data.labels", "contains", json!("b"), true),
            ("data.labels.0", "equals", json!("a"), true),
            ("$.data.labels[*]", "equals", json!("b"), true),
            ("tag", "contains", json!("1.2"), true),
            ("tag", "in", json!(["v1.2.0"]), true),
            ("tag", "notEquals", json!("v1"), true),
            ("tag", "exists", json!(true), true),
            ("nowhere", "exists", json!(false), true),
            ("nowhere", "notEquals", json!("x"), false),
            ("nowhere", "equals", Value::Null, false),
        ] {
            let filter = filter(field, operator, &value);
            let expected = if expected { Verdict::Matches } else { Verdict::Differs };
            assert_eq!(verdict(&filter, &document), expected, "{field} {operator} {value}");
        }
    }

    #[test]
    fn a_stored_filter_that_does_not_compile_matches_nothing_and_says_why() {
        for (field, operator, value) in [
            ("$.[", "exists", json!(false)),
            ("$..a..b", "exists", json!(false)),
            ("a", "matches", json!("(")),
        ] {
            let broken = filter(field, operator, &value);
            assert!(broken.mistake().is_some_and(|mistake| mistake.contains("is ")));
            for document in [json!({}), json!({"a": "("})] {
                assert!(!verdict(&broken, &document).matches());
            }
            assert_eq!(serde_json::to_value(&broken).unwrap()["field"], field, "and is kept as is");
        }
        assert_eq!(filter("a", "exists", &Value::Null).mistake(), None);
    }

    #[test]
    fn a_broken_filter_is_refused_with_its_place() {
        for (filter, field) in [
            (json!({"operator": "equals", "value": 1}), "field"),
            (json!({"field": "$.[", "operator": "equals", "value": 1}), "field"),
            (json!({"field": "a..b", "operator": "equals", "value": 1}), "field"),
            (json!({"field": "a", "operator": "nearly", "value": 1}), "operator"),
            (json!({"field": "$..a..b", "operator": "exists"}), "field"),
            (json!({"field": "a", "operator": "matches", "value": "("}), "value"),
            (json!({"field": "a", "operator": "matches", "value": "(a{1000}){1000}"}), "value"),
            (json!({"field": "a", "operator": "in", "value": "a"}), "value"),
        ] {
            let mut fields = ObjectReader::of(&filter);
            let _ = Filter::parse(&mut fields);
            let error = fields.finish().expect_err("refused");
            assert_eq!(error.errors[0].field, field, "{filter}");
        }
    }

    #[test]
    fn a_filter_with_two_mistakes_names_both() {
        let spec = json!({"field": "$..a..b", "operator": "matches", "value": "("});
        let mut fields = ObjectReader::of(&spec);
        let _ = Filter::parse(&mut fields);
        let error = fields.finish().expect_err("refused");
        let places: Vec<&str> = error.errors.iter().map(|error| error.field.as_str()).collect();
        assert_eq!(places, ["field", "value"]);
    }

    #[test]
    fn the_first_filter_that_fails_is_noted_and_ends_the_evaluation() {
        let document = json!({"a": "0".repeat(4_000), "b": 1});
        let expensive = || filter("a", "matches", &json!("[01]*1[01]{300}$."));
        let filters = [filter("b", "exists", &json!(true)), expensive(), expensive()];
        let mut budget = Budget::default();
        assert!(!all_match(&filters, "", Node::Value(&document), &mut budget));
        let failures = budget.take_failures().unwrap();
        assert_eq!(failures.count, 1);
        assert!(failures.message.starts_with("filters[1] would have to"), "{}", failures.message);
        assert_eq!(budget.take_failures(), None);
    }
}
