//! The catalog as JSON: search, one product, the domains. What somebody sees here is what SQL would tell him of: a product
//! that his roles may neither query nor discover is not there.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::{Extension, Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Json, Response};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::catalog::{ContractType, Pii, Product, SearchIndex, Status};
use crate::contracts::Validation;
use crate::contracts::history;
use crate::contracts::score::{self, product_score};
use crate::govern::access::Access;
use crate::govern::snapshot::Snapshot;
use crate::names::ProductId;
use crate::state::{Consumer, StateError, Store};
use crate::statement::{duration_text, today};

use super::login::{Connection, Gate, Reader};
use super::problem::Problem;

/// Products of one page, where nobody says how many, and at most.
const PAGE: usize = 20;
const LARGEST_PAGE: usize = 100;

/// Uses of one product that can be registered, so that nobody fills the store.
const MOST_CONSUMERS: usize = 1000;
/// Letters of each field of a registration.
const LONGEST_FIELD: usize = 500;

/// What the API stands on.
pub(super) struct Desk {
    pub gate: Gate,
    store: Store,
    /// The words of the catalog of a generation.
    index: Mutex<Option<(u64, Arc<SearchIndex>)>>,
}

impl Desk {
    pub(super) fn new(gate: Gate, store: Store) -> Self {
        Self { gate, store, index: Mutex::new(None) }
    }

    /// The last runs of a product's contract, the latest first. Without the store the rest is still told.
    async fn runs(&self, product: &ProductId) -> Vec<Validation> {
        history::last(&self.store, product, score::RUNS).await.unwrap_or_else(|error| {
            tracing::error!(%error, "the history of contracts cannot be read");
            Vec::new()
        })
    }

    /// Made once a generation. Takes a while with thousands of products.
    fn index(&self, snapshot: &Snapshot) -> Arc<SearchIndex> {
        let generation = snapshot.generation();
        let mut known = self.index.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((of, index)) = &*known
            && *of == generation
        {
            return Arc::clone(index);
        }
        let index = Arc::new(SearchIndex::new(&snapshot.parts.catalog));
        *known = Some((generation, Arc::clone(&index)));
        index
    }
}

impl Reader {
    /// Whether this product exists for who asks. Nobody in particular sees what every role may know of: logging out shows
    /// nothing more.
    fn sees(&self, product: &Product) -> bool {
        match &self.subject {
            Some(subject) => !matches!(self.snapshot.access(subject, product, today()), Access::Hidden),
            None => self
                .snapshot
                .parts
                .policy
                .roles
                .values()
                .all(|role| role.discover.iter().chain(&role.products).any(|pattern| pattern.matches(&product.id))),
        }
    }

    /// Whether who asks may query it.
    fn queries(&self, product: &Product) -> Option<bool> {
        let subject = self.subject.as_ref()?;
        Some(matches!(self.snapshot.access(subject, product, today()), Access::Granted(_)))
    }
}

/// `GET /v1/catalog/search`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct SearchQuery {
    q: String,
    domain: Option<String>,
    tag: Option<String>,
    owner: Option<String>,
    status: Option<String>,
    pii: Option<bool>,
    limit: Option<usize>,
    offset: Option<usize>,
}

#[derive(Debug, Serialize)]
struct SearchAnswer {
    /// All that fit, not those of this page.
    count: usize,
    products: Vec<Summary>,
    facets: Facets,
}

/// How many of those that fit have a value.
#[derive(Debug, Default, Serialize)]
struct Facets {
    domain: BTreeMap<String, usize>,
    tag: BTreeMap<String, usize>,
    owner: BTreeMap<String, usize>,
    status: BTreeMap<&'static str, usize>,
}

#[derive(Debug, Serialize)]
struct Summary {
    id: String,
    domain: String,
    name: String,
    description: String,
    owner: OwnerOut,
    sla: SlaOut,
    tags: Vec<String>,
    version: u32,
    status: &'static str,
    /// Whether who asks may query it; absent for nobody in particular.
    #[serde(skip_serializing_if = "Option::is_none")]
    granted: Option<bool>,
    last_validated: Option<String>,
    quality_score: Option<u8>,
}

