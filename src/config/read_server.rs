//! `pgveil.toml`: document -> [`ServerConfig`].

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::document::{Document, Examined, Place, Secrecy, SourceFile, Substitution, Table, Text, Value};
use crate::error::Diagnostics;
use crate::names::{MAX_IDENTIFIER_BYTES, WarehouseName};

use super::dsn;
use super::server::{
    AuditConfig, AuditFailure, CatalogConfig, ContractsConfig, Durability, HttpConfig, OnCatalogError, SecretString,
    ServerConfig, ServerSection, SqlRecording, StateUrl, TlsConfig, TlsMode, Unvalidated, WarehouseConfig,
};

const SECOND: Duration = Duration::from_secs(1);
const MILLISECOND: Duration = Duration::from_millis(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);

/// HMAC-SHA-256 gains nothing from a shorter key.
const SHORTEST_HASH_KEY: usize = 32;

/// Compiles the text of `pgveil.toml`. Relative paths start at the file's directory. On success the findings are warnings.
pub fn parse_server(
    file: &SourceFile,
    substitution: Substitution<'_>,
) -> Result<(ServerConfig, Diagnostics), Diagnostics> {
    examine_server(file, substitution).accept()
}

/// Compiles as much of `pgveil.toml` as can be made out.
pub fn examine_server(file: &SourceFile, substitution: Substitution<'_>) -> Examined<ServerConfig> {
    let document = Document::parse(file, Secrecy::HoldsSecrets, substitution);
    let value = server_config(&document);
    let broken = document.is_broken();
    Examined { value, findings: document.finish(), broken }
}

fn server_config(document: &Document<'_>) -> ServerConfig {
    let beside = |name: &str| absolute(&document.path().parent().unwrap_or(Path::new("")).join(name));
    let mut root = document.root();
    let (server, plaintext) = server_section(root.table("server"));
    let http = root.table("http").map(|table| http_section(table, server.allow_plaintext));
    if let Some(place) = plaintext {
        place.error_with_hint(
            "a listener that is not on the loopback interface needs TLS",
            "add [server.tls] with cert and key, listen on 127.0.0.1, or set allow_plaintext = true",
        );
    }
    let warehouses = warehouses(&mut root);
    let catalog = root.table("catalog").map_or_else(
        || CatalogConfig { path: beside("catalog"), env: Vec::new(), on_error: OnCatalogError::Refuse },
        |table| catalog_section(table, beside("catalog")),
    );
    let policy_path = match root.table("policy") {
        Some(mut table) => {
            let path = table.take("path").and_then(Value::path).map(|p| absolute(&p));
            table.finish();
            path.unwrap_or_else(|| beside("policy.toml"))
        }
        None => beside("policy.toml"),
    };
    let hash_key = root.table("masking").and_then(|mut table| {
        let key = table.take("hash_key").and_then(hash_key);
        table.finish();
        key
    });
    let audit = audit_section(root.table("audit"), beside("audit/audit.jsonl"));
    let state = root.table("state").and_then(state_section).unwrap_or_else(|| StateUrl::Sqlite(beside("pgveil.db")));
    let contracts = contracts_section(root.table("contracts"));
    root.finish();
    ServerConfig { server, http, warehouses, catalog, policy_path, hash_key, audit, state, contracts }
}

