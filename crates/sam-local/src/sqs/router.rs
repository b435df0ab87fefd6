//! The endpoint of SQS (AWS JSON 1.0).

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, header};
use serde_json::Value;

use super::wire::Refusal;
use super::{Sqs, messages, queues};

/// The largest request, in bytes: a full batch with every character escaped.
const MAX_REQUEST_BYTES: usize = 8 * 1024 * 1024;

pub(super) fn router(sqs: &Sqs) -> Router {
    let router = Router::new()
        .fallback(answer)
        .layer(DefaultBodyLimit::max(MAX_REQUEST_BYTES))
        .with_state(sqs.clone());
    sqs.0.calls.counting(router)
}

async fn answer(State(sqs): State<Sqs>, headers: HeaderMap, body: Bytes) -> Response {
    match operate(&sqs, &headers, &body).await {
        Ok(answer) => {
            ([(header::CONTENT_TYPE, "application/x-amz-json-1.0")], answer.to_string()).into_response()
        }
        Err(refusal) => refusal.into_response(),
    }
}

async fn operate(sqs: &Sqs, headers: &HeaderMap, body: &[u8]) -> Result<Value, Refusal> {
    let Some(("sqs", operation)) = crate::calls::target(headers) else {
        return Err(Refusal::unsupported("of this request"));
    };
    let request: Value = serde_json::from_slice(body)
        .map_err(|_| Refusal::new("SerializationException", "SerializationException", "Not JSON"))?;
    let request = &request;
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or("localhost");
    match operation {
        "SendMessage" => messages::send(sqs, request),
        "SendMessageBatch" => messages::send_batch(sqs, request),
        "ReceiveMessage" => messages::receive(sqs, request).await,
        "DeleteMessage" => messages::delete(sqs, request),
        "DeleteMessageBatch" => messages::delete_batch(sqs, request),
        "ChangeMessageVisibility" => messages::change_visibility(sqs, request),
        "ChangeMessageVisibilityBatch" => messages::change_visibility_batch(sqs, request),
        "CreateQueue" => queues::create(sqs, request, host),
        "GetQueueUrl" => queues::url(sqs, request, host),
        "ListQueues" => queues::list(sqs, request, host),
        "ListDeadLetterSourceQueues" => queues::list_sources(sqs, request, host),
        "DeleteQueue" => queues::delete(sqs, request),
        "PurgeQueue" => queues::purge(sqs, request),
        "GetQueueAttributes" => queues::attributes(sqs, request),
        "SetQueueAttributes" => queues::set_attributes(sqs, request),
        "TagQueue" => queues::tag(sqs, request),
        "UntagQueue" => queues::untag(sqs, request),
        "ListQueueTags" => queues::tags(sqs, request),
        "StartMessageMoveTask" => queues::start_move(sqs, request),
        "ListMessageMoveTasks" => queues::moves(sqs, request),
        other => Err(Refusal::unsupported(other)),
    }
}
