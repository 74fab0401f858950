//! Findings as they are printed, and texts of any kind.

use proptest::prelude::*;

use super::*;

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
