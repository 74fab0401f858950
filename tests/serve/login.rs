//! Who gets in, and what the others are told.

use crate::common::proxy::Proxy;
use crate::common::wire::{Frame, Wire};
use crate::{Case, Fixture};
use postgres_protocol::message::frontend;

pub const CASES: &[Case] = &[
    ("login::right_password", right_password),
    ("login::wrong_password_and_unknown_user_look_alike", look_alike),
    ("login::unknown_database_names_the_known_ones", unknown_database),
    ("login::encodings_other_than_utf8_are_refused", encoding),
    ("login::replication_is_refused", replication),
    ("login::startup_settings_hold", startup_settings),
    ("login::plaintext_is_refused_where_tls_is_required", tls_required),
    ("login::parameters_are_reported", parameters),
];

fn right_password(f: &Fixture) {
    let mut wire = f.proxy.login("analyst");
    assert_eq!(wire.one("SELECT current_user").scalar(), "analyst");
    assert!(wire.key.0 > 0);
    wire.terminate();
}

/// The shape of a refused login: each message's tag and length, and the error's fields but the name.
fn refusal(f: &Fixture, user: &str) -> (Vec<(u8, usize)>, String) {
    let mut wire = Wire::open(f.proxy.port);
    wire.queue(|out| frontend::startup_message([("user", user), ("database", "warehouse")], out).unwrap()).flush();
    let mut frames: Vec<Frame> = vec![wire.read().unwrap()];
    let mut scram = postgres_protocol::authentication::sasl::ScramSha256::new(
        b"not the password",
        postgres_protocol::authentication::sasl::ChannelBinding::unsupported(),
    );
    wire.queue(|out| frontend::sasl_initial_response("SCRAM-SHA-256", scram.message(), out).unwrap()).flush();
    let first = wire.read().unwrap();
    scram.update(&first.body[4..]).unwrap();
    frames.push(first);
    wire.queue(|out| frontend::sasl_response(scram.message(), out).unwrap()).flush();
    let error = wire.read().unwrap();
    let fields = error.fields();
    assert_eq!(fields[&'C'], "28P01");
    assert_eq!(fields[&'M'], format!("password authentication failed for user \"{user}\""));
    assert!(wire.read().is_err(), "the connection is closed");
    frames.push(error);
    (frames.iter().map(|f| (f.tag, f.body.len())).collect(), fields.keys().collect())
}

fn look_alike(f: &Fixture) {
    let (known, unknown) = (refusal(f, "analyst"), refusal(f, "annabel"));
    assert_eq!(known, unknown);
    let again = refusal(f, "annabel");
    assert_eq!(unknown, again);
}

fn unknown_database(f: &Fixture) {
    let error = Wire::connect(f.proxy.port, "analyst", "analyst-demo", "nowhere", &[]).err().unwrap();
    assert_eq!(error.sqlstate(), "3D000");
    let text = format!("{:?}", error.error);
    assert!(text.contains("nowhere") && text.contains("warehouse"), "{text}");
    let error = Wire::connect(f.proxy.port, "analyst", "wrong", "nowhere", &[]).err().unwrap();
    assert_eq!(error.sqlstate(), "28P01", "what databases there are is for those who logged in");
}

fn encoding(f: &Fixture) {
    for fine in ["UTF8", "utf-8", "'utf-8'", "unicode"] {
        assert!(f.proxy.login_with("analyst", &[("client_encoding", fine)]).is_ok(), "{fine}");
    }
    let error = f.proxy.login_with("analyst", &[("client_encoding", "LATIN1")]).err().unwrap();
    assert_eq!(error.sqlstate(), "22023");
    let mut wire = f.proxy.login("analyst");
    assert!(!wire.one("SET client_encoding = 'LATIN1'").sqlstate().is_empty());
    assert_eq!(wire.one("SET client_encoding = 'UTF8'").tag, "SET");
}

fn replication(f: &Fixture) {
    let error = f.proxy.login_with("analyst", &[("replication", "database")]).err().unwrap();
    assert_eq!(error.sqlstate(), "0A000", "{error:?}");
}

fn startup_settings(f: &Fixture) {
    let mut wire = f
        .proxy
        .login_with(
            "analyst",
            &[
                ("options", "-c TimeZone=Asia/Tokyo -c statement_timeout=5s"),
                ("application_name", "report"),
                ("extra_float_digits", "3"),
            ],
        )
        .unwrap();
    for (name, value) in [
        ("TimeZone", "Asia/Tokyo"),
        ("statement_timeout", "5s"),
        ("application_name", "report"),
        ("extra_float_digits", "3"),
    ] {
        assert_eq!(wire.one(&format!("SHOW {name}")).scalar(), value);
    }
    assert_eq!(wire.parameters["TimeZone"], "Asia/Tokyo");
    assert!(wire.one("SELECT timestamptz '2025-01-01 00:00:00Z'").scalar().ends_with("+09"));
}

fn tls_required(f: &Fixture) {
    let proxy = Proxy::start(&f.warehouse, |dir| {
        let path = dir.join("pgveil.toml");
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, text.replace("key = \"tls/server.key\"", "key = \"tls/server.key\"\nmode = \"require\""))
            .unwrap();
    });
    let error = proxy.login_with("analyst", &[]).err().unwrap();
    assert_eq!(error.sqlstate(), "28000");
    assert!(format!("{error:?}").contains("sslmode=require"), "{error:?}");
}

fn parameters(f: &Fixture) {
    let wire = f.proxy.login("analyst");
    for (name, value) in [
        ("client_encoding", "UTF8"),
        ("server_encoding", "UTF8"),
        ("standard_conforming_strings", "on"),
        ("integer_datetimes", "on"),
        ("is_superuser", "off"),
        ("session_authorization", "analyst"),
        ("DateStyle", "ISO, MDY"),
    ] {
        assert_eq!(wire.parameters.get(name).map(String::as_str), Some(value), "{name}");
    }
    assert!(wire.parameters["server_version"].starts_with("15"), "{:?}", wire.parameters);
}
