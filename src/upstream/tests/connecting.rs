//! Getting in: authentication, TLS, pinned settings, and what is said when it fails.

use std::time::Duration;

use crate::config::{SecretString, WarehouseConfig};
use crate::upstream::connect::{ConnectError, Problem, Target};
use crate::upstream::test_postgres::{Nobody, Setup, TestPostgres};
use crate::upstream::tls::choose_binding;

use super::{answers, config, permit, server};

async fn try_dsn(dsn: &str) -> Result<(), ConnectError> {
    Target::new(&config(dsn), Vec::new()).unwrap().connect().await.map(drop)
}

async fn problem(dsn: &str) -> Problem {
    let error = try_dsn(dsn).await.unwrap_err();
    assert!(!error.message.contains("hunter2"), "{error}");
    error.problem
}

#[tokio::test]
async fn settings_are_pinned_and_custom_options_arrive() {
    server().sql("postgres", "CREATE SCHEMA IF NOT EXISTS \"Odd schema\"");
    let config =
        WarehouseConfig { extension_schemas: vec!["Odd schema".to_owned()], ..config(&server().dsn("postgres")) };
    let options = vec![("pgveil.ki".to_owned(), "ab\\ 12".to_owned())];
    let mut connection = Target::new(&config, options).unwrap().connect().await.unwrap();
    for (setting, value) in [
        ("search_path", "pg_catalog, \"Odd schema\""),
        ("default_transaction_read_only", "on"),
        ("standard_conforming_strings", "on"),
        ("client_encoding", "UTF8"),
        ("application_name", "pgveil"),
        ("pgveil.ki", "ab\\ 12"),
    ] {
        connection.query(&permit(&format!("SELECT current_setting('{setting}')"))).unwrap();
        assert_eq!(answers(&mut connection).await[1], format!("D:{value}"));
    }
    assert_eq!(connection.parameter("server_encoding"), Some("UTF8"));
}

#[tokio::test]
async fn the_key_is_in_no_debug_output() {
    let options = vec![("pgveil.ki".to_owned(), "hunter2".to_owned())];
    let config = WarehouseConfig { password: Some(SecretString::new("hunter2")), ..config("postgres://u@h/db") };
    assert!(!format!("{:?}", Target::new(&config, options).unwrap()).contains("hunter2"));
}

#[tokio::test]
async fn ways_to_log_in() {
    for method in ["scram-sha-256", "md5"] {
        let server = Setup::default().auth(method, "hunter2").start();
        try_dsn(&server.dsn("postgres")).await.unwrap();
        let wrong = server.dsn_of("postgres", Some("no"), "postgres");
        assert_eq!(problem(&wrong).await, Problem::Password, "{method}");
        let none = server.dsn_of("postgres", None, "postgres");
        assert_eq!(problem(&none).await, Problem::Password, "{method}");
    }
}

#[tokio::test]
async fn a_password_never_goes_out_in_the_clear() {
    let server = Setup::default().auth("password", "hunter2").tls().start();
    let dsn = server.dsn("postgres");
    assert_eq!(problem(&format!("{dsn}?sslmode=disable")).await, Problem::Password);
    try_dsn(&format!("{dsn}?sslmode=require")).await.unwrap();
}

