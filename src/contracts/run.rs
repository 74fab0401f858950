//! Runs a product's plan: one READ ONLY transaction on a connection of its own, within one time limit.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use tokio::time::timeout;
use tokio_postgres::{Client, SimpleQueryMessage};

use crate::catalog::{CheckKind, Product};
use crate::config::WarehouseConfig;
use crate::govern::facts::RelationFacts;
use crate::names::WarehouseName;
use crate::upstream::facts;

use super::custom::Domains;
use super::judge::{self, Answer, Answers};
use super::links::{Link, Links};
use super::measure::Measure;
use super::plan::{Plan, Way};
use super::reasons::Failure;
use super::validation::Validation;

/// A warehouse that does not even say that the time is over is given up this long after.
const SILENCE: Duration = Duration::from_secs(10);

/// Runs contracts.
pub struct Validator {
    links: Links,
    limit: Duration,
}

impl Validator {
    /// At most `connections` to each warehouse; one product's run takes no longer than `limit`.
    pub fn new(warehouses: &BTreeMap<WarehouseName, WarehouseConfig>, connections: usize, limit: Duration) -> Self {
        Self { links: Links::new(warehouses, connections), limit }
    }

    /// Runs every check of the product once. Whatever goes wrong is an outcome of the checks.
    pub async fn validate(&self, product: &Product, domains: &Domains) -> Validation {
        let link = self.links.take(&product.warehouse, self.limit).await;
        // Waiting for one's turn is no part of the run.
        let (started_at, begun) = (Timestamp::now(), Instant::now());
        let judged = match link {
            Err(reason) => judge::unreachable(product, &reason),
            Ok(link) => self.on(link, product, domains).await,
        };
        judged.validation(product, started_at, begun.elapsed())
    }

    async fn on(&self, link: Link, product: &Product, domains: &Domains) -> judge::Judged {
        let relations = [product.relation.clone()];
        let read = facts::read_with(link.client(), &relations);
        let facts: Option<RelationFacts> = match timeout(self.limit + SILENCE, read).await {
            Ok(Ok(mut found)) => found.pop().map(|(_, facts)| facts),
            Ok(Err(error)) => return judge::unreachable(product, &error.to_string()),
            Err(_) => return judge::unreachable(product, "the warehouse does not answer"),
        };
        let differences = super::schema::compare(product, facts.as_ref(), &link.warehouse().extension_schemas);
        let Some(facts) = facts else { return judge::without_relation(product, differences) };
        let plan = Plan::new(product, &facts);
        let mut run = Run { link: &link, deadline: Instant::now() + self.limit, limit: self.limit, lost: None };
        let answers = run.answers(&plan, product, domains).await;
        if run.lost.is_none() {
            link.give_back();
        }
        judge::judge(product, &plan, differences, answers)
    }
}

struct Run<'l> {
    link: &'l Link,
    deadline: Instant,
    limit: Duration,
    /// The connection is gone, for this reason.
    lost: Option<Failure>,
}

/// What a statement said: the text of each column of its first row.
type Row = Vec<Option<String>>;

