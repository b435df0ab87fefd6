//! Physical names, references and attributes of resources.

use std::collections::BTreeMap;

use super::Endpoints;
use crate::sqs;

/// The region of a stack.
const REGION: &str = "us-east-1";
/// The account id of a stack.
const ACCOUNT: &str = "000000000000";

/// The kind of a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A DynamoDB table.
    Table,
    /// An SQS queue.
    Queue,
    /// A secret of Secrets Manager.
    Secret,
    /// A function.
    Function,
    /// The HTTP API.
    HttpApi,
    /// A log group. It has no effect.
    LogGroup,
    /// An alarm. It has no effect.
    Alarm,
    /// A dashboard. It has no effect.
    Dashboard,
    /// A part of a network or of a domain. It has no effect.
    Network,
}

impl Kind {
    /// The kind of resources of a type, as in `AWS::SQS::Queue`.
    pub(super) fn of(name: &str) -> Option<Self> {
        Some(match name {
            "AWS::DynamoDB::Table" => Self::Table,
            "AWS::SQS::Queue" => Self::Queue,
            "AWS::SecretsManager::Secret" => Self::Secret,
            "AWS::Serverless::Function" => Self::Function,
            "AWS::Serverless::HttpApi" => Self::HttpApi,
            "AWS::Logs::LogGroup" => Self::LogGroup,
            "AWS::CloudWatch::Alarm" => Self::Alarm,
            "AWS::CloudWatch::Dashboard" => Self::Dashboard,
            "AWS::ApiGatewayV2::ApiMapping" | "AWS::ApiGatewayV2::DomainName" | "AWS::Route53::RecordSet" => {
                Self::Network
            }
            network if network.starts_with("AWS::EC2::") => Self::Network,
            _ => return None,
        })
    }

    /// The property with the physical name.
    pub(super) fn name_property(self) -> &'static str {
        match self {
            Self::Table => "TableName",
            Self::Queue => "QueueName",
            Self::Secret | Self::HttpApi | Self::Network => "Name",
            Self::Function => "FunctionName",
            Self::LogGroup => "LogGroupName",
            Self::Alarm => "AlarmName",
            Self::Dashboard => "DashboardName",
        }
    }
}

/// The names of all resources.
pub(super) struct Names {
    stage: Option<String>,
    queues: String,
    by_id: BTreeMap<String, (Kind, String)>,
}

impl Names {
    /// No names yet.
    pub(super) fn new(parameters: &BTreeMap<String, String>, endpoints: &Endpoints) -> Self {
        Self {
            stage: parameters.get("Stage").cloned(),
            queues: endpoints.queues.trim_end_matches('/').to_owned(),
            by_id: BTreeMap::new(),
        }
    }

    /// Adds a resource. Without an explicit name it is called `<Stage>-<logical-id>`.
    pub(super) fn add(&mut self, id: &str, kind: Kind, explicit: Option<String>) {
        let name = explicit.unwrap_or_else(|| {
            let kebab = kebab_case(id);
            self.stage.as_ref().map_or_else(|| kebab.clone(), |stage| format!("{stage}-{kebab}"))
        });
        self.by_id.insert(id.to_owned(), (kind, name));
    }

    /// The physical name of a resource.
    pub(super) fn name(&self, id: &str) -> Option<&str> {
        self.by_id.get(id).map(|(_, name)| name.as_str())
    }

    /// The value of `Ref`: the URL of a queue, the name of every other resource.
    pub(super) fn reference(&self, id: &str) -> Option<String> {
        // SAM generates this resource for an HTTP API.
        if let Some(api) = id.strip_suffix(".Stage") {
            return self.by_id.contains_key(api).then(|| "$default".to_owned());
        }
        let (kind, name) = self.by_id.get(id)?;
        Some(match kind {
            Kind::Queue => self.queue_url(name),
            Kind::Table
            | Kind::Secret
            | Kind::Function
            | Kind::HttpApi
            | Kind::LogGroup
            | Kind::Alarm
            | Kind::Dashboard
            | Kind::Network => name.clone(),
        })
    }

