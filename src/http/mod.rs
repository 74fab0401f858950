//! The HTTP side: metrics, health, and a page that says what this is.
//!
//! | path | what it answers |
//! | --- | --- |
//! | `/healthz` | 200 as long as the process runs |
//! | `/readyz` | 200 when statements can be served, else 503; the reasons in JSON |
//! | `/metrics` | Prometheus' text format |
//! | `/` | a page for people |

mod connection;
mod listener;
mod pages;

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Json, Response};
use axum::routing::get;
use serde::Serialize;

use crate::metrics::METRICS;

pub use connection::serve;
pub use listener::{HttpListener, HttpTls, ListenError};

/// What the rest of pgveil knows of its own state.
pub trait Probe: Send + Sync + 'static {
    /// Whether statements can be served now.
    fn readiness(&self) -> Readiness;
    /// Brings the gauges up to date: they are about to be read.
    fn sample(&self);
}

/// The answer of `/readyz`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Readiness {
    /// Whether statements can be served.
    pub ready: bool,
    /// Why not.
    pub reasons: Vec<String>,
    /// What somebody should look at though statements can be served.
    pub warnings: Vec<String>,
    /// Of the catalog and policy that serve; 0: none.
    pub generation: u64,
    /// Products in that catalog.
    pub products: usize,
}

/// The routes.
pub fn router(probe: Arc<dyn Probe>) -> Router {
    Router::new()
        .route("/", get(|| async { Html(pages::front()) }))
        .route("/healthz", get(|| async { Json(serde_json::json!({ "status": "ok" })) }))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .fallback(|| async { error(StatusCode::NOT_FOUND, "there is nothing at this path") })
        .method_not_allowed_fallback(|| async { error(StatusCode::METHOD_NOT_ALLOWED, "only GET is answered here") })
        .layer(axum::middleware::map_response(harden))
        .with_state(probe)
}

async fn readyz(State(probe): State<Arc<dyn Probe>>) -> Response {
    let readiness = probe.readiness();
    let status = if readiness.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(readiness)).into_response()
}

async fn metrics(State(probe): State<Arc<dyn Probe>>) -> Response {
    probe.sample();
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], METRICS.render()).into_response()
}

fn error(status: StatusCode, message: &str) -> Response {
    (status, Json(serde_json::json!({ "error": message }))).into_response()
}

/// Browsers shall run nothing, frame nothing and guess nothing.
async fn harden(mut response: Response) -> Response {
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

#[cfg(test)]
mod tests;
