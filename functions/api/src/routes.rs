//! The routes of the API, each with its handler and its description for the OpenAPI document.

use std::sync::Arc;

use axum::Router;
use axum::handler::Handler;
use axum::http::Method;
use axum::routing::{self, MethodRouter};

use crate::Api;
use crate::openapi::arguments::Arguments;
use crate::openapi::operation::{Failure, Operation};

/// A route: a method and a path below `/api/v1`, with the handler.
pub(crate) struct Route {
    pub(crate) method: Method,
    pub(crate) path: &'static str,
    pub(crate) tag: &'static str,
    pub(crate) operation: Operation,
    handler: MethodRouter<Arc<Api>>,
}

/// Routes with their handlers.
pub(crate) struct Routes {
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
            T::describe(&mut operation);
            // Every parameter in a path is an id.
            if path.contains('{') {
                operation.fails(&[Failure::NotFound]);
            }
            let handler = routing::$name(handler);
            self.list.push(Route { method: $method, path, tag: self.tag, operation, handler });
            self
        }
    )*};
}

impl Routes {
    /// An empty list. Routes that are added to it have this tag in the OpenAPI document.
    pub(crate) fn about(tag: &'static str) -> Self {
        Self { list: Vec::new(), tag }
    }

    methods! {
        get = Method::GET,
        post = Method::POST,
        put = Method::PUT,
        patch = Method::PATCH,
        delete = Method::DELETE,
    }

    /// Adds other routes.
    pub(crate) fn merge(mut self, others: Self) -> Self {
        self.list.extend(others.list);
        self
    }

    /// Adds the routes to a router.
    pub(crate) fn serve(self, router: Router<Arc<Api>>) -> Router<Arc<Api>> {
        let serve = |router: Router<Arc<Api>>, route: Route| {
            router.route(&format!("/api/v1{}", route.path), route.handler)
        };
        self.list.into_iter().fold(router, serve)
    }

    /// The list of the routes.
    pub(crate) fn list(self) -> Vec<Route> {
        self.list
    }
}
