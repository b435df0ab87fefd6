//! The routes of the API, and the list of them.

use std::sync::Arc;

use axum::Router;
use axum::handler::Handler;
use axum::http::Method;
use axum::routing;

use crate::Api;

/// A method, and a path below `/api/v1`.
pub type Route = (Method, &'static str);

/// Routes with their handlers.
pub(crate) struct Routes {
    router: Router<Arc<Api>>,
    list: Vec<Route>,
}

macro_rules! methods {
    ($($name:ident = $method:expr,)*) => {$(
        pub(crate) fn $name<H, T>(mut self, path: &'static str, handler: H) -> Self
        where
            H: Handler<T, Arc<Api>>,
            T: 'static,
        {
            self.list.push(($method, path));
            Self { router: self.router.route(path, routing::$name(handler)), list: self.list }
        }
    )*};
}

impl Routes {
    /// No routes.
    pub(crate) fn new() -> Self {
        Self { router: Router::new(), list: Vec::new() }
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
        Self { router: self.router.merge(others.router), list: self.list }
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