/// One run. Messages and values may speak of rows that a role does not see: they are left to who owns the product.
#[derive(Debug, Serialize)]
struct ValidationOut {
    at: String,
    version: u32,
    passed: bool,
    duration_ms: u64,
    checks: Vec<CheckOut>,
}

#[derive(Debug, Serialize)]
struct CheckOut {
    name: String,
    r#type: &'static str,
    severity: &'static str,
    passed: bool,
}

#[derive(Debug, Serialize)]
struct ConsumerOut {
    team: String,
    use_case: String,
    contact: String,
    registered_at: String,
}

/// `POST /v1/catalog/products/{id}/consumers`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Registration {
    team: String,
    use_case: String,
    contact: String,
}

#[derive(Debug, Serialize)]
struct OwnerOut {
    team: String,
    contact: String,
    slack_channel: Option<String>,
}

#[derive(Debug, Serialize)]
struct SlaOut {
    freshness: Option<String>,
    availability: Option<f64>,
    query_latency_p95_ms: Option<u64>,
}

#[derive(Debug, Serialize)]
struct Detail {
    #[serde(flatten)]
    summary: Summary,
    /// What SQL calls it.
    relation: String,
    warehouse: String,
    published_at: Option<String>,
    deprecation: Option<DeprecationOut>,
    columns: Vec<ColumnOut>,
    /// The last runs of its contract, the latest first.
    validations: Vec<ValidationOut>,
    consumers: Vec<ConsumerOut>,
}

#[derive(Debug, Serialize)]
struct DeprecationOut {
    replaced_by: Option<String>,
    sunset: Option<String>,
    message: Option<String>,
}

#[derive(Debug, Serialize)]
struct ColumnOut {
    column: String,
    r#type: &'static str,
    description: String,
    pii: bool,
    nullable: bool,
}

#[derive(Debug, Serialize)]
struct DomainOut {
    domain: String,
    product_count: usize,
}

pub(super) async fn search(
    State(desk): State<Arc<Desk>>,
    Extension(connection): Extension<Connection>,
    headers: HeaderMap,
    query: Result<Query<SearchQuery>, axum::extract::rejection::QueryRejection>,
) -> Result<Response, Problem> {
    let reader = desk.gate.admit(&headers, connection).await?;
    let Query(query) = query.map_err(|rejection| Problem::bad(rejection.body_text()))?;
    let status = query.status.as_deref().map(status_of).transpose()?;
    // It may take milliseconds, which are not those of whose rows are relayed.
    let searching = Arc::clone(&desk);
    let found = tokio::task::spawn_blocking(move || {
        let index = searching.index(&reader.snapshot);
        find(&reader, &index, &query, status)
    });
    let mut answer = found.await.map_err(|_| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "The search failed."))?;
    for product in &mut answer.products {
        if let Some(id) = ProductId::parse(&product.id) {
            product.judge(&desk.runs(&id).await);
        }
    }
    told(&headers, &answer)
}

fn find(reader: &Reader, index: &SearchIndex, query: &SearchQuery, status: Option<Status>) -> SearchAnswer {
    let same = |wanted: &Option<String>, value: &str| {
        wanted.as_ref().is_none_or(|wanted| wanted.to_lowercase() == value.to_lowercase())
    };
    let mut facets = Facets::default();
    let mut found = Vec::new();
    for hit in index.search(&query.q) {
        let product = hit.product;
        let fits = same(&query.domain, product.id.domain().as_str())
            && same(&query.owner, &product.owner.team)
            && query.tag.as_ref().is_none_or(|_| product.tags.iter().any(|tag| same(&query.tag, tag)))
            && status.is_none_or(|status| status == product.status)
            && query.pii.is_none_or(|pii| pii == product.columns.iter().any(|column| column.pii == Pii::Yes));
        if !fits || !reader.sees(&product) {
            continue;
        }
        *facets.domain.entry(product.id.domain().to_string()).or_default() += 1;
        *facets.owner.entry(product.owner.team.clone()).or_default() += 1;
        *facets.status.entry(status_name(product.status)).or_default() += 1;
        for tag in &product.tags {
            *facets.tag.entry(tag.clone()).or_default() += 1;
        }
        found.push(product);
    }
    let limit = query.limit.unwrap_or(PAGE).min(LARGEST_PAGE);
    let page = found.iter().skip(query.offset.unwrap_or(0)).take(limit);
    SearchAnswer { count: found.len(), products: page.map(|product| summary(reader, product)).collect(), facets }
}

