//! Properties of `template.yaml` that no linter checks.

mod dashboard;
mod policies;
mod queues;

use std::collections::BTreeMap;

use sam_local::template::{Endpoints, Kind, Resource, resolve};
use serde_json::Value;

/// The template's resources with these parameters, and defaults for the others.
pub(super) fn resources(parameters: &[(&str, &str)]) -> BTreeMap<String, Resource> {
    let parameters =
        parameters.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let endpoints = Endpoints { queues: "http://127.0.0.1:9324".to_owned() };
    resolve(include_str!("../../../../template.yaml"), &parameters, &endpoints)
        .expect("the template resolves")
}

fn of_kind(all: &BTreeMap<String, Resource>, kind: Kind) -> Vec<(&str, &Resource)> {
    let found: Vec<_> =
        all.iter().filter(|(_, resource)| resource.kind == kind).map(|(id, r)| (id.as_str(), r)).collect();
    assert!(!found.is_empty(), "the template has some of {kind:?}");
    found
}

/// The resources that are retained when the stack is deleted.
const RETAINED: [&str; 4] = ["CoreTable", "DeliveriesTable", "MasterKey", "IntegrationKey"];

/// A flag, which may be a string, as parameters are.
fn is_on(value: &Value) -> bool {
    *value == true || *value == "true"
}

/// The functions by their logical ids.
pub(super) fn functions(all: &BTreeMap<String, Resource>) -> Vec<(&str, &Resource)> {
    of_kind(all, Kind::Function)
}

/// A number, which may be a string, as parameters are.
fn number(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

fn texts(value: &Value) -> Vec<&str> {
    match value {
        Value::Array(entries) => entries.iter().filter_map(Value::as_str).collect(),
        other => other.as_str().into_iter().collect(),
    }
}

/// One event source of a function: the function's id and properties, and its own properties.
struct Mapping<'a> {
    function: &'a str,
    of_function: &'a Value,
    properties: &'a Value,
}

impl Mapping<'_> {
    fn number(&self, name: &str, default: u64) -> u64 {
        number(&self.properties[name]).unwrap_or(default)
    }

    fn window(&self) -> u64 {
        self.number("MaximumBatchingWindowInSeconds", 0)
    }
}

fn mappings<'a>(all: &'a BTreeMap<String, Resource>, kind: &str) -> Vec<Mapping<'a>> {
    let mut found = Vec::new();
    for (function, resource) in of_kind(all, Kind::Function) {
        let events = resource.properties["Events"].as_object().expect("every function has an event source");
        for event in events.values().filter(|event| event["Type"] == kind) {
            let properties = &event["Properties"];
            found.push(Mapping { function, of_function: &resource.properties, properties });
        }
    }
    assert!(!found.is_empty(), "some function has an event source of type {kind}");
    found
}

fn arn(queue: &Resource) -> String {
    format!("arn:aws:sqs:us-east-1:000000000000:{}", queue.name)
}

fn queue<'a>(all: &'a BTreeMap<String, Resource>, wanted: &Value) -> &'a Resource {
    let mut queues = all.values().filter(|resource| resource.kind == Kind::Queue);
    queues
        .find(|queue| *wanted == arn(queue))
        .unwrap_or_else(|| panic!("the template has the queue {wanted}"))
}

/// The queues that others redrive to, by ARN.
fn dead_letter_queues(all: &BTreeMap<String, Resource>) -> Vec<&Value> {
    let queues = of_kind(all, Kind::Queue).into_iter();
    queues.map(|(_, queue)| &queue.properties["RedrivePolicy"]["deadLetterTargetArn"]).collect()
}

#[test]
fn tables_and_permanent_keys_are_retained_when_the_stack_is_deleted() {
    let all = resources(&[]);
    for (id, table) in of_kind(&all, Kind::Table) {
        assert_eq!(table.properties["BillingMode"], "PAY_PER_REQUEST", "{id}");
        let recovery = &table.properties["PointInTimeRecoverySpecification"];
        assert_eq!(recovery["PointInTimeRecoveryEnabled"], true, "{id}");
        assert_eq!(table.properties["TimeToLiveSpecification"]["AttributeName"], "expiresAt", "{id}");
        assert_eq!(table.properties["TimeToLiveSpecification"]["Enabled"], true, "{id}");
        assert_eq!(table.properties["SSESpecification"]["SSEEnabled"], true, "{id}");
    }
    for id in RETAINED {
        assert_eq!(all[id].update_replace_policy.as_deref(), Some("Retain"), "{id}");
        let policy = all[id].deletion_policy.as_deref().expect("a policy");
        assert!(policy.starts_with("Retain"), "{id}: {policy}");
    }
}

