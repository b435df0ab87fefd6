//! Dead letters: what our own machinery could not handle, for the operator.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{get, post};
use stella::domain::fields::Fields;
use stella::error::Error;
use stella::queue::dead_letters::DeadLetters;
use stella::web::caller::Operator;
use stella::web::data;
use stella::web::request::New;

use crate::Api;

pub(crate) fn routes() -> Router<Arc<Api>> {
    Router::new().route("/dead-letters", get(look)).route("/dead-letters/redrive", post(redrive))
}

async fn look(State(api): State<Arc<Api>>, _: Operator) -> Result<Response, Error> {
    Ok(data(StatusCode::OK, &api.dead_letters.look().await?))
}

async fn redrive(State(api): State<Arc<Api>>, _: Operator, new: New) -> Result<Response, Error> {
    let mut fields = Fields::of(&new.wanted);
    let queue = fields.read("queue", |value| {
        let name = value.as_str().filter(|name| DeadLetters::is_one(name));
        name.map(str::to_owned).ok_or("must be deliveries, retries, commands or inbound-retry".to_owned())
    });
    fields.finish()?;
    Ok(data(StatusCode::ACCEPTED, &api.dead_letters.redrive(queue.as_deref()).await?))
}
