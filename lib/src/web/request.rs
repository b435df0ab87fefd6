//! The parts of a request: its JSON body, its page, its ids.

use std::str::FromStr;

use axum::extract::{FromRequest, FromRequestParts, Query, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode, header};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::domain::shared::merge_patch::Change;
use crate::error::{Code, Error, FieldError, Kind};
use crate::store::PageRequest;
use crate::store::listing::Cursor;

/// How much of a header is repeated in an answer, in characters.
const MAX_SHOWN: usize = 100;

/// The body as JSON.
///
/// # Errors
/// `UnsupportedMediaType` if `Content-Type` is not JSON, or the body has a `Content-Encoding`; `Invalid` if the
/// body is not JSON.
pub fn json(headers: &HeaderMap, body: &Bytes) -> Result<Value, Error> {
    let unsupported =
        |detail| Err(Error::new(Kind::UnsupportedMediaType, Code::UnsupportedMediaType, detail));
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().trim();
    let shown = |text: &str| text.chars().take(MAX_SHOWN).collect::<String>();
    let coding = text(header::CONTENT_ENCODING);
    if !coding.is_empty() && !coding.eq_ignore_ascii_case("identity") {
        return unsupported(format!("Send the body without Content-Encoding, not as {}", shown(coding)));
    }
    let media_type = text(header::CONTENT_TYPE);
    let essence = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if essence.is_empty() {
        return unsupported("Send the body as Content-Type: application/json".to_owned());
    }
    if essence != "application/json" && !essence.ends_with("+json") {
        let sent = shown(media_type);
        return unsupported(format!("Send the body as Content-Type: application/json, not as {sent}"));
    }
    serde_json::from_slice(body).map_err(|error| {
        Error::new(Kind::Invalid, Code::MalformedJson, format!("The body is not JSON: {error}"))
    })
}

/// A request's whole body, limited by the router.
#[derive(Debug, Clone)]
pub struct Whole(pub Bytes);

impl<S: Send + Sync> FromRequest<S> for Whole {
    type Rejection = Error;

    async fn from_request(request: Request, state: &S) -> Result<Self, Error> {
        let body = Bytes::from_request(request, state).await;
        body.map(Self).map_err(|rejection| {
            if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
                return Error::new(Kind::TooLarge, Code::BodyTooLarge, "The body is too large");
            }
            Error::new(Kind::Invalid, Code::BodyBrokeOff, "The body ended before its time")
        })
    }
}

/// A creating request, with what an idempotent repetition is recognised by.
#[derive(Debug, Clone)]
pub struct New {
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body, unchanged.
    pub body: Bytes,
    /// Its body as JSON; an empty object without a body.
    pub wanted: Value,
}

impl<S: Send + Sync> FromRequest<S> for New {
    type Rejection = Error;

    async fn from_request(request: Request, state: &S) -> Result<Self, Error> {
        let headers = request.headers().clone();
        let Whole(body) = Whole::from_request(request, state).await?;
        // A request without members may have no body.
        let wanted = if body.is_empty() { Value::Object(Map::new()) } else { json(&headers, &body)? };
        Ok(Self { headers, body, wanted })
    }
}

/// The JSON body of a request that creates nothing.
#[derive(Debug, Clone)]
pub struct Body(pub Value);

impl<S: Send + Sync> FromRequest<S> for Body {
    type Rejection = Error;

    async fn from_request(request: Request, state: &S) -> Result<Self, Error> {
        New::from_request(request, state).await.map(|New { wanted, .. }| Self(wanted))
    }
}

impl<S: Send + Sync> FromRequest<S> for Change {
    type Rejection = Error;

    async fn from_request(request: Request, state: &S) -> Result<Self, Error> {
        let is_patch = request.method() == Method::PATCH;
        let New { wanted: body, .. } = New::from_request(request, state).await?;
        Ok(Self { body, is_patch })
    }
}

/// An id in a path. One that cannot be an id is answered as an unknown one.
///
/// # Errors
/// `NotFound` if the text cannot be an id.
pub fn id<T: FromStr>(text: &str) -> Result<T, Error> {
    text.parse().map_err(|_| Error::not_found())
}

/// A period of time. Both bounds are included, and each may be absent.
#[derive(Debug, Clone, Copy, Default)]
pub struct Span {
    from: Option<DateTime<Utc>>,
    to: Option<DateTime<Utc>>,
}