/// The section, and the place of a listener that would carry passwords in clear over a network.
fn server_section<'d>(table: Option<Table<'d>>) -> (ServerSection, Option<Place<'d>>) {
    let mut section = ServerSection {
        listen: vec![SocketAddr::from(([127, 0, 0, 1], 6432))],
        max_clients: 2000,
        startup_timeout: 10 * SECOND,
        max_message: 16 << 20,
        allow_plaintext: false,
        shutdown_grace: 30 * SECOND,
        tls: None,
    };
    let Some(mut table) = table else { return (section, None) };
    let mut exposed = None;
    if let Some(value) = table.take("listen") {
        let place = value.place().clone();
        let addresses: Vec<_> = value.text_or_texts().unwrap_or_default().iter().filter_map(address).collect();
        exposed = addresses.iter().any(|a| !a.ip().is_loopback()).then_some(place);
        if !addresses.is_empty() {
            section.listen = addresses;
        }
    }
    set(&mut section.max_clients, table.take("max_clients").and_then(|v| v.integer(1..=1_000_000)));
    set(&mut section.startup_timeout, table.take("startup_timeout").and_then(|v| v.duration(MILLISECOND)));
    let max_message = table.take("max_message").and_then(|v| v.size(1 << 10..=1 << 30));
    set(&mut section.max_message, max_message.and_then(|n| usize::try_from(n).ok()));
    set(&mut section.allow_plaintext, table.take("allow_plaintext").and_then(Value::boolean));
    set(&mut section.shutdown_grace, table.take("shutdown_grace").and_then(|v| v.duration(Duration::ZERO)));
    section.tls = table.table("tls").and_then(tls_section);
    let has_tls = table.has("tls");
    table.finish();
    let in_clear = !has_tls && !section.allow_plaintext;
    (section, exposed.filter(|_| in_clear))
}

fn tls_section(mut table: Table<'_>) -> Option<TlsConfig> {
    let cert = table.need("cert").and_then(Value::path);
    let key = table.need("key").and_then(Value::path);
    let client_ca = table.take("client_ca").and_then(Value::path).map(|p| absolute(&p));
    let mode = table.take("mode").and_then(|v| v.choice(&[("prefer", TlsMode::Prefer), ("require", TlsMode::Require)]));
    table.finish();
    Some(TlsConfig { cert: absolute(&cert?), key: absolute(&key?), client_ca, mode: mode.unwrap_or_default() })
}

fn http_section(mut table: Table<'_>, allow_plaintext: bool) -> HttpConfig {
    let mut section = HttpConfig { listen: SocketAddr::from(([127, 0, 0, 1], 8432)), anonymous_read: false, tls: None };
    let listen = table.take("listen");
    let place = listen.as_ref().map(|v| v.place().clone());
    set(&mut section.listen, listen.and_then(Value::text).as_ref().and_then(address));
    set(&mut section.anonymous_read, table.take("anonymous_read").and_then(Value::boolean));
    section.tls = table.table("tls").and_then(http_tls_section);
    if let Some(place) = place
        && !table.has("tls")
        && !section.listen.ip().is_loopback()
        && !allow_plaintext
    {
        place.error_with_hint(
            "an HTTP listener that is not on the loopback interface needs TLS",
            "add [http.tls] with cert and key, listen on 127.0.0.1, or set [server] allow_plaintext = true",
        );
    }
    table.finish();
    section
}

fn http_tls_section(mut table: Table<'_>) -> Option<TlsConfig> {
    let cert = table.need("cert").and_then(Value::path);
    let key = table.need("key").and_then(Value::path);
    table.finish();
    Some(TlsConfig { cert: absolute(&cert?), key: absolute(&key?), client_ca: None, mode: TlsMode::Require })
}

fn warehouses(root: &mut Table<'_>) -> BTreeMap<WarehouseName, WarehouseConfig> {
    let mut warehouses = BTreeMap::new();
    let entries = root.named("warehouses");
    if entries.is_empty() {
        let hint = "add [warehouses.NAME] with a dsn; NAME is the database name that clients connect to";
        root.missing("no warehouse is defined", Some(hint.to_owned()));
    }
    for entry in entries {
        if entry.name.is_empty() || entry.name.len() > MAX_IDENTIFIER_BYTES {
            entry.place.error(format!("a warehouse's name must have 1 to {MAX_IDENTIFIER_BYTES} bytes"));
        }
        if let Some(warehouse) = entry.value.table().map(warehouse) {
            warehouses.insert(WarehouseName::new(entry.name), warehouse);
        }
    }
    warehouses
}

