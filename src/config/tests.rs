//! Both files: one mistake each, as it is told, and texts of any kind.

use std::collections::BTreeMap;
use std::path::Path;

use proptest::prelude::*;

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
            "2:10 this is not valid TOML: invalid float, expected nothing | texts, durations, addresses and patterns stand in \
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
    assert_eq!(lines, [2, 5, 6, 7, 8, 10], "{warnings}");
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

#[test]
fn a_policy_is_compiled() {
    let text = "[defaults]\nmax_rows = 5\nstatement_timeout = \"0s\"\n[roles.a]\nproducts = [\"d.*\", \"d.p\", \"*\"]\n\
                unmask = [\"*\", \"d.*\", \"d.p.*\", \"d.p.c\", \"*.*.c\"]\nmax_concurrent = 2\n[roles.b]\ndiscover = []\n\
                [groups.g]\nroles = [\"b\", \"a\"]\n[users.u]\nroles = [\"b\"]\ngroups = [\"g\"]\nmax_rows = 7\n\
                certificate = \"CN=u,O=Example\"\nattributes = { one = \"x\", many = [\"y\", \"z\"] }\n";
    let (policy, warnings) = policy(text).unwrap();
    assert!(warnings.is_empty(), "{warnings}");
    let user = &policy.users["u"];
    assert_eq!(user.roles, [RoleName::new("a"), RoleName::new("b")]);
    assert_eq!(user.attributes["one"], Attribute::One("x".to_owned()));
    assert_eq!(user.attributes["many"], Attribute::Many(vec!["y".to_owned(), "z".to_owned()]));
    assert_eq!((policy.defaults.max_rows, user.limits.max_rows), (Some(5), Some(7)));
    assert_eq!(policy.defaults.statement_timeout, Some(std::time::Duration::ZERO));
    let (a, b) = (&policy.roles["a"], &policy.roles["b"]);
    assert_eq!((a.discover.len(), a.copy_out, a.limits.max_concurrent), (1, true, Some(2)));
    assert!(b.discover.is_empty() && b.products.is_empty());
}

#[test]
fn mistakes_in_the_policy() {
    let verifier_hint = "run `pgveil hash-password` and write what it prints";
    let products = "write \"*\", \"DOMAIN.*\" or \"DOMAIN.PRODUCT\"";
    let columns = "write \"*\", \"DOMAIN.*\", \"DOMAIN.PRODUCT.*\", \"DOMAIN.PRODUCT.COLUMN\" or \"*.*.COLUMN\"";
    for (text, expected) in [
        ("[roles.a]\nproducts = [\"a.b.c\"]", format!("2:13 \"a.b.c\" is no pattern on products | {products}")),
        ("[roles.a]\nproducts = [\"mark*\"]", format!("2:13 \"mark*\" is no pattern on products | {products}")),
        ("[roles.a]\nproducts = [\"d.*x\"]", format!("2:13 \"d.*x\" is no pattern on products | {products}")),
        ("[roles.a]\nproducts = [\"D.p\"]", format!("2:13 \"D.p\" is no pattern on products | {products}")),
        ("[roles.a]\ndrafts = [\"\"]", format!("2:11 \"\" is no pattern on products | {products}")),
        ("[roles.a]\nunmask = [\"d.p\"]", format!("2:11 \"d.p\" is no pattern on columns | {columns}")),
        ("[roles.a]\nunmask = [\"email\"]", format!("2:11 \"email\" is no pattern on columns | {columns}")),
        ("[roles.a]\ncopy_out = \"yes\"", "2:12 \"roles.a.copy_out\" must be true or false, not a string".to_owned()),
        ("[roles.a]\nmax_rows = -1", format!("2:12 \"roles.a.max_rows\" must be a whole number from 0 to {}", i64::MAX - 1)),
        ("[roles.a]\nproduct = []", "2:1 unknown key \"product\" in [roles.a] | did you mean \"products\"?".to_owned()),
        ("[roles.a]\n[groups.g]\nroles = [\"b\", \"aa\"]", "3:15 there is no role \"aa\" | did you mean \"a\"?".to_owned()),
        ("[users.u]\nroles = [\"analyst\"]", "2:10 there is no role \"analyst\"".to_owned()),
        (
            "[groups.growth]\n[users.u]\ngroups = [\"grwth\"]",
            "3:11 there is no group \"grwth\" | did you mean \"growth\"?".to_owned(),
        ),
        (
            "[users.u]\npassword = \"secret\"",
            format!("2:12 the password is not a SCRAM-SHA-256 verifier; plaintext is not accepted | {verifier_hint}"),
        ),
        (
            "[users.u]\npassword = \"SCRAM-SHA-256$1000:c2FsdA==$a:b\"",
            format!("2:12 the SCRAM-SHA-256 verifier must have 4096 to 10000000 iterations | {verifier_hint}"),
        ),
        (
            "[users.u]\ncertificate = \"superset\"",
            "2:15 \"superset\" is not a certificate subject | write it as in RFC 4514, such as \"CN=superset,O=Example\""
                .to_owned(),
        ),
        (
            "[users.u]\nattributes = { region = 3 }",
            "2:25 \"users.u.attributes.region\" must be a string or an array of strings, not an integer".to_owned(),
        ),
        (
            "[users.u]\nattributes = { \"a b\" = \"x\" }",
            "2:16 an attribute's name must begin with a letter and have letters, digits, _ and - alone | row filters \
             read it as {user.NAME}"
                .to_owned(),
        ),
        ("[users.u]\non_behalf_of = [\"x\"]", "2:17 there is no role \"x\"".to_owned()),
        (
            "[users.ana]\n[tokens.t]\nuser = \"anna\"\nsha256 = \"00\"",
            "3:8 there is no user \"anna\" | did you mean \"ana\"?".to_owned(),
        ),
        (
            "[users.u]\n[tokens.t]\nuser = \"u\"\nsha256 = \"00\"",
            "4:10 sha256 is not 64 hex digits | write the SHA-256 of the token: `printf %s \"$TOKEN\" | sha256sum`"
                .to_owned(),
        ),
        (
            "[users.u]\n[tokens.t]\nuser = \"u\"\nsha256 = \"00\"\nexpires = \"2027-01-31\"",
            "5:11 \"tokens.t.expires\" must be a date without quotes, such as 2027-01-31, not a string".to_owned(),
        ),
        (
            "[governance]\ncolumn_names = \"(\"",
            "2:16 \"(\" is not a regular expression: found open group without closing ')'".to_owned(),
        ),
        (
            "[domains.marketing]\nrelations = [\"marketing\"]",
            "2:14 \"marketing\" is no pattern on relations | write SCHEMA.TABLE, where * stands for any characters: \
             \"public.marketing_*\""
                .to_owned(),
        ),
        (
            "[domains.growth_team]\nrelations = []",
            "1:10 \"growth_team\" cannot be a domain | a domain has lower-case letters, digits and dashes, and begins with \
             a letter"
                .to_owned(),
        ),
        ("[domains.marketing]", "1:1 \"relations\" in [domains.marketing] is missing".to_owned()),
        (
            "[functions]\nallow = [\"upper\"]",
            "2:10 \"upper\" cannot be allowed as a function | write SCHEMA.FUNCTION, without arguments".to_owned(),
        ),
        (
            "[functions]\nallow = [\"pg_catalog.pg_read_file\"]",
            "2:10 \"pg_catalog.pg_read_file\" cannot be allowed as a function | pgveil itself decides which functions of \
             Postgres may be called"
                .to_owned(),
        ),
    ] {
        let told = policy_mistakes(text);
        assert!(told.contains(&expected), "{text}\n  expected: {expected}\n  told: {told:#?}");
    }
}

