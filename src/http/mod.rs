//! The HTTP side: the catalog, metrics, health, and a page that says what this is.
//!
//! | path | what it answers |
//! | --- | --- |
//! | `/v1/catalog/search` | products that fit words and filters, best first |
//! | `/v1/catalog/products/{id}` | one product |
//! | `/v1/catalog/products/{id}/consumers` | takes the word of who uses it |
//! | `/v1/catalog/domains` | the domains, and how many products each has |
//! | `/healthz` | 200 as long as the process runs |
//! | `/readyz` | 200 when statements can be served, else 503; the reasons in JSON |
//! | `/metrics` | Prometheus' text format |
//! | `/` | a page for people |

mod api;
mod connection;
mod listener;
mod login;
mod pages;
mod problem;

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Json, Response};
use axum::routing::{get, post};
use serde::Serialize;

use crate::auth::MockSecret;
use crate::config::ServerConfig;
use crate::metrics::METRICS;
use crate::state::Store;
use crate::statement::Shared;

use problem::Problem;

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

/// The catalog as it is read over HTTP. Clones share it.
#[derive(Clone)]
pub struct Desk(Arc<api::Desk>);

impl Desk {
    /// `mock`: what unknown names are held against.
    pub fn new(shared: Arc<Shared>, mock: MockSecret, store: Store) -> Self {
        Self(Arc::new(api::Desk::new(login::Gate::new(shared, mock), store)))
    }

    /// Follows `pgveil.toml`.
    pub fn configure(&self, config: &ServerConfig) {
        let anonymous = config.http.as_ref().is_some_and(|http| http.anonymous_read);
        self.0.gate.configure(anonymous, config.server.allow_plaintext);
    }
}

/// Bytes of a request's body.
const LARGEST_BODY: usize = 16 << 10;

/// The routes.
pub fn router(probe: Arc<dyn Probe>, desk: Desk) -> Router {
    let catalog = Router::new()
        .route("/v1/catalog/search", get(api::search))
        .route("/v1/catalog/products/{id}", get(api::product))
        .route("/v1/catalog/products/{id}/consumers", post(api::register))
        .route("/v1/catalog/domains", get(api::domains))
        .layer(axum::extract::DefaultBodyLimit::max(LARGEST_BODY))
        .with_state(desk.0);
    Router::new()
        .route("/", get(|| async { Html(pages::front()) }))
        .route("/healthz", get(|| async { Json(serde_json::json!({ "status": "ok" })) }))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .with_state(probe)
        .merge(catalog)
        .fallback(|| async { Problem::new(StatusCode::NOT_FOUND, "There is nothing at this path.") })
        .method_not_allowed_fallback(|| async {
            Problem::new(StatusCode::METHOD_NOT_ALLOWED, "Another method is answered here.")
        })
        .layer(axum::middleware::map_response(harden))
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

/// Browsers shall run nothing, frame nothing and guess nothing.
async fn harden(mut response: Response) -> Response {
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response.headers_mut().entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests;