    /// The value of `GetAtt`.
    pub(super) fn attribute(&self, id: &str, attribute: &str) -> Option<String> {
        let (kind, name) = self.by_id.get(id)?;
        Some(match (kind, attribute) {
            (Kind::Table, "Arn") => table_arn(name),
            (Kind::Table, "StreamArn") => stream_arn(name),
            (Kind::Queue, "Arn") => sqs::arn(name),
            (Kind::Queue, "QueueName") => name.clone(),
            (Kind::Queue, "QueueUrl") => self.queue_url(name),
            (Kind::Function, "Arn") => format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}"),
            (Kind::Network, attribute) => format!("{name}.{attribute}"),
            (Kind::LogGroup, "Arn") => format!("arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{name}:*"),
            _ => return None,
        })
    }

    /// The value of a pseudo parameter other than `AWS::NoValue`.
    pub(super) fn pseudo(&self, name: &str) -> Option<String> {
        Some(match name {
            "AWS::Region" => REGION.to_owned(),
            "AWS::AccountId" => ACCOUNT.to_owned(),
            "AWS::Partition" => "aws".to_owned(),
            "AWS::URLSuffix" => "amazonaws.com".to_owned(),
            "AWS::StackName" => self.stage.as_ref().map_or_else(|| "local".to_owned(), Clone::clone),
            _ => return None,
        })
    }

    fn queue_url(&self, name: &str) -> String {
        format!("{}/{ACCOUNT}/{name}", self.queues)
    }
}

/// The ARN of a secret without the random characters at its end.
pub(crate) fn secret_arn(name: &str) -> String {
    format!("arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:{name}")
}

/// The ARN of a table's stream within the template, before the engine has created the real one.
pub(super) fn stream_arn(name: &str) -> String {
    format!("{}/stream/local", table_arn(name))
}

/// The ARN of a table.
pub(crate) fn table_arn(name: &str) -> String {
    format!("arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{name}")
}

fn kebab_case(id: &str) -> String {
    let mut name = String::new();
    let mut may_break = false;
    for c in id.chars() {
        if c.is_ascii_uppercase() && may_break {
            name.push('-');
        }
        may_break = !c.is_ascii_uppercase();
        name.push(c.to_ascii_lowercase());
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Names {
        let parameters = BTreeMap::from([("Stage".to_owned(), "dev".to_owned())]);
        let mut names = Names::new(&parameters, &Endpoints { queues: "http://127.0.0.1:1/".to_owned() });
        names.add("InboundRetryQueue", Kind::Queue, None);
        names.add("CoreTable", Kind::Table, None);
        names.add("MasterKey", Kind::Secret, Some("/dev/system/master-key".to_owned()));
        names
    }

    #[test]
    fn a_resource_without_a_name_is_named_after_the_stage_and_its_id() {
        assert_eq!(names().name("InboundRetryQueue"), Some("dev-inbound-retry-queue"));
        assert_eq!(names().name("MasterKey"), Some("/dev/system/master-key"));
        assert_eq!(kebab_case("DLQOfA2B"), "dlqof-a2-b");
    }

    #[test]
    fn ref_is_the_url_of_a_queue_and_the_name_of_other_resources() {
        let names = names();
        let url = "http://127.0.0.1:1/000000000000/dev-inbound-retry-queue";
        assert_eq!(names.reference("InboundRetryQueue").as_deref(), Some(url));
        assert_eq!(names.reference("CoreTable").as_deref(), Some("dev-core-table"));
        assert_eq!(names.reference("MasterKey").as_deref(), Some("/dev/system/master-key"));
        assert_eq!(names.reference("Nothing"), None);
    }

    #[test]
    fn unknown_attributes_are_none() {
        let names = names();
        let arn = "arn:aws:sqs:us-east-1:000000000000:dev-inbound-retry-queue";
        assert_eq!(names.attribute("InboundRetryQueue", "Arn").as_deref(), Some(arn));
        assert!(names.attribute("CoreTable", "StreamArn").unwrap().contains("table/dev-core-table/stream/"));
        assert_eq!(names.attribute("MasterKey", "Arn"), None);
    }
}
