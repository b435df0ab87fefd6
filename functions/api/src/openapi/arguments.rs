//! Derives from a handler's arguments what its operation needs: who may call it, what it reads, and how that
//! can fail.

use axum::extract::{Extension, Path, State};
use serde_json::json;
use stella::domain::shared::merge_patch::Change;
use stella::web::authenticator::{Admin, Operator, Publisher, SignedIn, Viewer};
use stella::web::request::{Body, ListQuery, New};

use super::operation::{Failure, Operation, text, time};

/// The arguments of a handler, as the tuple type that axum gives them.
pub(crate) trait Arguments {
    /// Adds to the operation what the arguments imply.
    fn describe(operation: &mut Operation);
}

/// One argument of a handler.
pub(crate) trait Argument {
    /// Adds to the operation what the argument implies.
    fn describe(operation: &mut Operation);
}

impl Arguments for ((),) {
    fn describe(_: &mut Operation) {}
}

macro_rules! handlers {
    ($(($($argument:ident),*),)*) => {$(
        // The first member of axum's tuple is a marker type of its own.
        impl<M, $($argument: Argument),*> Arguments for (M, $($argument,)*) {
            fn describe(operation: &mut Operation) {
                $($argument::describe(operation);)*
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
    fn describe(_: &mut Operation) {}
}

impl<T> Argument for Extension<T> {
    fn describe(_: &mut Operation) {}
}

impl<T> Argument for Path<T> {
    fn describe(_: &mut Operation) {}
}

macro_rules! callers {
    ($($name:ident = $role:literal;)*) => {$(
        impl Argument for $name {
            fn describe(operation: &mut Operation) {
                operation.requires_role($role);
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
    fn describe(operation: &mut Operation) {
        operation.fails(&[Failure::Invalid]);
        let page = || json!({"type": "integer", "minimum": 1, "default": 1});
        operation.query_parameter("page", page, "The number of the page, from 1.");
        let size = || json!({"type": "integer", "minimum": 1, "maximum": 100, "default": 20});
        operation.query_parameter("pageSize", size, "The most rows of a page.");
        operation.query_parameter("cursor", text, "The `nextCursor` of the page before, instead of `page`.");
        operation.query_parameter("asOf", time, "The `asOf` of the first page, so that pages do not shift.");
    }
}

fn reads_a_body(operation: &mut Operation) {
    operation.fails(&[Failure::Invalid, Failure::TooLarge, Failure::MediaType, Failure::Unprocessable]);
}

impl Argument for Body {
    fn describe(operation: &mut Operation) {
        reads_a_body(operation);
    }
}

impl Argument for New {
    fn describe(operation: &mut Operation) {
        reads_a_body(operation);
        operation.accepts_idempotency_key();
    }
}

impl Argument for Change {
    fn describe(operation: &mut Operation) {
        reads_a_body(operation);
        operation.fails(&[Failure::Conflict(
            "`changed_meanwhile`: another request changed it at the same time. Read it and try again.",
        )]);
    }
}
