//! The items of a bill, at the list prices of us-east-1 in dollars (aws.amazon.com, 2026-11, arm64, on
//! demand, without the free tier).

use std::fmt::Write as _;

use end_to_end::bill::as_f64;

const MILLION: f64 = 1e6;
const GATEWAY_PER_MILLION: f64 = 1.00;
const WRITE_UNITS_PER_MILLION: f64 = 0.625;
const READ_UNITS_PER_MILLION: f64 = 0.125;
const SQS_PER_MILLION: f64 = 0.40;
const LAMBDA_PER_MILLION: f64 = 0.20;
const LAMBDA_PER_GB_SECOND: f64 = 0.000_013_333_4;
const LOGS_PER_GB: f64 = 0.50;

/// One line of a bill.
struct Item {
    what: String,
    amount: String,
    dollars: f64,
}

/// A bill for a million operations, scaled up from those counted.
pub struct Items {
    /// The factor from counted operations to a million.
    scale: f64,
    lines: Vec<Item>,
}

impl Items {
    /// An empty bill for a million operations, of which `counted` were counted.
    pub fn of(counted: u64) -> Self {
        Self { scale: MILLION / as_f64(counted), lines: Vec::new() }
    }

    fn per_million(&mut self, what: String, unit: &str, counted: f64, dollars_per_million: f64) {
        let millions = counted * self.scale / MILLION;
        let amount = format!("{millions:.3} M {unit}");
        self.lines.push(Item { what, amount, dollars: millions * dollars_per_million });
    }

    /// Requests of the HTTP API.
    pub fn gateway(&mut self, what: &str, requests: f64) {
        self.per_million(format!("API Gateway: {what}"), "requests", requests, GATEWAY_PER_MILLION);
    }

    /// Write units of DynamoDB.
    pub fn written(&mut self, what: &str, units: f64) {
        self.per_million(format!("DynamoDB: {what}"), "write units", units, WRITE_UNITS_PER_MILLION);
    }

    /// Read units of DynamoDB.
    pub fn read(&mut self, what: &str, units: f64) {
        self.per_million(format!("DynamoDB: {what}"), "read units", units, READ_UNITS_PER_MILLION);
    }

    /// Requests of SQS.
    pub fn sqs(&mut self, requests: f64) {
        let what = "SQS: messages sent, received, deleted".to_owned();
        self.per_million(what, "requests", requests, SQS_PER_MILLION);
    }

    /// Invocations of Lambda, each of `gb_seconds`.
    pub fn lambda(&mut self, what: &str, invocations: f64, gb_seconds: f64) {
        let per_million = LAMBDA_PER_MILLION + MILLION * gb_seconds * LAMBDA_PER_GB_SECOND;
        let what = format!("Lambda: {what}, {gb_seconds} GB-s each");
        self.per_million(what, "invocations", invocations, per_million);
    }

    /// Log data that `CloudWatch` ingests.
    pub fn logs(&mut self, gigabytes: f64) {
        let gigabytes = gigabytes * self.scale;
        let (what, amount) = ("CloudWatch: a line of metrics each".to_owned(), format!("{gigabytes:.3} GB"));
        self.lines.push(Item { what, amount, dollars: gigabytes * LOGS_PER_GB });
    }
}

/// The bill as a table, with its sum and maximum.
///
/// # Panics
/// If the sum exceeds the maximum.
pub fn table(items: &Items, max: f64) -> String {
    let mut table = String::from("| | Counted | $ |\n|---|---|---|\n");
    for Item { what, amount, dollars } in &items.lines {
        writeln!(table, "| {what} | {amount} | {dollars:.3} |").unwrap();
    }
    let sum: f64 = items.lines.iter().map(|item| item.dollars).sum();
    writeln!(table, "| **All** | | **{sum:.2}** (at most {max:.2}) |").unwrap();
    assert!(sum <= max, "this costs {sum} and may cost {max}:\n{table}");
    table
}
