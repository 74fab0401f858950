//! Connections for checks: a few for each warehouse, apart from those of the data path.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_postgres::Client;

use crate::config::WarehouseConfig;
use crate::names::{WarehouseName, quote_identifier};
use crate::upstream::connect::Target;
use crate::upstream::control_plane;

/// The connections of every warehouse.
pub(super) struct Links {
    warehouses: BTreeMap<WarehouseName, Arc<Warehouse>>,
}

pub(super) struct Warehouse {
    target: Result<Target, String>,
    /// `search_path` as SQL: where operators of extensions are found.
    pub(super) search_path: String,
    pub(super) extension_schemas: Vec<String>,
    slots: Arc<Semaphore>,
    idle: Mutex<Vec<Client>>,
}

/// A connection in use. It goes back when it is given back; else it is closed.
pub(super) struct Link {
    client: Client,
    warehouse: Arc<Warehouse>,
    _slot: OwnedSemaphorePermit,
}

impl Links {
    pub(super) fn new(warehouses: &BTreeMap<WarehouseName, WarehouseConfig>, most: usize) -> Self {
        let warehouse = |config: &WarehouseConfig| {
            let schemas = config.extension_schemas.iter().map(|schema| quote_identifier(schema));
            let search_path: Vec<String> = std::iter::once("pg_catalog".to_owned()).chain(schemas).collect();
            Arc::new(Warehouse {
                target: Target::new(config, Vec::new()),
                search_path: search_path.join(", "),
                extension_schemas: config.extension_schemas.clone(),
                slots: Arc::new(Semaphore::new(most.max(1))),
                idle: Mutex::default(),
            })
        };
        Self { warehouses: warehouses.iter().map(|(name, config)| (name.clone(), warehouse(config))).collect() }
    }

    /// A connection to the warehouse, as soon as one of its few is free. The error is a sentence for people.
    pub(super) async fn take(&self, name: &WarehouseName, limit: Duration) -> Result<Link, String> {
        let warehouse = self.warehouses.get(name).ok_or_else(|| format!("there is no warehouse \"{name}\""))?;
        let slot = Arc::clone(&warehouse.slots).acquire_owned().await.map_err(|_| "pgveil stops".to_owned())?;
        loop {
            let idle = warehouse.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            match idle {
                Some(client) if client.is_closed() => {}
                Some(client) => return Ok(Link { client, warehouse: Arc::clone(warehouse), _slot: slot }),
                None => break,
            }
        }
        let target = warehouse.target.as_ref().map_err(Clone::clone)?;
        let client = control_plane::connect(target, limit)
            .await
            .map_err(|error| format!("the warehouse \"{name}\" cannot be reached: {error}"))?;
        Ok(Link { client, warehouse: Arc::clone(warehouse), _slot: slot })
    }
}

impl Link {
    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    pub(super) fn warehouse(&self) -> &Warehouse {
        &self.warehouse
    }

    /// For the next one. Only a connection without an open transaction may go back.
    pub(super) fn give_back(self) {
        if !self.client.is_closed() {
            self.warehouse.idle.lock().unwrap_or_else(PoisonError::into_inner).push(self.client);
        }
    }
}
