//! Portal sessions: links, sign-in and sign-out.
//!
//! Safe to run twice: a link is used once, in the transaction that opens the session. A caller that loses the
//! answer needs a new link.

use chrono::{DateTime, Utc};

use crate::domain::access::session::{Principal, Session, is_link_text, link_text, session_text};
use crate::domain::shared::secret::secret_hash;
use crate::error::{Code, Error, Kind};
use crate::random;
use crate::store::{Commit, Store, keys};

/// Creates a link that can be used once within `seconds`, and returns its text, which is not stored.
///
/// # Errors
/// `Unavailable` if DynamoDB does not answer.
pub async fn make_link(
    store: &Store,
    principal: Principal,
    seconds: u64,
    now: DateTime<Utc>,
) -> Result<(Session, String), Error> {
    let text = link_text(random::bytes());
    let link = Session::link(principal, seconds, now);
    store.core.put(&keys::portal_link(&secret_hash(&text)), &link).await?;
    Ok((link, text))
}

/// Opens a session, and returns its text, which is not stored.
///
/// # Errors
/// `Unavailable` if DynamoDB does not answer.
pub async fn open(
    store: &Store,
    principal: Principal,
    now: DateTime<Utc>,
) -> Result<(Session, String), Error> {
    let text = session_text(random::bytes());
    let session = Session::signed_in(principal, now);
    store.core.put(&keys::portal_session(&secret_hash(&text)), &session).await?;
    Ok((session, text))
}

/// Opens a session by a link, which is used up in the same transaction.
///
/// # Errors
/// `Unauthenticated` if the link is unknown, used or expired; `Unavailable` if DynamoDB does not answer.
pub async fn open_by_link(store: &Store, link: &str, now: DateTime<Utc>) -> Result<(Session, String), Error> {
    let key = keys::portal_link(&secret_hash(link));
    let found: Option<Session> = if is_link_text(link) { store.core.get(&key).await? } else { None };
    let found = found.filter(|link| !link.has_expired(now)).ok_or_else(no_link)?;
    let text = session_text(random::bytes());
    let session = Session::signed_in(found.principal, now);
    let mut transaction = store.transaction();
    transaction.take(&store.core, &key)?;
    transaction.create(&store.core, &keys::portal_session(&secret_hash(&text)), &session)?;
    match transaction.commit().await? {
        Commit::Done => Ok((session, text)),
        Commit::Refused(_) => Err(no_link()),
    }
}

/// Ends a session.
///
/// # Errors
/// `Unavailable` if DynamoDB does not answer.
pub async fn close(store: &Store, text: &str) -> Result<(), Error> {
    store.core.delete(&keys::portal_session(&secret_hash(text))).await
}

fn no_link() -> Error {
    Error::new(
        Kind::Unauthenticated,
        Code::LinkNotValid,
        "This link was used before, has expired, or is unknown. Ask for a new one",
    )
}
