//! pgveil.toml: one mistake each, as it is told.

mod policy;
mod texts;

use std::collections::BTreeMap;
use std::path::Path;

use super::*;
use crate::document::{Unset, Variables};
use crate::names::RoleName;

pub(crate) struct Given(pub(crate) BTreeMap<&'static str, &'static str>);

impl Variables for Given {
    fn variable(&self, name: &str) -> Option<String> {
        self.0.get(name).map(|v| (*v).to_owned())
    }
    fn file(&self, path: &Path) -> Result<String, String> {
        let path = path.to_str().unwrap();
        self.0.get(path).map(|v| (*v).to_owned()).ok_or_else(|| "no such file".to_owned())
    }
}

fn nothing() -> Given {
    Given(BTreeMap::new())
}

fn server(text: &str, given: &Given) -> Result<(ServerConfig, Diagnostics), Diagnostics> {
    parse_server(&SourceFile::new("/etc/pgveil/pgveil.toml", text), Substitution::any(given))
}

fn policy(text: &str) -> Result<(Policy, Diagnostics), Diagnostics> {
    let file = SourceFile::new("/etc/pgveil/policy.toml", text);
    parse_policy(&[file], Substitution::any(&nothing())).map(|(p, w)| (p.policy, w))
}

/// `LINE:COLUMN message | hint` of each finding.
fn told(findings: &Diagnostics) -> Vec<String> {
    let hint = |h: &Option<String>| h.as_ref().map(|h| format!(" | {h}")).unwrap_or_default();
    findings.iter().map(|f| format!("{}:{} {}{}", f.line, f.column, f.message, hint(&f.hint))).collect()
}

const WAREHOUSE: &str = "[warehouses.w]\ndsn = \"postgres://u@h/w\"\n";

fn policy_mistakes(text: &str) -> Vec<String> {
    told(&policy(text).expect_err(text))
}

#[test]
fn an_empty_server_has_its_defaults() {
    let (config, warnings) = server(WAREHOUSE, &nothing()).unwrap();
    assert!(warnings.is_empty(), "{warnings}");
    assert_eq!(config.server.listen, ["127.0.0.1:6432".parse().unwrap()]);
    assert_eq!((config.server.max_clients, config.server.max_message), (2000, 16 << 20));
    assert_eq!(config.http, None);
    assert_eq!(config.catalog.path, Path::new("/etc/pgveil/catalog"));
    assert_eq!(config.policy_path, Path::new("/etc/pgveil/policy.toml"));
    assert_eq!(config.audit.path, Path::new("/etc/pgveil/audit/audit.jsonl"));
    assert_eq!((config.audit.on_failure, config.audit.rotate_at), (AuditFailure::Deny, 256 << 20));
    assert_eq!(config.state, StateUrl::Sqlite("/etc/pgveil/pgveil.db".into()));
    let warehouse = &config.warehouses["w"];
    assert_eq!((warehouse.pool_size, warehouse.default_schema.as_str()), (20, "public"));
}

#[test]
fn a_root_certificate_lies_beside_the_file() {
    let text = "[warehouses.w]\ndsn = \"postgres://u@h/w?sslmode=verify-full&sslrootcert=tls/ca.pem\"\n";
    let (server, _) = server(text, &nothing()).unwrap();
    let dsn = server.warehouses.values().next().unwrap().dsn.expose();
    assert_eq!(dsn, "postgres://u@h/w?sslmode=verify-full&sslrootcert=/etc/pgveil/tls/ca.pem");
}

