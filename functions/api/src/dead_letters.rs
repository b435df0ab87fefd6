//! Dead letters: what our own machinery could not handle, for the operator.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use stella::domain::shared::object_reader::ObjectReader;
use stella::error::Error;
use stella::queue::dead_letters::DeadLetters;
use stella::web::authenticator::Operator;
use stella::web::data;
use stella::web::request::Body;

use crate::Api;
use crate::openapi::operation::says;
use crate::routes::Routes;

pub(crate) fn routes() -> Routes {
    Routes::about("Operation")
        .get(
            "/dead-letters",
            look,
            says(
                "getDeadLetters",
                "What our own machinery could not handle: about how many, and some of them",
            )
            .gives(200, "DeadLetters"),
        )
        .post(
            "/dead-letters/redrive",
            redrive,
            says("redriveDeadLetters", "Moves dead letters back to the queue they came from")
                .takes(queue)
                .gives(202, "Redriven")
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

/// One queue; where nothing is said, all of them.
fn queue(fields: &mut ObjectReader<'_>) -> Option<&'static str> {
    fields.one_of("queue", &DeadLetters::names())
}
