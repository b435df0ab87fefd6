//! What resources are called on one machine: physical names, what `Ref` gives, and attributes.

use std::collections::BTreeMap;

use super::Endpoints;
use crate::sqs;

/// The region that the local stack plays.
const REGION: &str = "us-east-1";
/// The account that owns everything in the local stack.
const ACCOUNT: &str = "000000000000";

/// What a resource is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A table of DynamoDB.
    Table,
    /// A queue of SQS.
    Queue,
    /// A secret of Secrets Manager.
    Secret,
    /// A function.
    Function,
    /// The HTTP API.
    HttpApi,
    /// Where functions log to; one machine has its own way.
    LogGroup,
    /// An alarm; one machine has none.
    Alarm,
    /// A picture of metrics; one machine has none.
    Dashboard,
    /// A part of a network, or of a domain; one machine has its own.
    Network,
}

impl Kind {
    /// The kind of a type, as in `AWS::SQS::Queue`.
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

    /// The property that gives a resource its physical name.
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

    /// Notes a resource; without a name of its own it is called `<stage>-<logical-id>`.
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

    /// What `Ref` gives: of a queue its URL, of anything else its name.
    pub(super) fn reference(&self, id: &str) -> Option<String> {
        // What SAM makes for an HTTP API.
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

    /// What `GetAtt` gives.
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

    /// What a pseudo parameter stands for, `AWS::NoValue` apart.
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

/// The ARN of a secret, without the letters that AWS adds to it.
pub(crate) fn secret_arn(name: &str) -> String {
    format!("arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:{name}")
}

/// The ARN that stands for a table's stream until the engine has made the real one.
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
    fn a_resource_without_a_name_is_called_after_its_stage_and_id() {
        assert_eq!(names().name("InboundRetryQueue"), Some("dev-inbound-retry-queue"));
        assert_eq!(names().name("MasterKey"), Some("/dev/system/master-key"));
        assert_eq!(kebab_case("DLQOfA2B"), "dlqof-a2-b");
    }

    #[test]
    fn a_reference_to_a_queue_is_its_url_and_to_others_their_name() {
        let names = names();
        let url = "http://127.0.0.1:1/000000000000/dev-inbound-retry-queue";
        assert_eq!(names.reference("InboundRetryQueue").as_deref(), Some(url));
        assert_eq!(names.reference("CoreTable").as_deref(), Some("dev-core-table"));
        assert_eq!(names.reference("MasterKey").as_deref(), Some("/dev/system/master-key"));
        assert_eq!(names.reference("Nothing"), None);
    }

    #[test]
    fn attributes_that_a_kind_does_not_have_are_none() {
        let names = names();
        let arn = "arn:aws:sqs:us-east-1:000000000000:dev-inbound-retry-queue";
        assert_eq!(names.attribute("InboundRetryQueue", "Arn").as_deref(), Some(arn));
        assert!(names.attribute("CoreTable", "StreamArn").unwrap().contains("table/dev-core-table/stream/"));
        assert_eq!(names.attribute("MasterKey", "Arn"), None);
    }
}