#[test]
fn mistakes_in_the_server() {
    for (text, expected) in [
        ("[server]\nlisten = 6432", "2:10 \"server.listen\" must be a string or an array of strings, not an integer"),
        (
            "[server]\nlisten = \"localhost:6432\"",
            "2:10 \"localhost:6432\" is not an address to listen on | write an IP address and a port, such as \
             \"127.0.0.1:6432\" or \"[::1]:6432\"",
        ),
        (
            "[server]\nlisten = [\"127.0.0.1:1\", \"0.0.0.0:2\"]",
            "2:10 a listener that is not on the loopback interface needs TLS | add [server.tls] with cert and key, \
             listen on 127.0.0.1, or set allow_plaintext = true",
        ),
        (
            "[http]\nlisten = \"0.0.0.0:2\"",
            "2:10 an HTTP listener that is not on the loopback interface needs TLS | add [http.tls] with cert and key, \
             listen on 127.0.0.1, or set [server] allow_plaintext = true",
        ),
        ("[server]\nmax_clients = 0", "2:15 \"server.max_clients\" must be a whole number from 1 to 1000000"),
        ("[server]\nmax_client = 1", "2:1 unknown key \"max_client\" in [server] | did you mean \"max_clients\"?"),
        (
            "[server]\nstartup_timeout = 10",
            "2:19 \"server.startup_timeout\" must be a duration in quotes, such as \"30s\", not an integer",
        ),
        (
            "[server]\nstartup_timeout = \"10 s\"",
            "2:19 \"10 s\" is not a duration | write a whole number and a unit, such as \"500ms\", \"30s\", \"5m\", \
             \"1h\" or \"7d\"",
        ),
        ("[server]\nstartup_timeout = \"0s\"", "2:19 \"server.startup_timeout\" must be 1ms or longer"),
        (
            "[server]\nmax_message = \"16MB\"",
            "2:15 \"16MB\" is not a size | write a whole number and a unit, such as \"512KiB\", \"64MiB\" or \"1GiB\"",
        ),
        ("[server]\nmax_message = \"2GiB\"", "2:15 \"server.max_message\" must be from 1024 to 1073741824 bytes"),
        ("[server]\nallow_plaintext = \"no\"", "2:19 \"server.allow_plaintext\" must be true or false, not a string"),
        ("[server.tls]\ncert = \"a\"", "1:1 \"key\" in [server.tls] is missing"),
        (
            "[server.tls]\ncert = \"a\"\nkey = \"b\"\nmode = \"requir\"",
            "4:8 \"requir\" is no value of \"server.tls.mode\" | did you mean \"require\"?",
        ),
        (
            "[audit]\nsql = \"some\"",
            "2:7 \"some\" is no value of \"audit.sql\" | write one of \"full\", \"redacted\", \"none\"",
        ),
        (
            "[state]\nurl = \"mysql://x\"",
            "2:7 url is neither sqlite: nor postgres:// | write url = \"sqlite:pgveil.db\"",
        ),
        (
            "[masking]\nhash_key = \"short\"",
            "2:12 hash_key has 5 bytes; it must have 32 or more | make one with `openssl rand -hex 32` and give it by \
             ${PGVEIL_HASH_KEY} or ${file:PATH}",
        ),
        ("[sever]\nlisten = \"127.0.0.1:1\"", "1:2 unknown key \"sever\" | did you mean \"server\"?"),
        ("server = 3", "1:10 \"server\" must be a table, not an integer"),
        ("[warehouses.x]\npool_size = 1", "1:1 \"dsn\" in [warehouses.x] is missing"),
        (
            "[warehouses.x]\ndsn = \"mysql://u:hunter2@h/x\"",
            "2:7 the DSN is not a postgres:// URL | write postgres://USER@HOST:PORT/DATABASE?sslmode=verify-full",
        ),
        (
            "[warehouses.x]\ndsn = \"postgres://u@h/x\"\ndefault_schema = \"pg_catalog\"",
            "3:18 \"pg_catalog\" cannot be a schema of products or extensions | name a schema of the warehouse's own, at \
             most 63 bytes",
        ),
        (
            "[contracts]\nwebhook = \"example.com\"",
            "2:11 webhook is not a URL | write an https:// URL, or leave it out",
        ),
        (
            "a = ",
            "1:5 this is not valid TOML: string values must be quoted, expected literal string | texts, durations, addresses \
             and patterns stand in quotes: key = \"value\"",
        ),
        (
            "[server]\nlisten = 127.0.0.1:6432",
            "2:15 this is not valid TOML: invalid float, expected nothing | texts, durations, addresses and patterns stand in \
             quotes: key = \"value\"",
        ),
    ] {
        let findings = server(&format!("{text}\n{WAREHOUSE}"), &nothing()).expect_err(text);
        let told = told(&findings);
        assert!(told.iter().any(|t| t == expected), "{text}\n  expected: {expected}\n  told: {told:#?}");
    }
    let none = server("[server]\n", &nothing()).unwrap_err();
    assert_eq!(
        told(&none),
        [
            "1:1 no warehouse is defined | add [warehouses.NAME] with a dsn; NAME is the database name that clients connect to"
        ]
    );
}