#[test]
fn a_failed_first_deployment_is_rolled_back_completely() {
    for (id, resource) in resources(&[]) {
        let expected = RETAINED.contains(&id.as_str()).then_some("RetainExceptOnCreate");
        let kept = resource.deletion_policy.as_deref().filter(|policy| *policy != "Delete");
        assert_eq!(kept, expected, "{id}");
        // CloudFormation cannot delete a protected table, so the rollback itself would fail.
        assert!(
            resource.kind != Kind::Table || !is_on(&resource.properties["DeletionProtectionEnabled"]),
            "{id}"
        );
    }
    let all = resources(&[("DeletionProtection", "true")]);
    for (id, table) in of_kind(&all, Kind::Table) {
        assert!(is_on(&table.properties["DeletionProtectionEnabled"]), "{id}: it can be protected later");
    }
}

#[test]
fn every_queue_and_every_function_has_an_alarm() {
    let all = resources(&[]);
    let alarms: String =
        of_kind(&all, Kind::Alarm).iter().map(|(_, alarm)| alarm.properties.to_string()).collect();
    for (id, queue) in of_kind(&all, Kind::Queue) {
        assert!(alarms.contains(&format!("\"{}\"", queue.name)), "{id}");
    }
    for (id, function) in of_kind(&all, Kind::Function) {
        assert!(alarms.contains(&format!("\"{}\"", function.name)), "{id}");
    }
}

#[test]
fn static_egress_puts_only_the_functions_that_call_subscribers_into_the_vpc() {
    let all = resources(&[("StaticEgress", "true")]);
    let addresses = &all["ApiFunction"].properties["Environment"]["Variables"]["EGRESS_ADDRESSES"];
    assert_eq!(addresses, "dev-egress-address-a,dev-egress-address-b");
    for (id, function) in of_kind(&all, Kind::Function) {
        let calls_subscribers = ["ApiFunction", "DeliverFunction", "RetryFunction"].contains(&id);
        assert_eq!(function.properties.get("VpcConfig").is_some(), calls_subscribers, "{id}");
    }
    let subnets: Vec<&str> = ["PublicSubnetA", "PublicSubnetB", "PrivateSubnetA", "PrivateSubnetB"]
        .map(|id| all[id].properties["CidrBlock"].as_str().expect("a range"))
        .into();
    assert_eq!(subnets, ["10.90.0.0/26", "10.90.0.64/26", "10.90.0.128/26", "10.90.0.192/26"]);
    let usual = resources(&[]);
    assert_eq!(usual["ApiFunction"].properties["Environment"]["Variables"]["EGRESS_ADDRESSES"], "");
    assert!(!usual.values().any(|resource| resource.kind == Kind::Network), "none by default");
}

#[test]
fn with_a_domain_name_the_api_is_served_under_it() {
    let parameters = [
        ("DomainName", "hooks.example.com"),
        ("CertificateArn", "arn:aws:acm:us-east-1:000000000000:certificate/x"),
        ("HostedZoneId", "Z1"),
    ];
    let all = resources(&parameters);
    let url = &all["ApiFunction"].properties["Environment"]["Variables"]["PUBLIC_URL"];
    assert_eq!(url, "https://hooks.example.com");
    assert!(all.contains_key("DomainRecord"));
    assert!(
        !resources(&parameters[..2]).contains_key("DomainRecord"),
        "without a hosted zone the operator creates the record"
    );
}

#[test]
fn gradual_deployments_are_rolled_back_on_the_new_version_alarm() {
    let alarms = |parameters: &[(&str, &str)]| {
        let all = resources(parameters);
        let functions = of_kind(&all, Kind::Function).into_iter();
        functions.map(|(_, it)| it.properties["DeploymentPreference"]["Alarms"].clone()).collect::<Vec<_>>()
    };
    assert!(
        alarms(&[("Deployment", "Canary10Percent5Minutes")])
            .iter()
            .all(|alarms| *alarms == serde_json::json!(["dev-new-version-alarm"]))
    );
    assert!(
        alarms(&[]).iter().all(|alarms| *alarms == serde_json::json!([])),
        "a deployment at once has no rollback alarm"
    );
}
