//! The stage: a server with the warehouses and the twins, a pgveil before each warehouse, and connections to all of them.

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use pgveil::demo::postgres::{LocalPostgres, LocalPostgresOptions, SUPERUSER};

use super::common::proxy::{HASH_KEY, Proxy, SUPERUSER_PASSWORD, Warehouse};
use super::common::wire::{Frame, Wire};
use super::grammar::{Statement, Way};
use super::schema::{POLICY, PRODUCTS};

/// The users, and which variant of the warehouse differs from the first in what each may not see.
pub const USERS: [(&str, usize); 3] = [("analyst", 1), ("manager", 2), ("both", 3)];
const PASSWORD: &str = "analyst-demo";

/// Everything that runs.
pub struct Stage {
    pub warehouse: Warehouse,
    /// One before each variant.
    pub veils: Vec<Proxy>,
}

fn run(wire: &mut Wire, what: &str, sql: &str) {
    let failed = wire.simple(sql).into_iter().find_map(|a| a.error);
    assert!(failed.is_none(), "{what}: {failed:?}");
}

fn read(file: &str) -> String {
    std::fs::read_to_string(Path::new("tests").join(file)).unwrap()
}

/// The stage that tests share while one of them is on it.
static SHARED: Mutex<Weak<Stage>> = Mutex::new(Weak::new());

impl Stage {
    /// The stage; it ends with the last test that holds it.
    pub fn shared() -> Arc<Self> {
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        shared.upgrade().unwrap_or_else(|| {
            let stage = Arc::new(Self::new());
            *shared = Arc::downgrade(&stage);
            stage
        })
    }

    fn new() -> Self {
        let settings = [("autovacuum", "off"), ("jit", "off"), ("max_connections", "150"), ("fsync", "off")];
        let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        let options =
            LocalPostgresOptions { password: Some(SUPERUSER_PASSWORD.into()), settings, ..Default::default() };
        let server = LocalPostgres::start(options).expect("a private PostgreSQL");
        let warehouse = Warehouse { server, account_password: "account-test".to_owned() };
        let mut postgres = warehouse.superuser("postgres");
        run(&mut postgres, "account", "CREATE ROLE pgveil LOGIN PASSWORD 'account-test'");
        run(&mut postgres, "base", "CREATE DATABASE base");
        let mood = "CREATE SCHEMA raw; CREATE TYPE raw.mood AS ENUM ('sad', 'ok', 'happy')";
        run(&mut warehouse.superuser("base"), "base", mood);
        for variant in 0..=USERS.len() {
            let name = if variant == 0 { "warehouse".to_owned() } else { format!("shadow{variant}") };
            run(&mut postgres, &name, &format!("CREATE DATABASE {name} TEMPLATE base"));
            let sql = read("generated/warehouse.sql").replace(":variant", &variant.to_string());
            run(&mut warehouse.superuser(&name), &name, &sql);
        }
        for (user, _) in USERS {
            let name = format!("twin_{user}");
            run(&mut postgres, &name, &format!("CREATE DATABASE {name} TEMPLATE warehouse"));
            run(&mut warehouse.superuser(&name), &name, &(read("twin/masks.sql") + &twin_sql(user)));
        }
        let veils = (0..=USERS.len()).map(|variant| veil(&warehouse, variant)).collect();
        Self { warehouse, veils }
    }

    /// Connections for a user.
    pub fn seat(&self, user: usize) -> Seat<'_> {
        Seat {
            user,
            veil: login(&self.veils[0], user),
            shadow: login(&self.veils[USERS[user].1], user),
            twin: self.twin(user),
            stage: self,
        }
    }

    fn twin(&self, user: usize) -> Wire {
        let settings = [("search_path", "shop,ops,public"), ("statement_timeout", "5min")];
        let database = format!("twin_{}", USERS[user].0);
        Wire::connect(self.warehouse.server.port(), SUPERUSER, SUPERUSER_PASSWORD, &database, &settings).unwrap()
    }
}

fn login(veil: &Proxy, user: usize) -> Wire {
    Wire::connect(veil.port, USERS[user].0, PASSWORD, "warehouse", &[]).unwrap_or_else(|e| panic!("{e:?}"))
}

/// The twin's script with the lines of one role.
fn twin_sql(role: &str) -> String {
    let mut sql = String::new();
    for line in read("generated/twin.sql").lines().filter(|line| !line.starts_with("--")) {
        match line.rsplit_once(" -- ") {
            Some((line, own)) if own == role => sql += line,
            Some(_) => continue,
            None => sql += line,
        }
        sql.push('\n');
    }
    for product in PRODUCTS {
        let (domain, name) = (product.domain, product.name);
        sql += &format!("CREATE VIEW public.{domain}_{name} AS SELECT * FROM {domain}.{name};\n");
    }
    sql.replace(":key", &format!("'{HASH_KEY}'"))
}

fn veil(warehouse: &Warehouse, variant: usize) -> Proxy {
    Proxy::start(warehouse, |dir| {
        let catalog = dir.join("catalog");
        std::fs::remove_dir_all(&catalog).unwrap();
        std::fs::create_dir(&catalog).unwrap();
        for product in PRODUCTS {
            std::fs::write(catalog.join(format!("{}_{}.toml", product.domain, product.name)), product.toml()).unwrap();
        }
        std::fs::write(dir.join("policy.toml"), POLICY).unwrap();
        // Nothing here is about time, however busy the machine is.
        let config = dir.join("pgveil.toml");
        let text = std::fs::read_to_string(&config).unwrap();
        let text = text.replacen("[server]\n", "[server]\nstartup_timeout = \"5m\"\n", 1);
        let text = text.replace("pool_size = 20\n", "pool_size = 20\nacquire_timeout = \"5m\"\n");
        let database = if variant == 0 { "warehouse".to_owned() } else { format!("shadow{variant}") };
        std::fs::write(config, text.replace("/warehouse?", &format!("/{database}?"))).unwrap();
    })
}

/// One user's connections.
pub struct Seat<'s> {
    pub user: usize,
    pub veil: Wire,
    pub shadow: Wire,
    pub twin: Wire,
    stage: &'s Stage,
}

impl Seat<'_> {
    /// New connections, after one was lost.
    pub fn again(&mut self) {
        let new = self.stage.seat(self.user);
        (self.veil, self.shadow, self.twin) = (new.veil, new.shadow, new.twin);
    }
}

/// Sends a statement in its way.
pub fn send(wire: &mut Wire, statement: &Statement) {
    let binary = statement.way == Way::Binary;
    if matches!(statement.way, Way::Extended | Way::Binary) {
        let parameters: Vec<Option<&str>> = statement.parameters.iter().map(|p| Some(p.as_str())).collect();
        wire.parse("", &statement.sql, &[]).bind("", "", &parameters, binary).describe(b'P', "").execute("", 0).sync();
    } else {
        wire.queue(|out| postgres_protocol::message::frontend::query(&statement.sql, out).unwrap()).flush();
    }
}

/// Everything that comes up to ReadyForQuery.
pub fn receive(wire: &mut Wire) -> io::Result<Vec<Frame>> {
    let mut frames = Vec::new();
    loop {
        let frame = wire.read()?;
        let ready = frame.tag == b'Z';
        frames.push(frame);
        if ready {
            return Ok(frames);
        }
    }
}
