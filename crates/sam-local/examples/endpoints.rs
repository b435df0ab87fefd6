//! The endpoints of DynamoDB, SQS and Secrets Manager without a stack: `endpoints [DIRECTORY]`. Default: in
//! memory.
//!
//! Prints the environment variables that an SDK needs to call them, and serves until it is killed.

use std::error::Error;
use std::net::Ipv4Addr;
use std::path::PathBuf;

use axum::Router;
use sam_local::Time;
use sam_local::calls::Calls;
use sam_local::credentials::Credentials;
use sam_local::dynamodb::DynamoDb;
use sam_local::secrets_manager::SecretsManager;
use sam_local::sqs::Sqs;
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args_os().nth(1).map(PathBuf::from);
    if let Some(folder) = &folder {
        std::fs::create_dir_all(folder)?;
    }
    let file = |name: &str| folder.as_ref().map(|folder| folder.join(name));
    let (time, calls) = (Time::system(), Calls::default());
    let tables = DynamoDb::open(file("tables.db").as_deref())?;
    let queues = Sqs::open(file("queues.db").as_deref(), time.clone(), calls.clone())?;
    let secrets = SecretsManager::open(file("secrets.db").as_deref(), time, calls.clone())?;
    let credentials = Credentials::random();
    let pair = credentials.of_owner();
    say("AWS_ACCESS_KEY_ID", &pair.access_key);
    say("AWS_SECRET_ACCESS_KEY", &pair.secret);
    say("AWS_REGION", "us-east-1");
    let served = [
        serve("DYNAMODB", credentials.guarding(calls.counting(tables.router()))).await?,
        serve("SQS", credentials.guarding(queues.router())).await?,
        serve("SECRETS_MANAGER", credentials.guarding(secrets.router())).await?,
    ];
    for serving in served {
        serving.await??;
    }
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the output of this program")]
fn say(name: &str, value: &str) {
    println!("{name}={value}");
}

async fn serve(
    service: &str,
    router: Router,
) -> Result<tokio::task::JoinHandle<std::io::Result<()>>, Box<dyn Error>> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    say(&format!("AWS_ENDPOINT_URL_{service}"), &format!("http://{}", listener.local_addr()?));
    Ok(tokio::spawn(async move { axum::serve(listener, router).await }))
}