fn warehouse(mut table: Table<'_>) -> WarehouseConfig {
    let dsn = table.need("dsn").and_then(Value::text);
    if let Some(text) = &dsn
        && text.known
        && let Err((message, hint)) = dsn::check(&text.value)
    {
        text.place.error_with_hint(message, hint);
    }
    let password = table.take("password").and_then(Value::text).map(|text| SecretString::new(text.value));
    let pool_size = table.take("pool_size").and_then(|v| v.integer(1..=10_000));
    let acquire_timeout = table.take("acquire_timeout").and_then(|v| v.duration(MILLISECOND));
    let default_schema = table.take("default_schema").and_then(schema_name);
    let extension_schemas = table.take("extension_schemas").and_then(Value::texts).unwrap_or_default();
    let extension_schemas = extension_schemas.into_iter().filter_map(checked_schema).collect();
    table.finish();
    WarehouseConfig {
        dsn: SecretString::new(dsn.map(|text| own_dsn(&text)).unwrap_or_default()),
        password,
        pool_size: pool_size.unwrap_or(20),
        acquire_timeout: acquire_timeout.unwrap_or(10 * SECOND),
        default_schema: default_schema.unwrap_or_else(|| "public".to_owned()),
        extension_schemas,
    }
}

fn own_dsn(text: &Text<'_>) -> String {
    let directory = text.place.path().parent().filter(|parent| !parent.as_os_str().is_empty());
    let directory = absolute(directory.unwrap_or(Path::new(".")));
    dsn::with_root_certificate_from(&directory, &text.value)
}

fn schema_name(value: Value<'_>) -> Option<String> {
    value.filled_text().and_then(checked_schema)
}

fn checked_schema(text: Text<'_>) -> Option<String> {
    if !text.known {
        return None;
    }
    let reserved = text.value.starts_with("pg_") || text.value == "information_schema";
    if text.value.is_empty() || text.value.len() > MAX_IDENTIFIER_BYTES || reserved {
        let message = format!("\"{}\" cannot be a schema of products or extensions", text.shown());
        text.place.error_with_hint(message, "name a schema of the warehouse's own, at most 63 bytes");
        return None;
    }
    Some(text.value)
}

fn catalog_section(mut table: Table<'_>, default: PathBuf) -> CatalogConfig {
    let path = table.take("path").and_then(Value::path).map_or(default, |p| absolute(&p));
    let env = table.take("env").and_then(Value::texts).unwrap_or_default();
    let on_error = table
        .take("on_error")
        .and_then(|v| v.choice(&[("refuse", OnCatalogError::Refuse), ("quarantine", OnCatalogError::Quarantine)]));
    table.finish();
    CatalogConfig { path, env: env.into_iter().map(|t| t.value).collect(), on_error: on_error.unwrap_or_default() }
}

fn hash_key(value: Value<'_>) -> Option<SecretString> {
    let text = value.text()?;
    if text.known && text.value.len() < SHORTEST_HASH_KEY {
        text.place.error_with_hint(
            format!("hash_key has {} bytes; it must have {SHORTEST_HASH_KEY} or more", text.value.len()),
            "make one with `openssl rand -hex 32` and give it by ${PGVEIL_HASH_KEY} or ${file:PATH}",
        );
        return None;
    }
    Some(SecretString::new(text.value))
}

