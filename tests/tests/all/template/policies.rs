//! The IAM policies of the functions: each has the permissions that it needs and no others.

use serde_json::Value;

use super::{Kind, Resource, mappings, of_kind, resources, texts};

/// The permissions of a function: action, resource, and the statement that grants them.
fn grants(function: &Resource) -> Vec<(&str, &str, &Value)> {
    let mut grants = Vec::new();
    for policy in function.properties["Policies"].as_array().expect("a list of policies") {
        for statement in policy["Statement"].as_array().expect("a list of statements") {
            if statement["Effect"] == "Deny" {
                continue;
            }
            for action in texts(&statement["Action"]) {
                grants.extend(texts(&statement["Resource"]).into_iter().map(|to| (action, to, statement)));
            }
        }
    }
    grants
}

#[test]
fn no_policy_has_a_wildcard_except_for_tenants_secrets() {
    for (id, function) in of_kind(&resources(&[]), Kind::Function) {
        for (action, to, _) in grants(function) {
            assert!(!action.contains('*'), "{id}: {action}");
            let tenants =
                to.strip_suffix("*").is_some_and(|prefix| prefix.ends_with(":secret:/dev/tenants/"));
            assert!(tenants || !to.contains('*'), "{id}: {to}");
        }
    }
}

#[test]
fn the_portal_has_no_permissions() {
    assert_eq!(grants(&resources(&[])["PortalFunction"]), []);
}

#[test]
fn every_function_reads_exactly_the_secrets_it_needs() {
    let tenants = "arn:aws:secretsmanager:us-east-1:000000000000:secret:/dev/tenants/*";
    let [master, operator, integration] =
        ["/dev/system/master-key", "/dev/system/operator-key", "/dev/system/integration-key"];
    let expected: [(&str, &[&str]); 7] = [
        ("InboundFunction", &[master, integration, tenants]),
        ("ApiFunction", &[master, operator, integration, tenants]),
        ("FanoutFunction", &[]),
        ("DeliverFunction", &[master, tenants]),
        ("RetryFunction", &[master, tenants]),
        ("SweepFunction", &[]),
        ("PortalFunction", &[]),
    ];
    let all = resources(&[]);
    assert_eq!(of_kind(&all, Kind::Function).len(), expected.len());
    for (id, secrets) in expected {
        let readable: Vec<&str> = grants(&all[id])
            .into_iter()
            .filter(|(action, ..)| action.starts_with("secretsmanager:"))
            .map(|(action, to, _)| {
                assert_eq!(action, "secretsmanager:GetSecretValue", "{id}");
                to
            })
            .collect();
        assert_eq!(readable, secrets, "{id}");
        let variables = all[id].properties["Environment"]["Variables"].as_object().expect("variables");
        let known = variables.iter().filter(|(name, _)| name.ends_with("_SECRET_ID")).count();
        assert_eq!(
            known,
            secrets.iter().filter(|secret| **secret != tenants).count(),
            "{id} knows no other secret"
        );
    }
}

#[test]
fn a_function_may_send_exactly_to_the_queues_in_its_variables() {
    let all = resources(&[]);
    for (id, function) in of_kind(&all, Kind::Function) {
        let variables = function.properties["Environment"]["Variables"].as_object().expect("variables");
        let mut known: Vec<String> = variables
            .iter()
            .filter(|(name, _)| name.ends_with("_QUEUE_URL"))
            .filter_map(|(_, url)| {
                Some(format!("arn:aws:sqs:us-east-1:000000000000:{}", url.as_str()?.rsplit('/').next()?))
            })
            .collect();
        let mut may: Vec<&str> = grants(function)
            .into_iter()
            // Without the permission to redrive: the function itself sends nothing to those queues.
            .filter(|(action, _, statement)| *action == "sqs:SendMessage" && statement["Sid"] != "Redrive")
            .map(|g| g.1)
            .collect();
        known.sort();
        may.sort_unstable();
        assert_eq!(known, may, "{id}");
    }
}

#[test]
fn only_the_api_may_read_and_redrive_dead_letters() {
    let all = resources(&[]);
    for (id, function) in of_kind(&all, Kind::Function) {
        let touched = grants(function).into_iter().filter(|(_, to, _)| to.ends_with("dead-letters")).count();
        assert_eq!(touched > 0, id == "ApiFunction", "{id}");
    }
    let targets: Vec<&str> = grants(&all["ApiFunction"])
        .into_iter()
        .filter(|(action, ..)| *action == "sqs:SendMessage")
        .map(|(_, to, _)| to.rsplit(':').next().unwrap_or_default())
        .collect();
    assert_eq!(targets.len(), 4, "the dead letters of every queue can be redriven: {targets:?}");
}

#[test]
fn fanout_and_deliver_write_only_event_partitions_of_the_core_table() {
    let all = resources(&[]);
    let core = "arn:aws:dynamodb:us-east-1:000000000000:table/dev-core-table";
    for id in ["FanoutFunction", "DeliverFunction", "RetryFunction"] {
        for (action, _, statement) in grants(&all[id]).into_iter().filter(|(_, to, _)| *to == core) {
            match action {
                "dynamodb:GetItem" | "dynamodb:Query" => {}
                "dynamodb:PutItem" | "dynamodb:BatchWriteItem" => {
                    let keys = &statement["Condition"]["ForAllValues:StringLike"]["dynamodb:LeadingKeys"];
                    assert_eq!(keys, "TENANT#*#EVENTS#*", "{id}");
                }
                other => panic!("{id} may {other} in core"),
            }
        }
    }
}

#[test]
fn inbound_accesses_only_its_own_partitions_of_the_deliveries_table() {
    let all = resources(&[]);
    let deliveries = "arn:aws:dynamodb:us-east-1:000000000000:table/dev-deliveries-table";
    for (action, _, statement) in grants(&all["InboundFunction"]).into_iter().filter(|g| g.1 == deliveries) {
        let keys = texts(&statement["Condition"]["ForAllValues:StringLike"]["dynamodb:LeadingKeys"]);
        assert_eq!(
            keys,
            [
                "TENANT#*#RECEIPTS#*",
                "TENANT#*#SEEN#*",
                "TENANT#*#REJECTIONS#*",
                "TENANT#*#RELEASE_RATE#*",
                "TENANT#*#TALLY"
            ],
            "{action}"
        );
    }
}

#[test]
fn a_function_may_receive_only_from_its_own_event_sources() {
    let all = resources(&[]);
    let kinds = [
        ("SQS", "Queue", ["sqs:ReceiveMessage", "sqs:DeleteMessage"]),
        ("DynamoDB", "Stream", ["dynamodb:GetShardIterator", "dynamodb:GetRecords"]),
    ];
    for (kind, property, actions) in kinds {
        for mapping in mappings(&all, kind) {
            let statements = &mapping.of_function["Policies"][0]["Statement"];
            let mut statements = statements.as_array().expect("a list of statements").iter();
            let denied = statements.find(|s| s["Effect"] == "Deny" && texts(&s["Action"]) == actions);
            let denied = denied.unwrap_or_else(|| panic!("{} denies {actions:?}", mapping.function));
            assert_eq!(denied["NotResource"], mapping.properties[property], "{}", mapping.function);
        }
    }
}
