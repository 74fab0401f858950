//! A configuration over a database of a case's own, and the command that is run with it.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::Value;

use super::postgres::TestPostgres;

pub struct Shop {
    dir: tempfile::TempDir,
}

/// What the command did.
pub struct Ran {
    pub out: String,
    pub err: String,
    pub code: i32,
}

impl Ran {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|e| panic!("{e}\n{}\n{}", self.out, self.err))
    }
    /// The one validation of it.
    pub fn only(&self) -> Value {
        let validations = self.json()["validations"].as_array().unwrap().clone();
        assert_eq!(validations.len(), 1, "{}", self.out);
        validations[0].clone()
    }
}

/// The outcome of a check of this name.
pub fn check<'v>(validation: &'v Value, name: &str) -> &'v Value {
    let checks = validation["checks"].as_array().unwrap();
    checks.iter().find(|check| check["name"] == name).unwrap_or_else(|| panic!("no check {name}: {validation:#}"))
}

/// Passed, ran, message: what most cases look at.
pub fn told(validation: &Value, name: &str) -> (bool, bool, String) {
    let check = check(validation, name);
    let flag = |key: &str| check[key].as_bool().unwrap();
    (flag("passed"), flag("ran"), check["message"].as_str().unwrap().to_owned())
}

impl Shop {
    /// Creates the database, runs the SQL in it as its owner, and grants the account all tables unless the SQL did otherwise.
    pub fn new(server: &TestPostgres, database: &str, sql: &str) -> Self {
        server.sql("postgres", &format!("CREATE DATABASE {database}"));
        server.sql(database, sql);
        let shop = Self { dir: tempfile::tempdir().unwrap() };
        fs::create_dir(shop.dir.path().join("catalog")).unwrap();
        let dsn = server.dsn_of("pgveil", Some("account"), database);
        shop.write("pgveil.toml", &format!("[warehouses.w]\ndsn = \"{dsn}\"\n"));
        shop.write("policy.toml", "[roles.analyst]\nproducts = [\"*\"]\n");
        shop
    }
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }
    pub fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }
    pub fn append(&self, name: &str, text: &str) {
        let before = fs::read_to_string(self.path(name)).unwrap();
        self.write(name, &(before + text));
    }
    /// A published product; `rest` is what follows [owner].
    pub fn product(&self, id: &str, relation: &str, rest: &str) {
        let (domain, name) = id.split_once('.').unwrap();
        let text = format!(
            "id = \"{id}\"\ndomain = \"{domain}\"\nname = \"N\"\ndescription = \"D\"\nversion = 1\nstatus = \"published\"\n\
             relation = \"{relation}\"\n[owner]\nteam = \"T\"\ncontact = \"t@example.com\"\n{rest}"
        );
        self.write(&format!("catalog/{domain}_{name}.toml"), &text);
    }
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pgveil"));
        command.args(args).args(["--config"]).arg(self.path("pgveil.toml")).stdin(Stdio::null());
        command
    }
    pub fn run(&self, args: &[&str]) -> Ran {
        let output = self.command(&[&["contract", "run"], args].concat()).output().unwrap();
        Ran {
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
            code: output.status.code().expect("an exit code"),
        }
    }
    pub fn run_json(&self) -> Ran {
        self.run(&["--format", "json"])
    }
}

/// `[[schema]]` entries, each `NAME TYPE [!]`: with a `!` not nullable.
pub fn columns(columns: &[&str]) -> String {
    let entry = |column: &&str| {
        let mut words = column.split(' ');
        let (name, kind) = (words.next().unwrap(), words.next().unwrap());
        let nullable = words.next() != Some("!");
        format!("[[schema]]\ncolumn = '{name}'\ntype = \"{kind}\"\nnullable = {nullable}\n")
    };
    columns.iter().map(entry).collect()
}

/// One `[[quality_checks]]`, of severity error.
pub fn quality(name: &str, kind: &str, rest: &str) -> String {
    format!("[[quality_checks]]\nname = \"{name}\"\ntype = \"{kind}\"\n{rest}\n")
}
