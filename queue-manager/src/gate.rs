//! The one layer before every route of the public side: spellings of a path that could be read as another, and requests
//! that another site's page made.

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::problem::Trouble;
use crate::{cross_site, path_rule};

pub(crate) async fn check(request: Request, next: Next) -> Response {
    if !path_rule::is_allowed(request.uri().path()) {
        return Trouble::BadPath.into_response();
    }
    if !cross_site::is_allowed(&request) {
        return Trouble::CrossSite.into_response();
    }
    next.run(request).await
}