fn audit_section(table: Option<Table<'_>>, default: PathBuf) -> AuditConfig {
    let mut audit = AuditConfig {
        path: default,
        on_failure: AuditFailure::Deny,
        durability: Durability::Write,
        sql: SqlRecording::Full,
        rotate_at: 256 << 20,
        keep: 400 * DAY,
    };
    let Some(mut table) = table else { return audit };
    set(&mut audit.path, table.take("path").and_then(Value::path).map(|p| absolute(&p)));
    let on_failure = [("deny", AuditFailure::Deny), ("allow", AuditFailure::Allow)];
    set(&mut audit.on_failure, table.take("on_failure").and_then(|v| v.choice(&on_failure)));
    let durability = [("write", Durability::Write), ("sync", Durability::Sync)];
    set(&mut audit.durability, table.take("durability").and_then(|v| v.choice(&durability)));
    let sql = [("full", SqlRecording::Full), ("redacted", SqlRecording::Redacted), ("none", SqlRecording::None)];
    set(&mut audit.sql, table.take("sql").and_then(|v| v.choice(&sql)));
    set(&mut audit.rotate_at, table.take("rotate_at").and_then(|v| v.size(1 << 10..=1 << 40)));
    set(&mut audit.keep, table.take("keep").and_then(|v| v.duration(SECOND)));
    table.finish();
    audit
}

fn state_section(mut table: Table<'_>) -> Option<StateUrl> {
    let url = table.take("url").and_then(Value::text);
    table.finish();
    let url = url.filter(|u| u.known)?;
    if let Some(path) = url.value.strip_prefix("sqlite:") {
        if path.is_empty() || path.starts_with("//") {
            url.place.error_with_hint("the SQLite URL names no file", "write url = \"sqlite:pgveil.db\"");
            return None;
        }
        let directory = url.place.path().parent().unwrap_or(Path::new(""));
        return Some(StateUrl::Sqlite(absolute(&directory.join(path))));
    }
    if url.value.starts_with("postgres://") || url.value.starts_with("postgresql://") {
        if let Err((message, hint)) = dsn::check(&url.value) {
            url.place.error_with_hint(message, hint);
        }
        return Some(StateUrl::Postgres(SecretString::new(own_dsn(&url))));
    }
    url.place.error_with_hint("url is neither sqlite: nor postgres://", "write url = \"sqlite:pgveil.db\"");
    None
}

fn contracts_section(table: Option<Table<'_>>) -> ContractsConfig {
    let mut contracts = ContractsConfig {
        interval: HOUR,
        probe_interval: MINUTE,
        timeout: 2 * MINUTE,
        connections: 2,
        keep: 90 * DAY,
        unvalidated: Unvalidated::Serve,
        webhook: None,
    };
    let Some(mut table) = table else { return contracts };
    set(&mut contracts.interval, table.take("interval").and_then(|v| v.duration(SECOND)));
    set(&mut contracts.probe_interval, table.take_later("probe_interval").and_then(|v| v.duration(SECOND)));
    set(&mut contracts.timeout, table.take("timeout").and_then(|v| v.duration(SECOND)));
    set(&mut contracts.connections, table.take("connections").and_then(|v| v.integer(1..=1_000)));
    set(&mut contracts.keep, table.take("keep").and_then(|v| v.duration(MINUTE)));
    let unvalidated = [("serve", Unvalidated::Serve), ("hold", Unvalidated::Hold)];
    set(&mut contracts.unvalidated, table.take_later("unvalidated").and_then(|v| v.choice(&unvalidated)));
    let webhook = table.take("webhook").and_then(Value::text);
    contracts.webhook = webhook.filter(|t| !t.value.is_empty()).and_then(webhook_url);
    table.finish();
    contracts
}

fn webhook_url(text: Text<'_>) -> Option<SecretString> {
    if text.known && !text.value.starts_with("https://") && !text.value.starts_with("http://") {
        text.place.error_with_hint("webhook is not a URL", "write an https:// URL, or leave it out");
        return None;
    }
    Some(SecretString::new(text.value))
}

fn address(text: &Text<'_>) -> Option<SocketAddr> {
    if !text.known {
        return None;
    }
    let parsed = text.value.parse();
    if parsed.is_err() {
        let hint = "write an IP address and a port, such as \"127.0.0.1:6432\" or \"[::1]:6432\"";
        text.place.error_with_hint(format!("\"{}\" is not an address to listen on", text.shown()), hint);
    }
    parsed.ok()
}

fn set<T>(slot: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *slot = value;
    }
}

/// A path that a later change of directory does not move.
fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}
