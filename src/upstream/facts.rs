//! Warehouse facts: what the relations behind products look like, read in one statement.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::task::JoinSet;

use crate::catalog::Catalog;
use crate::config::WarehouseConfig;
use crate::govern::facts::{Facts, RelationFacts};
use crate::introspect::{self, SystemRelation};
use crate::names::{RelationName, WarehouseName};

use super::connect::{ConnectError, Target};
use super::control_plane;

/// How long reading them may take.
const LIMIT: Duration = Duration::from_secs(30);

/// Why there are no facts of a warehouse. For operators; it holds no secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FactsError {
    /// The DSN is wrong.
    #[error("{0}")]
    Dsn(String),
    /// The warehouse is not there, or does not let pgveil in.
    #[error("{0}")]
    Connect(#[from] ConnectError),
    /// It is there, but the system catalogs could not be read.
    #[error("the system catalogs cannot be read: {0}")]
    Read(String),
}

impl From<tokio_postgres::Error> for FactsError {
    fn from(error: tokio_postgres::Error) -> Self {
        // Only pgveil's own statements over system catalogs run here: the message speaks of nothing else.
        Self::Read(
            error
                .as_db_error()
                .map_or_else(|| error.to_string(), |db| format!("{} ({})", db.message(), db.code().code())),
        )
    }
}

/// Reads the facts of these relations; one that does not exist is absent.
pub async fn read(
    target: &Target,
    relations: &[RelationName],
) -> Result<Vec<(RelationName, RelationFacts)>, FactsError> {
    let client = control_plane::connect(target, LIMIT).await?;
    read_with(&client, relations).await
}

/// [`read`] over a connection of [`control_plane::connect`].
pub async fn read_with(
    client: &tokio_postgres::Client,
    relations: &[RelationName],
) -> Result<Vec<(RelationName, RelationFacts)>, FactsError> {
    let schemas: Vec<&str> = relations.iter().map(|relation| relation.schema.as_str()).collect();
    let names: Vec<&str> = relations.iter().map(|relation| relation.name.as_str()).collect();
    let rows = client.query(include_str!("facts.sql"), &[&schemas, &names]).await?;
    rows.iter()
        .map(|row| {
            let name = RelationName { schema: row.try_get(0)?, name: row.try_get(1)? };
            let facts = serde_json::from_str(row.try_get(2)?).map_err(|error| FactsError::Read(error.to_string()))?;
            Ok((name, facts))
        })
        .collect()
}

/// Reads the facts of every product's relation (drafts included), warehouse by warehouse. A warehouse that fails is named
/// with its error and absent from the facts: keep what was known of it.
pub async fn read_all(
    warehouses: &BTreeMap<WarehouseName, WarehouseConfig>,
    catalog: &Catalog,
) -> (Facts, Vec<(WarehouseName, FactsError)>) {
    // All at once: one that does not answer holds the others up no longer than its own limit.
    let mut asked = JoinSet::new();
    for (name, config) in warehouses {
        let (name, config, relations) = (name.clone(), config.clone(), relations_of(catalog, name));
        asked.spawn(async move { (name, read_warehouse(&config, &relations).await) });
    }
    let mut facts = Facts::default();
    let mut failures = Vec::new();
    while let Some(Ok((name, answer))) = asked.join_next().await {
        match answer {
            Ok((relations, system)) => {
                facts.relations.insert(name.clone(), relations);
                facts.system.insert(name, system);
            }
            Err(error) => failures.push((name, error)),
        }
    }
    failures.sort_by(|(a, _), (b, _)| a.cmp(b));
    (facts, failures)
}

async fn read_warehouse(
    config: &WarehouseConfig,
    relations: &[RelationName],
) -> Result<(Vec<(RelationName, RelationFacts)>, Vec<SystemRelation>), FactsError> {
    let target = Target::new(config, Vec::new()).map_err(FactsError::Dsn)?;
    let client = control_plane::connect(&target, LIMIT).await?;
    Ok((read_with(&client, relations).await?, read_system(&client).await?))
}

/// The columns of the system relations that are governed, in this warehouse's own version.
pub async fn read_system(client: &tokio_postgres::Client) -> Result<Vec<SystemRelation>, FactsError> {
    let (schemas, names): (Vec<&str>, Vec<&str>) = introspect::governed().unzip();
    let rows = client.query(include_str!("system.sql"), &[&schemas, &names]).await?;
    rows.iter()
        .map(|row| serde_json::from_str(row.try_get(0)?).map_err(|error| FactsError::Read(error.to_string())))
        .collect()
}

/// The relations of a warehouse that products lie in, each once.
pub fn relations_of(catalog: &Catalog, warehouse: &WarehouseName) -> Vec<RelationName> {
    let relations: BTreeSet<&RelationName> =
        catalog.iter().filter(|product| product.warehouse == *warehouse).map(|product| &product.relation).collect();
    relations.into_iter().cloned().collect()
}