#[test]
fn warnings_of_a_policy() {
    let hash = "0".repeat(64);
    let text = format!(
        "[roles.a]\n[users.u]\non_behalf_of = [\"a\"]\n[users.v]\n[tokens.t]\nuser = \"v\"\nsha256 = \"{hash}\"\n"
    );
    let (policy, warnings) = policy(&text).unwrap();
    assert_eq!(policy.tokens["t"].sha256.expose(), hash);
    assert_eq!(
        told(&warnings),
        [
            "2:8 user \"u\" has no way to log in | add password (see `pgveil hash-password`) or certificate",
            "3:16 [users.u] on_behalf_of is accepted, but not yet in force",
            "5:9 [tokens.t] is accepted, but not yet in force",
        ]
    );
    let twice = format!("{text}[tokens.s]\nuser = \"v\"\nsha256 = \"{hash}\"\n");
    let findings = policy_mistakes(&twice);
    assert!(
        findings.iter().any(|f| f.contains("this token is defined at /etc/pgveil/policy.toml:10 too")),
        "{findings:?}"
    );
}

#[test]
fn a_policy_of_several_files_is_one() {
    let file = |name: &str, text: &str| SourceFile::new(format!("policy.d/{name}"), text);
    let files = [
        file("a.toml", "[defaults]\nmax_rows = 5\n[roles.a]\n"),
        file("b.toml", "[defaults]\nqueue_timeout = \"1s\"\n[users.u]\nroles = [\"a\"]\n"),
    ];
    let (parsed, _) = parse_policy(&files, Substitution::any(&nothing())).unwrap();
    assert_eq!(parsed.policy.defaults.max_rows, Some(5));
    assert_eq!(parsed.policy.users["u"].roles, [RoleName::new("a")]);

    let files = [
        file("a.toml", "[defaults]\nmax_rows = 5\n\n[roles.a]\n"),
        file("b.toml", "[roles.a]\n[defaults]\nmax_rows = 6\n"),
    ];
    let findings = parse_policy(&files, Substitution::any(&nothing())).unwrap_err();
    assert_eq!(
        told(&findings),
        [
            "1:8 [roles] a is already defined at policy.d/a.toml:4 | keep one of the two definitions",
            "3:1 [defaults] max_rows is already defined at policy.d/a.toml:2 | keep one of the two definitions",
        ]
    );
    assert!(findings.iter().all(|f| f.file == Path::new("policy.d/b.toml")));
}

