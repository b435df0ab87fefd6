//! What a request says: its JSON body, its page, its ids.

use std::str::FromStr;

use axum::http::{HeaderMap, header};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::Value;

use crate::error::{Error, FieldError, Kind};
use crate::store::PageRequest;
use crate::store::listing::Cursor;

/// The body as JSON.
///
/// # Errors
/// Unsupported media type when it is not said to be JSON; invalid when it is not JSON.
pub fn json(headers: &HeaderMap, body: &Bytes) -> Result<Value, Error> {
    let media_type =
        headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if essence != "application/json" && !essence.ends_with("+json") {
        return Err(Error::new(
            Kind::UnsupportedMediaType,
            "unsupported_media_type",
            "Send the body as Content-Type: application/json",
        ));
    }
    serde_json::from_slice(body).map_err(|error| {
        Error::new(Kind::Invalid, "malformed_json", format!("The body is not JSON: {error}"))
    })
}

/// An id of a path; one that is not even an id is as unknown as any other.
///
/// # Errors
/// Not found.
pub fn id<T: FromStr>(text: &str) -> Result<T, Error> {
    text.parse().map_err(|_| Error::not_found())
}

/// The query of a list.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ListQuery {
    page: Option<String>,
    page_size: Option<String>,
    cursor: Option<String>,
    as_of: Option<String>,
    /// Rows in this state.
    pub status: Option<String>,
    /// Rows of this event type.
    pub event: Option<String>,
    /// What else to show.
    pub include: Option<String>,
}

impl ListQuery {
    /// Which page is asked for.
    ///
    /// # Errors
    /// Every mistake at once.
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
            let mut error = Error::unprocessable(errors);
            error.kind = Kind::Invalid;
            return Err(error);
        }
        Ok(PageRequest {
            page: page.unwrap_or(1),
            page_size: page_size.unwrap_or(20),
            cursor: cursor.and_then(Result::ok),
            as_of: as_of.and_then(Result::ok).map(|time| time.with_timezone(&Utc)),
        })
    }
}
