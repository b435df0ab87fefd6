//! Metrics of a function: one line for each batch or request, in `CloudWatch`'s embedded metric format
//! ("Specification: Embedded metric format" of the `CloudWatch` user guide).
//!
//! Lines are printed on Lambda only: elsewhere there is no `CloudWatch`. They have no level, which is why
//! Lambda must not filter by level (docs/adr/0014-failures-and-log-levels.md).

use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use crate::environment::Environment;

/// The `CloudWatch` namespace of all metrics.
const NAMESPACE: &str = "Stella";
/// How many values of a metric one line has: the format allows 100.
const MAX_VALUES: usize = 100;

/// The unit of a metric's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Count,
    Milliseconds,
}

impl Unit {
    fn name(self) -> &'static str {
        match self {
            Self::Count => "Count",
            Self::Milliseconds => "Milliseconds",
        }
    }
}

type Gathered = BTreeMap<&'static str, (Unit, Vec<u64>)>;

/// Collects metrics until they are emitted.
pub struct Metrics {
    /// The deployment's stage. `None` if metrics are not collected.
    stage: Option<String>,
    gathered: Mutex<Gathered>,
}

impl Metrics {
    /// The metrics of a function. Only Lambda sets the variable with the function's name; elsewhere nothing
    /// is collected.
    #[must_use]
    pub fn of(environment: &Environment) -> Self {
        let is_lambda = environment.variable("AWS_LAMBDA_FUNCTION_NAME").is_some();
        let stage = environment.variable("STAGE").filter(|_| is_lambda).map(str::to_owned);
        Self { stage, gathered: Mutex::default() }
    }

    /// Adds to a counter.
    pub fn count(&self, name: &'static str, count: u64) {
        if self.stage.is_none() {
            return;
        }
        let mut gathered = self.gathered.lock().unwrap_or_else(PoisonError::into_inner);
        let (_, values) = gathered.entry(name).or_insert((Unit::Count, vec![0]));
        for sum in values {
            *sum = sum.saturating_add(count);
        }
    }

    /// Adds a duration in milliseconds.
    pub fn measure(&self, name: &'static str, milliseconds: u64) {
        if self.stage.is_none() {
            return;
        }
        let mut gathered = self.gathered.lock().unwrap_or_else(PoisonError::into_inner);
        let (_, values) = gathered.entry(name).or_insert((Unit::Milliseconds, Vec::new()));
        if values.len() < MAX_VALUES {
            values.push(milliseconds);
        }
    }

    /// Emits what was collected, with these dimensions beside the stage, and starts again.
    pub fn emit(&self, dimensions: &[(&str, &str)], now: DateTime<Utc>) {
        let Some(stage) = &self.stage else { return };
        let gathered = std::mem::take(&mut *self.gathered.lock().unwrap_or_else(PoisonError::into_inner));
        if gathered.is_empty() {
            return;
        }
        let line = line(stage, &gathered, dimensions, now);
        // If the line cannot be printed, there is nobody to report it to.
        let _ = writeln!(std::io::stdout().lock(), "{line}");
    }
}

/// One line: every metric by the stage alone, and by the stage with the other dimensions.
fn line(stage: &str, gathered: &Gathered, dimensions: &[(&str, &str)], now: DateTime<Utc>) -> Value {
    let names: Vec<&str> = dimensions.iter().map(|(name, _)| *name).collect();
    let mut sets = vec![vec!["Stage"]];
    if !names.is_empty() {
        sets.push([&["Stage"], names.as_slice()].concat());
    }
    let metrics: Vec<Value> =
        gathered.iter().map(|(name, (unit, _))| json!({"Name": name, "Unit": unit.name()})).collect();
    let directive = json!({"Namespace": NAMESPACE, "Dimensions": sets, "Metrics": metrics});
    let mut line = Map::from_iter([
        ("_aws".to_owned(), json!({"Timestamp": now.timestamp_millis(), "CloudWatchMetrics": [directive]})),
        ("Stage".to_owned(), json!(stage)),
    ]);
    line.extend(dimensions.iter().map(|(name, value)| ((*name).to_owned(), json!(value))));
    line.extend(gathered.iter().map(|(name, (_, values))| {
        let value = if let [one] = values.as_slice() { json!(one) } else { json!(values) };
        ((*name).to_owned(), value)
    }));
    Value::Object(line)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::clock::SystemClock;

    fn metrics(variables: &[(&str, &str)]) -> Metrics {
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Metrics::of(&Environment::new(variables.collect(), Arc::new(SystemClock)))
    }

    #[test]
    fn a_line_is_in_the_embedded_metric_format() {
        let metrics = metrics(&[("AWS_LAMBDA_FUNCTION_NAME", "deliver"), ("STAGE", "dev")]);
        metrics.count("Delivered", 2);
        metrics.count("Delivered", 1);
        metrics.measure("AttemptTime", 12);
        metrics.measure("AttemptTime", 30);
        let gathered = metrics.gathered.lock().unwrap();
        let emitted = line("dev", &gathered, &[("Lane", "fast")], DateTime::from_timestamp(1, 0).unwrap());
        let expected = json!({
            "_aws": {"Timestamp": 1000, "CloudWatchMetrics": [{
                "Namespace": "Stella",
                "Dimensions": [["Stage"], ["Stage", "Lane"]],
                "Metrics": [{"Name": "AttemptTime", "Unit": "Milliseconds"}, {"Name": "Delivered", "Unit": "Count"}]
            }]},
            "Stage": "dev", "Lane": "fast", "Delivered": 3, "AttemptTime": [12, 30]
        });
        assert_eq!(emitted, expected);
    }

    #[test]
    fn outside_lambda_nothing_is_collected() {
        let metrics = metrics(&[("STAGE", "dev")]);
        metrics.count("Delivered", 1);
        metrics.measure("AttemptTime", 1);
        assert!(metrics.gathered.lock().unwrap().is_empty());
    }
}
