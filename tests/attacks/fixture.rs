//! A warehouse full of markers, and pgveil in front of it.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use pgveil::demo::postgres::{LocalPostgres, LocalPostgresOptions};

use crate::canaries::{self, Marker};
use crate::common::proxy::{Proxy, SUPERUSER_PASSWORD, Warehouse};
use crate::common::wire::{Answer, Wire};

/// The database, at pgveil and in the warehouse.
pub const DATABASE: &str = "attack";
/// Long, and marked like everything that is hidden.
const HASH_KEY: &str = "qzkv-mask-key-0123456789abcdef0123456789abcdef";
const ACCOUNT_PASSWORD: &str = "qzkv-account";

/// Where the suite's files lie.
pub fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/attacks")
}

/// What the classes share.
pub struct Fixture {
    pub proxy: Proxy,
    pub markers: Vec<Marker>,
    pub warehouse: Warehouse,
    superuser: Mutex<Wire>,
}

impl Fixture {
    /// Starts both.
    pub fn start() -> Self {
        let options = LocalPostgresOptions { password: Some(SUPERUSER_PASSWORD.into()), ..Default::default() };
        let server = LocalPostgres::start(options).expect("a private PostgreSQL");
        let warehouse = Warehouse { server, account_password: ACCOUNT_PASSWORD.to_owned() };
        succeed(&mut warehouse.superuser("postgres"), &format!("CREATE DATABASE {DATABASE}"));
        let mut superuser = warehouse.superuser(DATABASE);
        let schema = std::fs::read_to_string(directory().join("warehouse.sql")).unwrap();
        // VACUUM does not run beside other statements.
        let (schema, vacuum) = schema.trim_end().rsplit_once('\n').unwrap();
        succeed(&mut superuser, schema);
        succeed(&mut superuser, vacuum);
        let proxy = Self::proxy(&warehouse);
        let markers = canaries::markers(HASH_KEY);
        Self { proxy, markers, warehouse, superuser: Mutex::new(superuser) }
    }

    /// Another pgveil on the same warehouse, for what changes files.
    pub fn proxy(warehouse: &Warehouse) -> Proxy {
        Proxy::start(warehouse, |dir| {
            std::fs::write(dir.join("secrets/hash.key"), HASH_KEY).unwrap();
            std::fs::copy(directory().join("policy.toml"), dir.join("policy.toml")).unwrap();
            let catalog = dir.join("catalog");
            std::fs::remove_dir_all(&catalog).unwrap();
            std::fs::create_dir(&catalog).unwrap();
            for file in std::fs::read_dir(directory().join("catalog")).unwrap() {
                let path = file.unwrap().path();
                std::fs::copy(&path, catalog.join(path.file_name().unwrap())).unwrap();
            }
            let config = dir.join("pgveil.toml");
            let text = std::fs::read_to_string(&config).unwrap();
            let text = text
                .replace("[warehouses.warehouse]", &format!("[warehouses.{DATABASE}]"))
                .replace("/warehouse?", &format!("/{DATABASE}?"));
            std::fs::write(config, text).unwrap();
        })
    }

    /// Runs SQL past pgveil.
    pub fn sql(&self, sql: &str) {
        succeed(&mut self.superuser.lock().unwrap(), sql);
    }
}

fn succeed(wire: &mut Wire, sql: &str) {
    let failed = wire.simple(sql).into_iter().find_map(|a| a.error);
    assert!(failed.is_none(), "{failed:?}");
}

/// The password of a user of the suite's policy.
pub fn password(user: &str) -> &'static str {
    match user {
        "analyst" | "nobody" => "analyst-demo",
        "boss" => "admin-demo",
        _ => "manager-demo",
    }
}

/// Logs in.
pub fn login(proxy: &Proxy, user: &str, parameters: &[(&str, &str)]) -> Result<Wire, Box<Answer>> {
    Wire::connect(proxy.port, user, password(user), DATABASE, parameters)
}

/// The generation that serves, from the metrics.
pub fn generation(proxy: &Proxy) -> u64 {
    let metrics = proxy.http("/metrics").expect("the metrics");
    let line = metrics.lines().find(|l| l.starts_with("pgveil_generation ")).expect("the generation");
    line.rsplit(' ').next().unwrap().parse().unwrap()
}

/// Replaces a text in a file of pgveil's and waits until the new files serve.
pub fn edit(proxy: &Proxy, file: &str, from: &str, to: &str) -> Result<(), String> {
    let path = proxy.files.dir().join(file);
    let text = std::fs::read_to_string(&path).map_err(|e| format!("{file}: {e}"))?;
    if !text.contains(from) {
        return Err(format!("{file} does not hold {from:?}"));
    }
    let before = generation(proxy);
    let next = proxy.files.dir().join("next.tmp");
    std::fs::write(&next, text.replace(from, to)).unwrap();
    std::fs::rename(next, path).unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    while generation(proxy) == before {
        if Instant::now() > deadline {
            return Err(format!("the edit of {file} did not take effect:\n{}", proxy.log()));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}
