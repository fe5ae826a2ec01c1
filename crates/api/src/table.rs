//! Which operation a route is: the table of [`certwright_app::OPERATIONS`], by method and path.
//!
//! Built from the same list as the router. A route without an operation stops the server before it listens.

use crate::routes;
use axum::http::Method;
use certwright_app::{Needs, Operation};
use std::collections::HashMap;
use utoipa::openapi::OpenApi;
use utoipa::openapi::path::PathItem;

/// A route that no operation of the table stands for, or that stands on the wrong side of the guard.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{method} {path}: {why}")]
pub struct UnlistedRoute {
    method: Method,
    path: String,
    why: &'static str,
}

/// Operations by path and method, as the router writes paths.
#[derive(Debug)]
pub(crate) struct Table(HashMap<String, HashMap<Method, &'static Operation>>);

impl Table {
    /// The table of all routes.
    pub(crate) fn of_routes() -> Result<Self, UnlistedRoute> {
        let mut table = Self(HashMap::new());
        table.add(&routes::guarded().into_openapi(), true)?;
        table.add(&routes::open().into_openapi(), false)?;
        Ok(table)
    }

    /// The operation of a route.
    pub(crate) fn find(&self, method: &Method, path: &str) -> Option<&'static Operation> {
        // What answers GET answers HEAD.
        let method = if *method == Method::HEAD { &Method::GET } else { method };
        self.0.get(path)?.get(method).copied()
    }

    fn add(&mut self, api: &OpenApi, guarded: bool) -> Result<(), UnlistedRoute> {
        for (path, item) in &api.paths.paths {
            for (method, id) in operations(item) {
                let fault = |why| UnlistedRoute { method: method.clone(), path: path.clone(), why };
                let id = id.ok_or_else(|| fault("the route has no operation id"))?;
                let operation = Operation::find(id).ok_or_else(|| fault("the operation is not in the table"))?;
                if guarded == (operation.needs == Needs::Nothing) {
                    return Err(fault("the route and the table disagree whether it is open to all"));
                }
                self.0.entry(path.clone()).or_default().insert(method, operation);
            }
        }
        Ok(())
    }
}

/// The operations of a path, each with its id.
pub(crate) fn operations(item: &PathItem) -> impl Iterator<Item = (Method, Option<&str>)> {
    [
        (Method::GET, &item.get),
        (Method::POST, &item.post),
        (Method::PUT, &item.put),
        (Method::PATCH, &item.patch),
        (Method::DELETE, &item.delete),
    ]
    .into_iter()
    .filter_map(|(method, operation)| Some((method, operation.as_ref()?.operation_id.as_deref())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use utoipa::openapi::path::{HttpMethod, OperationBuilder};
    use utoipa::openapi::{Info, Paths};

    /// What adding a route of this operation says.
    fn adding(id: Option<&str>, guarded: bool) -> Result<(), &'static str> {
        let operation = OperationBuilder::new().operation_id(id).build();
        let mut paths = Paths::new();
        paths.add_path_operation("/v1/new", vec![HttpMethod::Post], operation);
        let api = OpenApi::new(Info::new("", ""), paths);
        Table(HashMap::new()).add(&api, guarded).map_err(|refused| refused.why)
    }

    #[test]
    fn a_route_that_is_not_in_the_table_or_on_its_wrong_side_stops_the_start() {
        assert_eq!(adding(Some("createVault"), true), Ok(()));
        assert_eq!(adding(None, true), Err("the route has no operation id"));
        assert_eq!(adding(Some("nobodyThoughtOfIt"), true), Err("the operation is not in the table"));
        let disagree = Err("the route and the table disagree whether it is open to all");
        assert_eq!(adding(Some("createVault"), false), disagree, "behind no guard");
        assert_eq!(adding(Some("exchangeToken"), true), disagree);
        assert_eq!(adding(Some("exchangeToken"), false), Ok(()));
    }
}