pub(super) async fn product(
    State(desk): State<Arc<Desk>>,
    Extension(connection): Extension<Connection>,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let reader = desk.gate.admit(&headers, connection).await?;
    let found = ProductId::parse(&id).and_then(|id| reader.snapshot.parts.catalog.get(&id).cloned());
    let product = found.filter(|product| reader.sees(product)).ok_or_else(no_such_product)?;
    let runs = desk.runs(&product.id).await;
    let consumers = desk.store.consumers(&product.id, MOST_CONSUMERS).await.map_err(|error| unkept(&error))?;
    let column = |column: &crate::catalog::Column| ColumnOut {
        column: column.name.clone(),
        r#type: type_name(column.contract_type),
        description: column.description.clone(),
        pii: column.pii == Pii::Yes,
        nullable: column.nullable,
    };
    let mut summary = summary(&reader, &product);
    summary.judge(&runs);
    let detail = Detail {
        summary,
        relation: product.id.to_string(),
        warehouse: product.warehouse.to_string(),
        published_at: product.published_at.map(|at| at.to_string()),
        deprecation: product.deprecation.as_ref().map(|deprecation| DeprecationOut {
            replaced_by: deprecation.replaced_by.as_ref().map(ToString::to_string),
            sunset: deprecation.sunset.map(|day| day.to_string()),
            message: deprecation.message.clone(),
        }),
        columns: product.columns.iter().map(column).collect(),
        validations: runs.iter().map(validation).collect(),
        consumers: consumers.into_iter().map(consumer).collect(),
    };
    told(&headers, &detail)
}

pub(super) async fn register(
    State(desk): State<Arc<Desk>>,
    Extension(connection): Extension<Connection>,
    headers: HeaderMap,
    Path(id): Path<String>,
    body: Result<Json<Registration>, axum::extract::rejection::JsonRejection>,
) -> Result<Response, Problem> {
    let reader = desk.gate.admit(&headers, connection).await?;
    let Some(subject) = &reader.subject else {
        return Err(Problem::unauthorized("Log in to register: a contact has to be somebody's."));
    };
    let found = ProductId::parse(&id).and_then(|id| reader.snapshot.parts.catalog.get(&id).cloned());
    let product = found.filter(|product| reader.sees(product)).ok_or_else(no_such_product)?;
    let Json(given) = body.map_err(|rejection| Problem::new(rejection.status(), rejection.body_text()))?;
    let field = |name: &str, text: &str| {
        let text = text.trim();
        match text.chars().count() {
            0 => Err(Problem::bad(format!("{name} is empty."))),
            n if n > LONGEST_FIELD => Err(Problem::bad(format!("{name} is longer than {LONGEST_FIELD} characters."))),
            _ if text.chars().any(char::is_control) => Err(Problem::bad(format!("{name} holds a control character."))),
            _ => Ok(text.to_owned()),
        }
    };
    let consumer = Consumer {
        team: field("team", &given.team)?,
        use_case: field("use_case", &given.use_case)?,
        contact: field("contact", &given.contact)?,
        registered_by: subject.user.clone(),
        registered_at: jiff::Timestamp::now().to_string(),
    };
    if desk.store.count_consumers(&product.id).await.map_err(|error| unkept(&error))? >= MOST_CONSUMERS {
        return Err(Problem::new(
            StatusCode::CONFLICT,
            format!("{} has {MOST_CONSUMERS} registered consumers, and no room for more.", product.id),
        ));
    }
    tracing::info!(product = %product.id, user = %subject.user, team = consumer.team, "a consumer is registered");
    desk.store.register_consumer(&product.id, consumer).await.map_err(|error| unkept(&error))?;
    Ok((StatusCode::CREATED, Json(serde_json::json!({ "registered": true }))).into_response())
}

fn no_such_product() -> Problem {
    Problem::new(
        StatusCode::NOT_FOUND,
        "There is no such product; /v1/catalog/search?q= finds those that you may know of.",
    )
}