#[test]
fn files_that_cannot_be_read_are_told() {
    let dir = tempfile::tempdir().unwrap();
    let missing = load_server(&dir.path().join("pgveil.toml")).unwrap_err();
    assert!(told(&missing)[0].starts_with("0:0 the file cannot be read: No such file"), "{missing}");
    let empty = load_policy(dir.path()).unwrap_err();
    assert!(told(&empty)[0].contains("holds no *.toml file"), "{empty}");
    std::fs::write(dir.path().join("p.toml"), b"a = 1\n\xff").unwrap();
    let binary = load_policy(dir.path()).unwrap_err();
    assert!(told(&binary)[0].contains("not UTF-8: byte 6, in line 2"), "{binary}");
}

/// Golden: how a mistake looks on a terminal.
#[test]
fn findings_as_they_are_printed() {
    let text = format!("[server]\nlisten = \"127.0.0.1:6432\"\nmax_clinets = 100\n{WAREHOUSE}");
    let printed = server(&text, &nothing()).unwrap_err().to_string();
    assert_eq!(
        printed,
        "error: unknown key \"max_clinets\" in [server]\n  \
           --> /etc/pgveil/pgveil.toml:3:1\n  \
           |\n\
         3 | max_clinets = …\n  \
           | ^^^^^^^^^^^\n  \
           help: did you mean \"max_clients\"?"
    );
}

/// Keys and values that files have, so that random documents reach the readers and not only the parser.
fn fragment() -> impl Strategy<Value = String> {
    let key = prop::sample::select(vec![
        "server",
        "listen",
        "tls",
        "cert",
        "warehouses",
        "w",
        "dsn",
        "password",
        "http",
        "catalog",
        "path",
        "env",
        "masking",
        "hash_key",
        "audit",
        "keep",
        "state",
        "url",
        "contracts",
        "webhook",
        "defaults",
        "max_rows",
        "roles",
        "a",
        "products",
        "unmask",
        "users",
        "groups",
        "attributes",
        "tokens",
        "sha256",
        "expires",
        "governance",
        "column_names",
        "require_pii",
        "domains",
        "relations",
        "functions",
        "allow",
        "certificate",
        "on_behalf_of",
    ]);
    let value = prop_oneof![
        Just("1".to_owned()),
        Just("\"${X}\"".to_owned()),
        Just("\"${file:x}\"".to_owned()),
        Just("\"postgres://u:p@h/x\"".to_owned()),
        Just("\"SCRAM-SHA-256$4096:YQ==$:\"".to_owned()),
        Just("\"CN=é,O=\\\"x\"".to_owned()),
        Just("2027-01-31".to_owned()),
        Just("{ a = \"b\", w = [] }".to_owned()),
        Just("[\"*\", \"a.b\", 3]".to_owned()),
        Just("true".to_owned()),
        "\"[^\"\\\\\n\r]{0,12}\"",
        ".{0,8}",
    ];
    let line = (prop::collection::vec(key.clone(), 1..4), value)
        .prop_map(|(keys, value)| format!("{} = {value}\n", keys.join(".")));
    let header = prop::collection::vec(key, 1..4).prop_map(|keys| format!("[{}]\n", keys.join(".")));
    prop::collection::vec(prop_oneof![3 => line, 1 => header], 0..12).prop_map(|parts| parts.concat())
}

proptest! {
    #[test]
    fn no_text_makes_the_readers_panic(text in prop_oneof![".*", "[\\x00-\\x7f]{0,200}", fragment()]) {
        let given = Given(BTreeMap::from([("X", "\u{0}é")]));
        for unset in [Unset::Error, Unset::Warning] {
            let substitution = Substitution { variables: &given, unset, allowed: None };
            let file = SourceFile::new("x.toml", text.clone());
            if let Err(findings) = parse_server(&file, substitution) {
                prop_assert!(findings.has_errors());
                let _ = findings.to_string();
            }
            let twice = [file.clone(), file];
            if let Err(findings) = parse_policy(&twice, substitution) {
                let _ = findings.to_string();
            }
        }
    }

    #[test]
    fn no_certificate_subject_makes_the_reader_panic(subject in prop_oneof!["(CN|O|OU|=|,|\\+|\\\\|#|é|[0-9a-f.]){0,12}", ".*"]) {
        let text = format!("[users.u]\ncertificate = {}\n", toml::Value::String(subject));
        let _ = policy(&text);
    }
}

#[test]
fn certificate_subjects_are_read_as_openssl_prints_them() {
    for good in ["CN=superset,O=Example", "CN = superset, O = Example", "cn=a+OU=b", "CN=a\\,b", "2.5.4.3=x", "CN=é"] {
        let text = format!("[users.u]\ncertificate = {}\n", toml::Value::String(good.to_owned()));
        let (policy, _) = policy(&text).unwrap_or_else(|e| panic!("{good}: {e}"));
        assert_eq!(policy.users["u"].certificate.as_deref(), Some(good));
    }
    for bad in ["superset", "CN", "colour=red", "=x", ","] {
        assert!(policy(&format!("[users.u]\ncertificate = \"{bad}\"\n")).is_err(), "{bad}");
    }
}