impl Span {
    /// Whether a time is within it.
    #[must_use]
    pub fn contains(&self, time: DateTime<Utc>) -> bool {
        self.from.is_none_or(|from| time >= from) && self.to.is_none_or(|to| time <= to)
    }
}

/// The query of a list.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ListQuery {
    page: Option<String>,
    page_size: Option<String>,
    cursor: Option<String>,
    as_of: Option<String>,
    /// Only rows with this status.
    pub status: Option<String>,
    /// Only rows with this event type.
    pub event: Option<String>,
    /// Only rows with this action.
    pub action: Option<String>,
    /// Only rows with this channel.
    pub channel: Option<String>,
    /// What to show in addition.
    pub include: Option<String>,
    from: Option<String>,
    to: Option<String>,
}

impl<S: Send + Sync> FromRequestParts<S> for ListQuery {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Error> {
        let query = Query::try_from_uri(&parts.uri);
        query.map(|Query(query)| query).map_err(|_| unreadable_query())
    }
}

impl ListQuery {
    /// The period that is asked for.
    ///
    /// # Errors
    /// `Invalid` if a bound is not a time.
    pub fn span(&self) -> Result<Span, Error> {
        Ok(Span { from: moment("from", self.from.as_deref())?, to: moment("to", self.to.as_deref())? })
    }

    /// A parameter with a closed set of values.
    ///
    /// # Errors
    /// `Invalid` if it has another value.
    pub fn choice<T: FromStr>(field: &str, text: Option<&str>) -> Result<Option<T>, Error> {
        let Some(text) = text else { return Ok(None) };
        text.parse().map(Some).map_err(|_| invalid(field, "is not one that there is"))
    }

    /// A parameter that is one of `words`.
    ///
    /// # Errors
    /// `Invalid` if it is another word.
    pub fn one_of(
        field: &str,
        text: Option<&str>,
        words: &[&'static str],
    ) -> Result<Option<&'static str>, Error> {
        let Some(text) = text else { return Ok(None) };
        let word = words.iter().find(|word| **word == text).copied();
        word.map(Some).ok_or_else(|| invalid(field, &format!("must be one of {}", words.join(", "))))
    }

    /// The page that is asked for.
    ///
    /// # Errors
    /// `Invalid` with every mistake.
    pub fn page(&self) -> Result<PageRequest, Error> {
        let mut errors = Vec::new();
        let mut wrong = |field: &str, message: &str| {
            errors.push(FieldError { field: field.to_owned(), message: message.to_owned() });
        };
        let page = self.page.as_ref().map_or(Some(1), |text| text.parse().ok().filter(|page| *page >= 1));
        if page.is_none() {
            wrong("page", "must be a whole number from 1");
        }
        let page_size = self
            .page_size
            .as_ref()
            .map_or(Some(20), |text| text.parse().ok().filter(|size| (1..=100).contains(size)));
        if page_size.is_none() {
            wrong("pageSize", "must be a whole number from 1 to 100");
        }
        let as_of = self.as_of.as_ref().map(|text| DateTime::parse_from_rfc3339(text));
        if matches!(as_of, Some(Err(_))) {
            wrong("asOf", "must be an RFC 3339 time");
        }
        let cursor = self.cursor.as_deref().map(Cursor::parse);
        if matches!(cursor, Some(Err(_))) {
            wrong("cursor", "is not one that a list gave");
        }
        if !errors.is_empty() {
            return Err(Error::invalid(errors));
        }
        Ok(PageRequest {
            page: page.unwrap_or(1),
            page_size: page_size.unwrap_or(20),
            cursor: cursor.and_then(Result::ok),
            as_of: as_of.and_then(Result::ok).map(|time| time.with_timezone(&Utc)),
        })
    }
}

/// The error of a query string that cannot be parsed.
#[must_use]
pub fn unreadable_query() -> Error {
    Error::new(Kind::Invalid, Code::MalformedQuery, "The query cannot be read: is a parameter there twice?")
}

fn moment(field: &str, text: Option<&str>) -> Result<Option<DateTime<Utc>>, Error> {
    let Some(text) = text else { return Ok(None) };
    let time = DateTime::parse_from_rfc3339(text).map_err(|_| invalid(field, "must be an RFC 3339 time"))?;
    Ok(Some(time.with_timezone(&Utc)))
}

fn invalid(field: &str, message: &str) -> Error {
    let mistake = FieldError { field: field.to_owned(), message: message.to_owned() };
    Error::invalid(vec![mistake])
}