#[tokio::test]
async fn the_matrix_of_tls() {
    let server: TestPostgres = Setup::default().auth("scram-sha-256", "hunter2").tls_only().start();
    let other = Setup::default().tls().start();
    let root = server.authority().display().to_string();
    let foreign = other.authority().display().to_string();
    let dsn = server.dsn("postgres");
    assert_eq!(problem(&format!("{dsn}?sslmode=disable")).await, Problem::Account);
    for good in [
        "sslmode=prefer".to_owned(),
        "sslmode=require".to_owned(),
        format!("sslmode=require&sslrootcert={root}"),
        format!("sslmode=verify-ca&sslrootcert={root}"),
        format!("sslmode=verify-full&sslrootcert={root}"),
    ] {
        try_dsn(&format!("{dsn}?{good}")).await.unwrap_or_else(|error| panic!("{good}: {error}"));
    }
    for bad in ["require", "verify-ca", "verify-full"] {
        let dsn = format!("{dsn}?sslmode={bad}&sslrootcert={foreign}");
        assert_eq!(problem(&dsn).await, Problem::Tls, "{bad}");
    }
    // The certificate is for localhost and 127.0.0.1.
    let by_another_name = format!("postgres://postgres:hunter2@elsewhere:{}/postgres?hostaddr=127.0.0.1", server.port);
    let dsn = format!("{by_another_name}&sslmode=verify-full&sslrootcert={root}");
    assert_eq!(problem(&dsn).await, Problem::Tls);
    try_dsn(&format!("{by_another_name}&sslmode=verify-ca&sslrootcert={root}")).await.unwrap();

    let plain = super::server().dsn("postgres");
    try_dsn(&format!("{plain}?sslmode=prefer")).await.unwrap();
    assert_eq!(problem(&format!("{plain}?sslmode=require")).await, Problem::Tls);
}

#[tokio::test]
async fn channels_are_bound_where_both_sides_can() {
    let server = Setup::default().auth("scram-sha-256", "hunter2").tls().start();
    let target = Target::new(&config(&format!("{}?sslmode=require", server.dsn("postgres"))), Vec::new()).unwrap();
    let (stream, _, _) = target.open().await.unwrap();
    let certificate = stream.peer_certificate().unwrap();
    assert!(choose_binding(Some(certificate), true).0);
    assert!(!choose_binding(Some(certificate), false).0);
    assert!(!choose_binding(None, true).0);
    target.connect().await.unwrap();
}

#[tokio::test]
async fn cancels_go_the_way_of_their_connection() {
    let encrypted = Setup::default().tls_only().start();
    let root = encrypted.authority().display().to_string();
    let directory = server().socket_directory().display().to_string().replace('/', "%2F");
    for (server, dsn) in [
        (&encrypted, format!("{}?sslmode=verify-full&sslrootcert={root}", encrypted.dsn("postgres"))),
        (server(), format!("postgres://postgres@{directory}:{}/postgres", server().port)),
    ] {
        let mut connection = Target::new(&config(&dsn), Vec::new()).unwrap().connect().await.unwrap();
        connection.query(&permit("SELECT pg_sleep(30)")).unwrap();
        connection.flush().await.unwrap();
        server.wait_until_asleep(connection.backend_pid());
        connection.cancel_handle().cancel(Duration::from_secs(60)).await.unwrap();
        assert_eq!(answers(&mut connection).await, ["T", "E:57014", "Z:I"]);
    }
}

#[tokio::test]
async fn a_socket_file_works_too() {
    let directory = server().socket_directory().display().to_string().replace('/', "%2F");
    let dsn = format!("postgres://postgres@{directory}:{}/postgres", server().port);
    try_dsn(&dsn).await.unwrap();
    assert_eq!(problem(&format!("{dsn}?sslmode=verify-full")).await, Problem::Tls);
    assert_eq!(problem("postgres://postgres@%2Ftmp%2Fnowhere/postgres").await, Problem::Refused);
}

#[tokio::test]
async fn what_is_said_when_nobody_is_there() {
    let nobody = Nobody::listens();
    assert_eq!(problem(&format!("postgres://u@127.0.0.1:{}/db", nobody.port())).await, Problem::Refused);
    // A name that cannot be one, so that no name server is asked.
    assert_eq!(problem(&format!("postgres://u@{}.invalid/db", "x".repeat(64))).await, Problem::Name);
    let dsn = format!("postgres://postgres@127.0.0.1:{}/nowhere", server().port);
    assert_eq!(problem(&dsn).await, Problem::Database);

    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = silent.local_addr().unwrap().port();
    let dsn = format!("postgres://u@127.0.0.1:{port}/db?connect_timeout=1");
    let error = try_dsn(&dsn).await.unwrap_err();
    assert_eq!(error.problem, Problem::Timeout);
    assert!(error.message.contains("within 1s"), "{error}");
}
