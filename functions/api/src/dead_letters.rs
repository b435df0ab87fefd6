//! Dead letters: what our own machinery could not handle, for the operator.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use stella::domain::fields::Fields;
use stella::error::Error;
use stella::queue::dead_letters::DeadLetters;
use stella::web::caller::Operator;
use stella::web::data;
use stella::web::request::New;

use crate::Api;
use crate::routes::Routes;

pub(crate) fn routes() -> Routes {
    Routes::new().get("/dead-letters", look).post("/dead-letters/redrive", redrive)
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
