//! What the demo writes into its directory: pgveil.toml, policy, catalog, certificate and secrets.

use std::fs;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use postgres_protocol::password::scram_sha_256;

/// A user of the demo.
#[derive(Clone, Copy, Debug)]
pub struct DemoUser {
    /// Login name and role.
    pub name: &'static str,
    /// Printed for everyone to see.
    pub password: &'static str,
    /// What the user sees.
    pub sees: &'static str,
}

/// Everyone who can log in.
pub const USERS: [DemoUser; 3] = [
    DemoUser { name: "analyst", password: "analyst-demo", sees: "masked PII, rows of the EU alone" },
    DemoUser { name: "manager", password: "manager-demo", sees: "masked PII but for a few columns, every region" },
    DemoUser { name: "admin", password: "admin-demo", sees: "everything, drafts too" },
];

macro_rules! catalog {
    ($($file:literal),* $(,)?) => { [$(($file, include_str!(concat!("../../config/demo/catalog/", $file)))),*] };
}

/// The product files, by their path below `catalog`.
pub(super) const CATALOG: [(&str, &str); 23] = catalog![
    "engineering/deployments.toml",
    "engineering/incidents.toml",
    "engineering/service_costs.toml",
    "finance/invoices.toml",
    "finance/orders.toml",
    "finance/refunds.toml",
    "finance/revenue_daily.toml",
    "finance/revenue_legacy.toml",
    "marketing/ad_spend.toml",
    "marketing/campaign_attribution.toml",
    "marketing/campaigns.toml",
    "marketing/email_sends.toml",
    "marketing/leads.toml",
    "ops/couriers.toml",
    "ops/inventory.toml",
    "ops/shipments.toml",
    "ops/support_tickets.toml",
    "ops/warehouse_capacity.toml",
    "product/events.toml",
    "product/experiments.toml",
    "product/feature_usage.toml",
    "product/funnel_daily.toml",
    "product/sessions.toml",
];
const POLICY: &str = include_str!("../../config/demo/policy.toml");

/// The demo's directory.
#[derive(Debug)]
pub struct DemoFiles {
    dir: PathBuf,
}

impl DemoFiles {
    /// Writes everything into `dir`, which must be new, empty, or an earlier demo's.
    pub fn write(
        dir: &Path,
        port: u16,
        http_port: u16,
        warehouse_port: u16,
        warehouse_password: &str,
    ) -> io::Result<Self> {
        let marker = dir.join(".pgveil-demo");
        let occupied = fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_some());
        if occupied && !marker.exists() {
            let message =
                format!("{} is not empty and holds no earlier demo; name another directory with --dir", dir.display());
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, message));
        }
        for sub in ["catalog", "secrets", "tls", "audit"] {
            fs::create_dir_all(dir.join(sub))?;
        }
        let files = Self { dir: fs::canonicalize(dir)? };
        fs::write(marker, "")?;
        for (name, text) in CATALOG {
            let path = files.dir.join("catalog").join(name);
            if let Some(parent) = path.parent() {
                fs::create_dir_all(parent)?;
            }
            fs::write(path, text)?;
        }
        fs::write(files.dir.join("policy.toml"), POLICY)?;
        for user in USERS {
            files.write_secret(&format!("secrets/{}.verifier", user.name), &scram_sha_256(user.password.as_bytes()))?;
        }
        files.write_secret("secrets/warehouse.password", warehouse_password)?;
        files.write_secret("secrets/hash.key", &crate::hex::text(rand::random::<[u8; 32]>()))?;
        files.write_certificate()?;
        fs::write(files.config(), server_toml(port, http_port, warehouse_port))?;
        Ok(files)
    }

    /// The path of pgveil.toml.
    pub fn config(&self) -> PathBuf {
        self.dir.join("pgveil.toml")
    }

    /// The directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    fn write_secret(&self, name: &str, secret: &str) -> io::Result<()> {
        let path = self.dir.join(name);
        let _ = fs::remove_file(&path);
        let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        io::Write::write_all(&mut file, secret.as_bytes())
    }

    fn write_certificate(&self) -> io::Result<()> {
        let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
        let certified = rcgen::generate_simple_self_signed(names).map_err(io::Error::other)?;
        fs::write(self.dir.join("tls/server.crt"), certified.cert.pem())?;
        self.write_secret("tls/server.key", &certified.signing_key.serialize_pem())
    }
}

fn server_toml(port: u16, http_port: u16, warehouse_port: u16) -> String {
    format!(
        r#"# The demo's server. Everything but the listeners is reloaded when it changes.

[server]
listen = "127.0.0.1:{port}"

[server.tls]
cert = "tls/server.crt"
key = "tls/server.key"

[http]
listen = "127.0.0.1:{http_port}"

[warehouses.warehouse]
dsn = "postgres://pgveil@127.0.0.1:{warehouse_port}/warehouse?sslmode=disable"
password = "${{file:secrets/warehouse.password}}"
pool_size = 20

[catalog]
path = "catalog"

[policy]
path = "policy.toml"

[masking]
hash_key = "${{file:secrets/hash.key}}"

[audit]
path = "audit/audit.jsonl"

[state]
url = "sqlite:pgveil.db"
"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_with_something_else_in_it_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("mine"), "x").unwrap();
        let error = DemoFiles::write(dir.path(), 1, 2, 3, "p").unwrap_err().to_string();
        assert!(error.contains("--dir"), "{error}");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn an_earlier_demo_is_written_again_and_secrets_are_private() {
        let dir = tempfile::tempdir().unwrap();
        for _ in 0..2 {
            let files = DemoFiles::write(dir.path(), 1, 2, 3, "p").unwrap();
            let mode = std::os::unix::fs::PermissionsExt::mode(
                &fs::metadata(files.dir().join("secrets/hash.key")).unwrap().permissions(),
            );
            assert_eq!(mode & 0o777, 0o600);
        }
    }
}
