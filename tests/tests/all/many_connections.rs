//! Many connections at once on one machine: requests wait for each other, and none is refused.

use end_to_end::World;
use futures_util::future::join_all;
use http::StatusCode;
use sam_local::{Data, Settings};
use serde_json::json;
use stella_local::AWS_TIMEOUT;
use stella_local::client::Client;

const CONNECTIONS: usize = 64;
const EVENTS_EACH: usize = 25;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_posted_by_64_connections_at_once_are_all_accepted() {
    let folder = tempfile::tempdir().unwrap();
    let data = Data::Folder(folder.path().to_owned());
    let world =
        World::made_of(Settings { data, aws_timeout: Some(AWS_TIMEOUT), ..stella_local::settings() }).await;
    let event = json!({"event": "rollback.initiated", "data": world.example("rollback.initiated")});
    let posted = join_all((0..CONNECTIONS).map(|_| {
        // A client per task, so that each has a connection of its own.
        let (client, event) = (Client::new(&world.stack.url(), Some(&world.key)), event.clone());
        tokio::spawn(async move {
            let mut statuses = Vec::new();
            for _ in 0..EVENTS_EACH {
                statuses.push(client.post("/api/v1/events", &event).await.unwrap().status);
            }
            statuses
        })
    }))
    .await;
    let statuses: Vec<StatusCode> = posted.into_iter().flat_map(Result::unwrap).collect();
    let refused = statuses.iter().filter(|status| **status != StatusCode::ACCEPTED).count();
    assert_eq!((statuses.len(), refused), (CONNECTIONS * EVENTS_EACH, 0));
}