#[test]
fn all_mistakes_are_told_at_once() {
    let text = "[server]\nmax_clients = -1\nstartup_timeout = 3\n[audit]\nkepp = \"1d\"\n[warehouses.w]\ndsn = 1\n";
    let findings = server(text, &nothing()).unwrap_err();
    assert_eq!(findings.iter().map(|f| f.line).collect::<Vec<_>>(), [2, 3, 5, 7], "{findings}");
}

#[test]
fn a_syntax_error_hides_only_what_it_makes_doubtful() {
    let found = server(&format!("[server]\nmax_clients = \nstartup_timeout = 3\n{WAREHOUSE}"), &nothing()).unwrap_err();
    assert_eq!(found.iter().map(|f| f.line).collect::<Vec<_>>(), [2, 3], "{found}");
    // Keys below a broken header may belong to another table.
    let found = server("[server\nmax_clients = -1\nnonsense = 3\n", &nothing()).unwrap_err();
    assert!(found.iter().all(|f| f.message.contains("not valid TOML")), "{found}");
}

#[test]
fn keys_of_later_issues_are_named() {
    let text = format!(
        "[http]\nanonymous_read = true\ntls = {{ cert = \"a\", key = \"b\" }}\n[contracts]\ninterval = \"1h\"\n\
         probe_interval = \"1m\"\nunvalidated = \"hold\"\nwebhook = \"\"\n[state]\nurl = \"postgres://u@h/x\"\n{WAREHOUSE}"
    );
    let (config, warnings) = server(&text, &nothing()).unwrap();
    let lines: Vec<_> = warnings.iter().map(|w| w.line).collect();
    assert_eq!(lines, [6, 7], "{warnings}");
    assert!(warnings.iter().all(|w| w.message.ends_with("is accepted, but not yet in force")), "{warnings}");
    assert_eq!(config.contracts.unvalidated, Unvalidated::Hold);
    assert_eq!(config.contracts.webhook, None);
}

#[test]
fn variables_are_replaced() {
    let given =
        Given(BTreeMap::from([("PW", "p\"w"), ("/etc/pgveil/secrets/key", "0123456789abcdef0123456789abcdef")]));
    let text = format!("{WAREHOUSE}password = \"a${{PW}}$${{b}}\"\n[masking]\nhash_key = \"${{file:secrets/key}}\"\n");
    let (config, _) = server(&text, &given).unwrap();
    assert_eq!(config.warehouses["w"].password.as_ref().unwrap().expose(), "ap\"w${b}");
    assert_eq!(config.hash_key.unwrap().expose(), "0123456789abcdef0123456789abcdef");
}

#[test]
fn a_missing_variable_is_an_error_with_its_place() {
    let text = format!("{WAREHOUSE}password = \"a${{PW}}\"\nacquire_timeout = \"${{file:t}}\"\n");
    let findings = server(&text, &nothing()).unwrap_err();
    assert_eq!(
        told(&findings),
        ["3:14 the environment variable PW is not set", "4:20 /etc/pgveil/t cannot be read: no such file"]
    );
}

