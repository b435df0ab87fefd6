//! What a handler's arguments say of its operation: who may call it, what it reads, and how that can fail.

use axum::extract::{Extension, Path, State};
use serde_json::json;
use stella::domain::shared::merge_patch::Change;
use stella::web::authenticator::{Admin, Operator, Publisher, SignedIn, Viewer};
use stella::web::request::{Body, ListQuery, New};

use super::operation::{Failure, Operation, text, time};

/// The arguments of a handler, as axum names them.
pub(crate) trait Arguments {
    /// Adds what they say.
    fn tell(operation: &mut Operation);
}

/// One of them.
pub(crate) trait Argument {
    /// Adds what it says.
    fn tell(operation: &mut Operation);
}

impl Arguments for ((),) {
    fn tell(_: &mut Operation) {}
}

macro_rules! handlers {
    ($(($($argument:ident),*),)*) => {$(
        // The first of the tuple is axum's own mark.
        impl<M, $($argument: Argument),*> Arguments for (M, $($argument,)*) {
            fn tell(operation: &mut Operation) {
                $($argument::tell(operation);)*
            }
        }
    )*};
}

handlers! {
    (A),
    (A, B),
    (A, B, C),
    (A, B, C, D),
    (A, B, C, D, E),
}

impl<T> Argument for State<T> {
    fn tell(_: &mut Operation) {}
}

impl<T> Argument for Extension<T> {
    fn tell(_: &mut Operation) {}
}

impl<T> Argument for Path<T> {
    fn tell(operation: &mut Operation) {
        operation.fails(&[Failure::NotFound]);
    }
}

macro_rules! callers {
    ($($name:ident = $role:literal;)*) => {$(
        impl Argument for $name {
            fn tell(operation: &mut Operation) {
                operation.is_for($role);
                operation.fails(&[
                    Failure::Unauthenticated,
                    Failure::Forbidden,
                    Failure::Limited,
                    Failure::Ours,
                ]);
            }
        }
    )*};
}

callers! {
    Viewer = "viewer";
    Publisher = "publisher";
    Admin = "admin";
    Operator = "operator";
    SignedIn = "session";
}

impl Argument for ListQuery {
    fn tell(operation: &mut Operation) {
        operation.fails(&[Failure::Invalid]);
        let page = || json!({"type": "integer", "minimum": 1, "default": 1});
        operation.asks("page", page, "The number of the page, from 1.");
        let size = || json!({"type": "integer", "minimum": 1, "maximum": 100, "default": 20});
        operation.asks("pageSize", size, "The most rows of a page.");
        operation.asks("cursor", text, "The `nextCursor` of the page before, instead of `page`.");
        operation.asks("asOf", time, "The `asOf` of the first page, so that pages do not shift.");
    }
}

fn reads_a_body(operation: &mut Operation) {
    operation.fails(&[Failure::Invalid, Failure::TooLarge, Failure::MediaType, Failure::Unprocessable]);
}

impl Argument for Body {
    fn tell(operation: &mut Operation) {
        reads_a_body(operation);
    }
}

impl Argument for New {
    fn tell(operation: &mut Operation) {
        reads_a_body(operation);
        operation.may_be_repeated();
    }
}

impl Argument for Change {
    fn tell(operation: &mut Operation) {
        reads_a_body(operation);
        operation.fails(&[Failure::Conflict(
            "`changed_meanwhile`: another request changed it at the same time. Read it and try again.",
        )]);
    }
}
