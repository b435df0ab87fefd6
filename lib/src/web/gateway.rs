//! API Gateway's events as requests to a router, and the router's responses as answers.

use aws_lambda_events::apigw::ApiGatewayV2httpResponse;
use aws_lambda_events::encodings::Body as Encoded;
use axum::Router;
use axum::body::Body;
use axum::http::header::SET_COOKIE;
use axum::response::{IntoResponse as _, Response};
use http_body_util::BodyExt as _;
use lambda_http::request::RequestContext;
use tower::ServiceExt as _;

use crate::domain::shared::answer_size::MAX_ANSWER_BYTES;
use crate::domain::shared::origin::Origin;
use crate::error::Error;
use crate::log_error;

use super::problem::ServerError;
use super::request_labels::RequestLabels;

/// Lets a router answer one event of an HTTP API ("payload format version 2.0" of the API Gateway developer
/// guide). Handlers find the request's [`Origin`] and [`RequestLabels`] among its extensions. A 5xx is logged
/// here.
///
/// # Errors
/// `Fault` if the event is not one of an HTTP API.
pub async fn serve(router: &Router, event: &str) -> Result<String, Error> {
    let request = lambda_http::request::from_str(event)
        .map_err(|error| Error::fault("the event is not one of an HTTP API").caused_by(error))?;
    let (mut parts, body) = request.into_parts();
    let origin = match parts.extensions.get::<RequestContext>() {
        Some(RequestContext::ApiGatewayV2(context)) => {
            let (domain, api_id) = (context.domain_name.clone(), context.apiid.clone());
            Origin { ip: context.http.source_ip.clone(), domain, api_id }
        }
        _ => Origin::default(),
    };
    let labels = RequestLabels::default();
    parts.extensions.insert(origin);
    parts.extensions.insert(labels.clone());
    let method = parts.method.clone();
    let body = match body {
        Encoded::Text(text) => Body::from(text),
        Encoded::Binary(bytes) => Body::from(bytes),
        _ => Body::empty(),
    };
    let request = axum::http::Request::from_parts(parts, body);
    let response = match router.clone().oneshot(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    };
    log_failure(&response, method.as_str(), &labels);
    let answer = answer(response).await?;
    if answer.len() <= MAX_ANSWER_BYTES {
        return Ok(answer);
    }
    let response = Error::fault("an answer is larger than Lambda can return").into_response();
    log_failure(&response, method.as_str(), &labels);
    self::answer(response).await
}

/// Logs the error behind an answer of 5xx.
fn log_failure(response: &Response, method: &str, labels: &RequestLabels) {
    let Some(ServerError(error)) = response.extensions().get() else { return };
    log_error!(
        ERROR,
        **error,
        "request failed",
        http.request.method = method,
        http.route = labels.route(),
        tenant.id = labels.tenant().map(|id| id.to_string()),
        integration.id = labels.integration().map(|id| id.to_string())
    );
}

async fn answer(response: Response) -> Result<String, Error> {
    let (mut parts, body) = response.into_parts();
    let body = body.collect().await.map_err(|error| Error::fault("a body broke off").caused_by(error))?;
    let cookies = parts.headers.get_all(SET_COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut answer = ApiGatewayV2httpResponse::default();
    answer.status_code = i64::from(parts.status.as_u16());
    answer.cookies = cookies.map(str::to_owned).collect();
    parts.headers.remove(SET_COOKIE);
    answer.headers = parts.headers;
    match String::from_utf8(body.to_bytes().into()) {
        Ok(text) if text.is_empty() => {}
        Ok(text) => answer.body = Some(Encoded::Text(text)),
        Err(bytes) => {
            answer.is_base64_encoded = true;
            answer.body = Some(Encoded::Binary(bytes.into_bytes()));
        }
    }
    serde_json::to_string(&answer)
        .map_err(|error| Error::fault("an answer cannot be written").caused_by(error))
}

#[cfg(test)]
mod tests {
    use axum::extract::{Extension, Path};
    use axum::routing::post;
    use serde_json::{Value, json};

    use super::*;

    #[tokio::test]
    async fn an_event_reaches_its_handler_and_the_answer_is_returned() {
        let handler = |Path(id): Path<String>, Extension(origin): Extension<Origin>, body: String| async move {
            format!("{id} {body} {}", origin.ip.unwrap_or_default())
        };
        let router = Router::new().route("/things/{id}", post(handler));
        let event = json!({
            "version": "2.0", "routeKey": "ANY /{proxy+}", "rawPath": "/things/7", "rawQueryString": "",
            "headers": {"content-type": "text/plain"},
            "requestContext": {"accountId": "0", "apiId": "local", "domainName": "localhost", "requestId": "1",
                "stage": "$default", "time": "", "timeEpoch": 0, "routeKey": "ANY /{proxy+}",
                "http": {"method": "POST", "path": "/things/7", "protocol": "HTTP/1.1",
                    "sourceIp": "192.0.2.1", "userAgent": "test"}},
            "body": "aGVsbG8=", "isBase64Encoded": true,
        });
        let answer = serve(&router, &event.to_string()).await.unwrap();
        let answer: Value = serde_json::from_str(&answer).unwrap();
        assert_eq!(answer["statusCode"], 200);
        assert_eq!(answer["body"], "7 hello 192.0.2.1");
    }
}
