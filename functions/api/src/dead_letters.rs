//! Dead letters, for the operator: messages that the service could not process.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::json;
use stella::domain::shared::object_reader::ObjectReader;
use stella::error::Error;
use stella::queue::dead_letters::{DeadLetters, DeadLettersView, Redriven};
use stella::web::authenticator::Operator;
use stella::web::data;
use stella::web::request::Body;

use crate::Api;
use crate::openapi::operation::operation;
use crate::routes::Routes;

pub(crate) fn routes() -> Routes {
    Routes::about("Operation")
        .get(
            "/dead-letters",
            look,
            operation(
                "getDeadLetters",
                "Show dead letters",
                "Returns about how many messages the service's own machinery could not process, and some of them.",
            )
            .returns::<DeadLettersView>(200),
        )
        .post(
            "/dead-letters/redrive",
            redrive,
            operation(
                "redriveDeadLetters",
                "Redrive dead letters",
                "Moves dead letters back to the queue that they came from. Correct the cause first.",
            )
            .takes(queue)
            .with_example(|| json!({"queue": "deliveries"}))
            .returns::<Redriven>(202)
            .conflicts("`redrive_running`: they are being moved already."),
        )
}

async fn look(State(api): State<Arc<Api>>, _: Operator) -> Result<Response, Error> {
    Ok(data(StatusCode::OK, &api.dead_letters.look().await?))
}

async fn redrive(State(api): State<Arc<Api>>, _: Operator, Body(wanted): Body) -> Result<Response, Error> {
    let queue = ObjectReader::whole(&wanted, |fields| Some(queue(fields)))?;
    Ok(data(StatusCode::ACCEPTED, &api.dead_letters.redrive(queue).await?))
}

/// Reads the name of a queue. Default: all queues.
fn queue(fields: &mut ObjectReader<'_>) -> Option<&'static str> {
    fields.describe("queue", "The queue whose dead letters are moved. Default: all.");
    fields.one_of("queue", &DeadLetters::names())
}
