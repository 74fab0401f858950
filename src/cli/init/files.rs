//! The texts of `pgveil.toml` and `policy.toml`, and what to do next.

use std::path::Path;

use super::draft::Table;

/// A TOML string in which nothing is a variable.
pub(super) fn quote(text: &str) -> String {
    toml::Value::String(text.replace("${", "$${")).to_string()
}

/// The server's file.
pub(super) fn server(dsn: &str) -> Result<String, String> {
    let (dsn, had_password) = without_password(dsn)?;
    let name = warehouse_name(&dsn);
    let password = if had_password {
        "password = \"${PGVEIL_WAREHOUSE_PASSWORD}\"\n"
    } else {
        "# password = \"${PGVEIL_WAREHOUSE_PASSWORD}\"\n"
    };
    Ok(format!(
        "# The server. Every key and its default stand in docs/config.md.\n\
         \n\
         [server]\n\
         listen = \"127.0.0.1:6432\"              # another address needs [server.tls]\n\
         \n\
         [http]\n\
         listen = \"127.0.0.1:8432\"              # /metrics, /healthz, /readyz\n\
         \n\
         # The name is the database name that clients connect to.\n\
         [warehouses.{}]\n\
         dsn = {}\n\
         {password}\
         \n\
         [catalog]\n\
         path = \"catalog\"\n\
         \n\
         [policy]\n\
         path = \"policy.toml\"\n\
         \n\
         [masking]\n\
         # Needed as soon as a product has a hash mask: `openssl rand -hex 32`.\n\
         # hash_key = \"${{PGVEIL_HASH_KEY}}\"\n\
         \n\
         [audit]\n\
         path = \"audit/audit.jsonl\"\n\
         \n\
         [state]\n\
         url = \"sqlite:pgveil.db\"\n",
        quote(&name),
        quote(&dsn),
    ))
}

/// The policy's file.
pub(super) fn policy(user: &str, verifier: &str) -> String {
    format!(
        "# Who may do what. Every key and its default stand in docs/policy.md.\n\
         \n\
         [defaults]\n\
         max_rows = 10000\n\
         statement_timeout = \"30s\"\n\
         \n\
         [governance]\n\
         require_pii = [\"*email*\", \"*phone*\"]\n\
         \n\
         [roles.analyst]\n\
         products = [\"main.*\"]\n\
         drafts = [\"main.*\"]                    # remove when the first product is published\n\
         \n\
         [users.{user}]\n\
         password = \"{verifier}\"\n\
         roles = [\"analyst\"]\n"
    )
}

/// What is printed when the files are there. The only time that the password is shown.
pub(super) fn next_steps(dir: &Path, dsn: &str, user: &str, password: &str, table: &Table) -> String {
    let (dsn, had_password) = without_password(dsn).unwrap_or_default();
    let dir = dir.display();
    let export = if had_password { "  export PGVEIL_WAREHOUSE_PASSWORD=…\n" } else { "" };
    let name = warehouse_name(&dsn);
    format!(
        "wrote {dir}/pgveil.toml, {dir}/policy.toml and {dir}/catalog, with {} as the draft {}\n\
         \n\
         user {user}, password {password} (shown once; policy.toml holds a verifier)\n\
         \n\
         next:\n{export}  \
         pgveil check --config {dir}/pgveil.toml --warehouse\n  \
         pgveil serve --config {dir}/pgveil.toml\n  \
         psql \"host=127.0.0.1 port=6432 user={user} dbname={name}\"\n",
        table.relation(),
        table.id,
    )
}

/// The DSN without its password, and whether it had one.
fn without_password(dsn: &str) -> Result<(String, bool), String> {
    let form = || "write the DSN as postgres://USER@HOST:PORT/DATABASE".to_owned();
    let (scheme, rest) = dsn.split_once("://").ok_or_else(form)?;
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let (account, host) = authority.rsplit_once('@').ok_or_else(form)?;
    let (user, password) = account.split_once(':').unwrap_or((account, ""));
    let parameters: Vec<&str> = query.split('&').filter(|p| !p.is_empty() && !p.starts_with("password=")).collect();
    let had_password = !password.is_empty() || query.split('&').any(|p| p.starts_with("password="));
    let query = if parameters.is_empty() { String::new() } else { format!("?{}", parameters.join("&")) };
    Ok((format!("{scheme}://{user}@{host}/{path}{query}"), had_password))
}

/// The database's name, as clients of pgveil will write it.
fn warehouse_name(dsn: &str) -> String {
    let database = dsn
        .split_once("://")
        .and_then(|(_, rest)| rest.split_once('/'))
        .map(|(_, path)| path.split('?').next().unwrap_or_default())
        .unwrap_or_default();
    if database.is_empty() || database.len() > 63 || database.contains('%') {
        return "warehouse".to_owned();
    }
    database.to_owned()
}
