//! The routes of the API, and the list of them with what each says of itself.

use std::sync::Arc;

use axum::Router;
use axum::handler::Handler;
use axum::http::Method;
use axum::routing;

use crate::Api;
use crate::openapi::arguments::Arguments;
use crate::openapi::operation::Operation;

/// A method and a path below `/api/v1`, and what happens there.
pub(crate) struct Route {
    pub(crate) method: Method,
    pub(crate) path: &'static str,
    pub(crate) tag: &'static str,
    pub(crate) operation: Operation,
}

/// Routes with their handlers.
pub(crate) struct Routes {
    router: Router<Arc<Api>>,
    list: Vec<Route>,
    tag: &'static str,
}

macro_rules! methods {
    ($($name:ident = $method:expr,)*) => {$(
        pub(crate) fn $name<H, T>(mut self, path: &'static str, handler: H, mut operation: Operation) -> Self
        where
            H: Handler<T, Arc<Api>>,
            T: Arguments + 'static,
        {
            T::tell(&mut operation);
            self.list.push(Route { method: $method, path, tag: self.tag, operation });
            Self { router: self.router.route(path, routing::$name(handler)), ..self }
        }
    )*};
}

impl Routes {
    /// No routes yet; those to come are about this.
    pub(crate) fn about(tag: &'static str) -> Self {
        Self { router: Router::new(), list: Vec::new(), tag }
    }

    methods! {
        get = Method::GET,
        post = Method::POST,
        put = Method::PUT,
        patch = Method::PATCH,
        delete = Method::DELETE,
    }

    /// These and others.
    pub(crate) fn merge(mut self, others: Self) -> Self {
        self.list.extend(others.list);
        Self { router: self.router.merge(others.router), ..self }
    }

    /// What serves them.
    pub(crate) fn router(self) -> Router<Arc<Api>> {
        self.router
    }

    /// All of them.
    pub(crate) fn list(self) -> Vec<Route> {
        self.list
    }
}