#[test]
fn a_check_elsewhere_warns_of_missing_variables_and_applies_no_rule_to_them() {
    let text = "[server]\nlisten = \"${L}\"\nmax_message = \"${M}\"\n[server.tls]\ncert = \"${C}\"\nkey = \"k\"\nmode = \"${O}\"\n\
                [masking]\nhash_key = \"${K}\"\n[warehouses.w]\ndsn = \"${D}\"\n[state]\nurl = \"${S}\"\n";
    let file = SourceFile::new("pgveil.toml", text);
    let substitution = Substitution { variables: &nothing(), unset: Unset::Warning, allowed: None };
    let (config, warnings) = parse_server(&file, substitution).unwrap();
    assert_eq!(warnings.iter().count(), 7, "{warnings}");
    assert!(config.hash_key.is_some());
}

#[test]
fn a_malformed_variable_is_told() {
    let text = format!("{WAREHOUSE}password = \"${{a b}}\"\n");
    let findings = server(&text, &nothing()).unwrap_err();
    assert_eq!(
        told(&findings),
        ["3:13 \"${a b}\" is no variable | write ${NAME} or ${file:PATH}, or $${ for a literal ${"]
    );
}

#[test]
fn no_finding_shows_a_secret() {
    let secrets = [
        "[warehouses.x]\ndsn = \"postgres://u:hunter2@h:port/x\"\n",
        "[warehouses.x]\ndsn = \"postgres://u:hunter2@h/x\"\npasword = \"hunter2\"\n",
        "[warehouses.x]\nurl = \"postgres://u:hunter2@h/x\"\n",
        "[warehouses.x]\ndsn = \"postgres://u:hunter2@h/x\"\npassword = hunter2\n",
        "[warehouses.x]\ndsn = \"postgres://u:hunter2@h/x\"\npassword = \"hunter2\n",
        "[warehouses.x]\ndsn = \"postgres://u:hunter2@h/x\"\nnonsense = { a = [\"hunter2\"] }\n",
        "warehouses.x = { password = \"hunter2\", dsn = 3, nonsense = 1 }\n",
        "[masking]\nhash_key = \"hunter2\"\n",
        "[masking]\nhash_kei = \"hunter2\"\n",
        "[masking]\nhash_key = \"\"\"\nhunter2\n\\q\"\"\"\n",
        "[state]\nurl = \"hunter2\"\n",
        "[contracts]\nwebhook = \"hunter2\"\n",
        "[audit]\nsql = \"${SECRET}\"\n",
        "[server]\nlisten = \"${SECRET}\"\nstartup_timeout = \"${SECRET}\"\nmax_message = \"${SECRET}\"\n",
    ];
    let given = Given(BTreeMap::from([("SECRET", "hunter2")]));
    for text in secrets {
        let findings = server(text, &given).expect_err(text);
        assert!(!format!("{findings}{findings:?}").contains("hunter2"), "{text}\n{findings}");
    }
    for text in [
        "[users.ana]\npassword = \"hunter2\"\n",
        "[users.ana]\npasswd = \"hunter2\"\n",
        "[users]\nana = \"hunter2\"\n",
        "users.ana = { certificate = 3, password = \"hunter2\" }\n",
        "users.ana = { password = \"hunter2\", rolls = [] }\n",
        "[users.ana]\npassword = hunter2\n",
        "[tokens.t]\nuser = \"x\"\nsha256 = \"hunter2\"\n",
        "[tokens.t]\nuser = \"x\"\ntoken = \"hunter2\"\nsha256 = 3\n",
        "[users.ana]\npassword = \"${SECRET}\"\ncertificate = \"${SECRET}\"\nroles = [\"${SECRET}\"]\n",
    ] {
        let file = SourceFile::new("policy.toml", text);
        let findings = parse_policy(&[file], Substitution::any(&given)).expect_err(text);
        assert!(!format!("{findings}{findings:?}").contains("hunter2"), "{text}\n{findings}");
    }
}
