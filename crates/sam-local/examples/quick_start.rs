//! A shop: `POST /orders` queues an order, and ten minutes later another function ships it.
//!
//! The process crashes right after the first order is queued, before the customer gets an answer. A second
//! stack on the same data ships that order all the same. No test waits for ten minutes: the clock is held.

use std::path::Path;

use aws_credential_types::Credentials;
use axum::body::Body;
use http::{Request, StatusCode};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use sam_local::crash_point::{CrashInjector, CrashPoint};
use sam_local::{Data, Environment, Function, FunctionError, Functions, Settings, Stack, Time, handler};
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// What would be deployed. Here it is part of the program; usually it is `template.yaml`.
const TEMPLATE: &str = "
Transform: AWS::Serverless-2016-10-31
Resources:
  Orders:
    Type: AWS::SQS::Queue
  OrderFunction:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: functions/order
      Environment: {Variables: {QUEUE_URL: !Ref Orders}}
      Policies:
        - Statement: [{Effect: Allow, Action: 'sqs:SendMessage', Resource: !GetAtt Orders.Arn}]
      Events:
        Post: {Type: HttpApi, Properties: {Method: POST, Path: /orders}}
  ShipFunction:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: functions/ship
      Events:
        Orders: {Type: SQS, Properties: {Queue: !GetAtt Orders.Arn}}
";

/// Starts the function that takes orders. On Lambda it would get the same variables.
async fn order(environment: Environment) -> Result<impl Function, FunctionError> {
    let variable = |name: &str| environment.variable(name).ok_or_else(|| format!("{name} is not set"));
    let (id, secret) = (variable("AWS_ACCESS_KEY_ID")?, variable("AWS_SECRET_ACCESS_KEY")?);
    let config = aws_sdk_sqs::Config::builder()
        .region(aws_sdk_sqs::config::Region::new(variable("AWS_REGION")?.to_owned()))
        .endpoint_url(variable("AWS_ENDPOINT_URL_SQS")?)
        .credentials_provider(Credentials::new(id, secret, None, None, "environment"))
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .build();
    let queue = aws_sdk_sqs::Client::from_conf(config);
    let url = variable("QUEUE_URL")?.to_owned();
    Ok(handler(move |event, _deadline| {
        let message = queue.send_message().queue_url(&url).delay_seconds(600);
        async move {
            let event: Value = serde_json::from_str(&event)?;
            let order = event.get("body").and_then(Value::as_str).unwrap_or_default();
            message.message_body(order).send().await?;
            Ok(json!({"statusCode": 202}).to_string())
        }
    }))
}

/// A function that ships orders: to the program's own channel.
fn ship(shipped: UnboundedSender<String>) -> impl Function {
    handler(move |event, _deadline| {
        let shipped = shipped.clone();
        async move {
            let event: Value = serde_json::from_str(&event)?;
            for record in event.get("Records").and_then(Value::as_array).into_iter().flatten() {
                shipped.send(record.get("body").and_then(Value::as_str).unwrap_or_default().to_owned())?;
            }
            Ok("{}".to_owned())
        }
    })
}

/// Starts a stack on the data in a directory, and returns it with the orders that will be shipped.
async fn start(
    directory: &Path,
    time: &Time,
    crash_injector: CrashInjector,
) -> Result<(Stack, UnboundedReceiver<String>), FunctionError> {
    let (sender, shipped) = unbounded_channel();
    let functions = Functions::default().with("order", order).with("ship", move |_environment| {
        let sender = sender.clone();
        async move { Ok(ship(sender)) }
    });
    let (data, time) = (Data::Folder(directory.to_owned()), time.clone());
    let settings = Settings { data, time, crash_injector, ..Settings::new(TEMPLATE, functions) };
    Ok((Stack::start(settings).await?, shipped))
}

async fn post(stack: &Stack, order: &str) -> Result<StatusCode, FunctionError> {
    let client = Client::builder(TokioExecutor::new()).build_http();
    let request = Request::post(format!("{}/orders", stack.url())).body(Body::from(order.to_owned()))?;
    Ok(client.request(request).await?.status())
}

/// Orders tea and cake, and returns what is shipped.
fn run() -> Result<Vec<String>, FunctionError> {
    let directory = tempfile::tempdir()?;
    let time = Time::manual("2026-03-01T12:00:00Z".parse()?);
    let crash_injector = CrashInjector::default();
    crash_injector.arm("after OrderFunction SendMessage".parse::<CrashPoint>()?);

    // The first process. Everything that runs in it ends with its runtime.
    Runtime::new()?.block_on(async {
        let (stack, _shipped) = start(directory.path(), &time, crash_injector.clone()).await?;
        tokio::select! {
            status = post(&stack, "tea") => Err(format!("there was an answer: {status:?}").into()),
            () = crash_injector.crashed() => Ok::<(), FunctionError>(()),
        }
    })?;

    // The second process, on the same data.
    Runtime::new()?.block_on(async {
        let (stack, mut shipped) = start(directory.path(), &time, CrashInjector::default()).await?;
        let status = post(&stack, "cake").await?;
        if status != StatusCode::ACCEPTED {
            return Err(format!("the answer is {status}").into());
        }
        time.advance(chrono::Duration::minutes(10));
        let mut orders = Vec::new();
        while orders.len() < 2 {
            orders.extend(shipped.recv().await);
        }
        stack.stop().await;
        Ok(orders)
    })
}

#[expect(clippy::print_stdout, reason = "the output of this program")]
fn main() -> Result<(), FunctionError> {
    println!("shipped after the crash: {}", run()?.join(", "));
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn an_order_survives_the_crash() {
        assert_eq!(super::run().unwrap(), ["tea", "cake"]);
    }
}