fn unkept(error: &StateError) -> Problem {
    tracing::error!(%error, "consumers cannot be read or kept");
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "pgveil cannot reach its own store now; try again in a while.")
}

pub(super) async fn domains(
    State(desk): State<Arc<Desk>>,
    Extension(connection): Extension<Connection>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let reader = desk.gate.admit(&headers, connection).await?;
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for product in reader.snapshot.parts.catalog.iter().filter(|product| reader.sees(product)) {
        *counts.entry(product.id.domain().to_string()).or_default() += 1;
    }
    let domains: Vec<DomainOut> =
        counts.into_iter().map(|(domain, product_count)| DomainOut { domain, product_count }).collect();
    told(&headers, &domains)
}

fn summary(reader: &Reader, product: &Product) -> Summary {
    Summary {
        id: product.id.to_string(),
        domain: product.id.domain().to_string(),
        name: product.name.clone(),
        description: product.description.clone(),
        owner: OwnerOut {
            team: product.owner.team.clone(),
            contact: product.owner.contact.clone(),
            slack_channel: product.owner.slack_channel.clone(),
        },
        sla: SlaOut {
            freshness: product.sla.freshness.map(duration_text),
            availability: product.sla.availability,
            query_latency_p95_ms: product.sla.query_latency_p95_ms,
        },
        tags: product.tags.clone(),
        version: product.version,
        status: status_name(product.status),
        granted: reader.queries(product),
        last_validated: None,
        quality_score: None,
    }
}

impl Summary {
    /// By the last runs of its contract.
    fn judge(&mut self, runs: &[Validation]) {
        self.last_validated = runs.first().map(|run| run.started_at.to_string());
        self.quality_score = product_score(runs);
    }
}

fn validation(run: &Validation) -> ValidationOut {
    ValidationOut {
        at: run.started_at.to_string(),
        version: run.version,
        passed: run.passed,
        duration_ms: run.duration_ms,
        checks: run
            .checks
            .iter()
            .map(|check| CheckOut {
                name: check.name.clone(),
                r#type: check.kind.label(),
                severity: check.severity.label(),
                passed: check.passed,
            })
            .collect(),
    }
}

fn consumer(consumer: Consumer) -> ConsumerOut {
    let Consumer { team, use_case, contact, registered_by: _, registered_at } = consumer;
    ConsumerOut { team, use_case, contact, registered_at }
}

fn status_name(status: Status) -> &'static str {
    match status {
        Status::Draft => "draft",
        Status::Published => "published",
        Status::Deprecated => "deprecated",
    }
}

fn status_of(name: &str) -> Result<Status, Problem> {
    match name {
        "draft" => Ok(Status::Draft),
        "published" => Ok(Status::Published),
        "deprecated" => Ok(Status::Deprecated),
        _ => Err(Problem::bad("status is draft, published or deprecated.")),
    }
}

fn type_name(contract_type: ContractType) -> &'static str {
    match contract_type {
        ContractType::String => "string",
        ContractType::Integer => "integer",
        ContractType::Float => "float",
        ContractType::Boolean => "boolean",
        ContractType::Timestamp => "timestamp",
        ContractType::Json => "json",
        ContractType::Array => "array",
        ContractType::Decimal => "decimal",
        ContractType::Date => "date",
        ContractType::Time => "time",
        ContractType::Uuid => "uuid",
        ContractType::Bytes => "bytes",
        ContractType::Interval => "interval",
    }
}

/// As JSON with an ETag; 304 where the one who asks has the same already.
fn told(headers: &HeaderMap, answer: &impl Serialize) -> Result<Response, Problem> {
    let broken = |_| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "The answer could not be written.");
    let body = serde_json::to_vec(answer).map_err(broken)?;
    let tag = format!("\"{}\"", crate::hex::text(Sha256::digest(&body)));
    let known = headers
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|one| matches!(one.trim().trim_start_matches("W/"), one if one == "*" || one == tag));
    let mut response = if known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        ([(header::CONTENT_TYPE, "application/json")], body).into_response()
    };
    let headers = response.headers_mut();
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        headers.insert(header::ETAG, tag);
    }
    // It is for who asked, and may be another answer at the next moment.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    headers.insert(header::VARY, HeaderValue::from_static("Authorization"));
    Ok(response)
}