impl Run<'_> {
    async fn answers(&mut self, plan: &Plan, product: &Product, domains: &Domains) -> Answers {
        let begun = self.begin().await;
        let mut answers = Answers { measures: self.scan(plan, begun).await, ways: Vec::new() };
        for (way, check) in plan.ways.iter().zip(&product.checks) {
            let answer = match way {
                Way::Scan(_) | Way::KeyOfTheWarehouse | Way::Not(_) => None,
                Way::Keys(sql) => Some(self.ask(sql, begun).await),
                Way::Custom(sql) => {
                    debug_assert!(
                        matches!(check.kind, CheckKind::CustomSql { .. }),
                        "only these have SQL of their own"
                    );
                    let today = Timestamp::now().to_zoned(TimeZone::UTC).date();
                    Some(match domains.permit(product, sql, today) {
                        Ok(permit) => self.ask(&permit.sql, begun).await,
                        Err(reason) => Answer { said: Err(reason), took: Duration::ZERO },
                    })
                }
            };
            answers.ways.push(answer);
        }
        if self.lost.is_none() {
            self.end().await;
        }
        answers
    }

    /// The combined scan; when it fails, each measure by itself tells which one cannot be had.
    async fn scan(&mut self, plan: &Plan, begun: Result<(), Failure>) -> Vec<Answer> {
        let began = Instant::now();
        let asked = match begun {
            Ok(()) => self.query(&plan.scan(&plan.measures)).await,
            Err(failure) => Err(failure),
        };
        let took = began.elapsed();
        let failure = match asked {
            Ok(row) => {
                let mut columns = row.into_iter();
                let next = |_: &Measure| Answer { said: Ok(vec![columns.next().flatten()]), took };
                return plan.measures.iter().map(next).collect();
            }
            Err(failure) => failure,
        };
        let mut answers = Vec::with_capacity(plan.measures.len());
        for measure in &plan.measures {
            let pointless = plan.measures.len() == 1 || failure.is_timeout() || self.lost.is_some() || begun.is_err();
            answers.push(if pointless {
                Answer { said: Err(failure.reason(self.limit)), took }
            } else {
                self.ask(&plan.scan(std::slice::from_ref(measure)), begun).await
            });
        }
        answers
    }

    async fn ask(&mut self, sql: &str, begun: Result<(), Failure>) -> Answer {
        let began = Instant::now();
        let asked = match begun {
            Ok(()) => self.query(sql).await,
            Err(failure) => Err(failure),
        };
        Answer { said: asked.map_err(|failure| failure.reason(self.limit)), took: began.elapsed() }
    }

    /// One snapshot of the data for all checks. What checks cost is bounded: no parallel workers are taken from others.
    async fn begin(&mut self) -> Result<(), Failure> {
        let sql = format!(
            "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL search_path = {}; \
             SET LOCAL max_parallel_workers_per_gather = 0; SET LOCAL \"TimeZone\" = 'UTC'; \
             SET LOCAL \"DateStyle\" = 'ISO, YMD'; SET LOCAL extra_float_digits = 1; \
             SET LOCAL standard_conforming_strings = on",
            self.link.warehouse().search_path
        );
        let client: &Client = self.link.client();
        self.within(SILENCE, client.batch_execute(&sql)).await
    }

    async fn end(&mut self) {
        let client: &Client = self.link.client();
        // A connection that stays in a transaction is of no use to the next.
        if self.within(SILENCE, client.batch_execute("ROLLBACK")).await.is_err() {
            self.lost = Some(Failure::Lost);
        }
    }

    /// One statement behind a savepoint, so that its failure ends nothing but itself.
    async fn query(&mut self, sql: &str) -> Result<Row, Failure> {
        if let Some(failure) = self.lost {
            return Err(failure);
        }
        let left = self.deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
        let client: &Client = self.link.client();
        let before = format!("SAVEPOINT pgveil_check; SET LOCAL statement_timeout = {}", left.as_millis());
        self.within(SILENCE, client.batch_execute(&before)).await?;
        let answer = self.within(left + SILENCE, client.simple_query(sql)).await;
        if answer.is_err() && self.lost.is_none() {
            self.within(SILENCE, client.batch_execute("ROLLBACK TO SAVEPOINT pgveil_check")).await?;
        }
        Ok(first_row(&answer?))
    }

    async fn within<T>(
        &mut self,
        limit: Duration,
        work: impl Future<Output = Result<T, tokio_postgres::Error>>,
    ) -> Result<T, Failure> {
        let failure = match timeout(limit, work).await {
            Ok(Ok(done)) => return Ok(done),
            Ok(Err(error)) => Failure::of(&error),
            Err(_) => Failure::Lost,
        };
        if failure.is_lost() {
            self.lost = Some(failure);
        }
        Err(failure)
    }
}

fn first_row(answer: &[SimpleQueryMessage]) -> Row {
    let row = answer.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some(row),
        _ => None,
    });
    row.map(|row| (0..row.len()).map(|n| row.get(n).map(str::to_owned)).collect()).unwrap_or_default()
}
