//! Handshakes over an in-memory duplex, with real clients where there is one and raw bytes where none would do it.

mod raw;
mod tls;

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::task::JoinHandle;
use tokio_postgres::NoTls;

use super::*;
use crate::config::{Policy, ScramVerifier, User};
use crate::wire::TransactionStatus;

/// A company with two people, and a service that has a certificate alone.
struct Company {
    policy: Policy,
    warehouses: Vec<WarehouseName>,
}

impl Admission for Company {
    fn credentials(&self, user: &str, mock: &MockSecret) -> Credentials {
        Credentials::of(&self.policy, user, mock)
    }
    fn database(&self, _: &UserName, name: &str) -> Result<WarehouseName, Vec<WarehouseName>> {
        self.warehouses.iter().find(|known| known.as_str() == name).cloned().ok_or_else(|| self.warehouses.clone())
    }
}

/// Made by another implementation than the one that checks it.
fn verifier(password: &str) -> ScramVerifier {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    let text = postgres_protocol::password::scram_sha_256(password.as_bytes());
    let [_, shape, keys] = text.split('$').collect::<Vec<_>>()[..] else { panic!("{text}") };
    let ((iterations, salt), (stored, server)) = (shape.split_once(':').unwrap(), keys.split_once(':').unwrap());
    let bytes = |text: &str| STANDARD.decode(text).unwrap();
    ScramVerifier {
        iterations: iterations.parse().unwrap(),
        salt: bytes(salt),
        stored_key: bytes(stored).try_into().unwrap(),
        server_key: bytes(server).try_into().unwrap(),
    }
}

fn user(password: Option<&str>, certificate: Option<&str>) -> User {
    User {
        password: password.map(verifier),
        certificate: certificate.map(str::to_owned),
        roles: vec![],
        attributes: BTreeMap::new(),
        on_behalf_of: vec![],
        limits: Default::default(),
    }
}

fn surroundings() -> StartupSurroundings {
    let users = [
        ("ana", user(Some("pencil"), None)),
        ("svc", user(None, Some("CN=superset,O=Example"))),
        ("both", user(Some("pencil"), Some("CN=superset,O=Example"))),
    ];
    let policy = Policy {
        users: users.into_iter().map(|(name, user)| (UserName::new(name), user)).collect(),
        ..Policy::default()
    };
    StartupSurroundings {
        admission: Arc::new(Company { policy, warehouses: vec!["analytics".into(), "lake".into()] }),
        mock: MockSecret::derived("test"),
        tls: None,
        cancel: Registry::default(),
        slots: Arc::new(Semaphore::new(3)),
        max_clients: 3,
        startup_timeout: Duration::from_secs(20),
    }
}

type Outcome = Result<Client<DuplexStream>, StartupEnd>;

fn peer() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 4711))
}

/// Begins a connection; the client's end, and what becomes of the server's.
fn connect(surroundings: &StartupSurroundings) -> (DuplexStream, JoinHandle<Outcome>) {
    let (client, server) = duplex(1 << 16);
    let surroundings = surroundings.clone();
    (client, tokio::spawn(async move { accept(server, peer(), &surroundings).await }))
}

/// Lets a client library see a session, so that its own part of the handshake is complete.
fn connect_until_ready(surroundings: &StartupSurroundings) -> (DuplexStream, JoinHandle<Outcome>) {
    let (client, accepted) = connect(surroundings);
    let ready = tokio::spawn(async move {
        let mut client = accepted.await.unwrap()?;
        let mut out = BytesMut::new();
        backend::backend_key_data(&mut out, 1, &[0; 4]);
        backend::ready(&mut out, TransactionStatus::Idle);
        client.stream.write_all(&out).await.unwrap();
        client.stream.flush().await.unwrap();
        Ok(client)
    });
    (client, ready)
}

fn config(user: &str, password: &str) -> tokio_postgres::Config {
    let mut config = tokio_postgres::Config::new();
    config.user(user).password(password).dbname("analytics").ssl_mode(tokio_postgres::config::SslMode::Disable);
    config
}

fn refusal(outcome: Outcome) -> Refusal {
    match outcome {
        Err(StartupEnd::Refused(refusal)) => *refusal,
        other => panic!("not refused but {other:?}"),
    }
}

#[tokio::test]
async fn a_real_client_logs_in_with_its_password() {
    let around = surroundings();
    let (stream, server) = connect_until_ready(&around);
    let mut config = config("ana", "pencil");
    config.application_name("tests").options("-c statement_timeout=5s");
    let _session = config.connect_raw(stream, NoTls).await.unwrap();
    let client = server.await.unwrap().unwrap();
    assert_eq!((client.user.as_str(), client.warehouse.as_str()), ("ana", "analytics"));
    assert_eq!((client.method, client.protocol, client.tls.is_none()), (Method::Scram, (3, 0), true));
    assert_eq!((client.application.as_str(), client.peer), ("tests", peer()));
    let setting = |name: &str| client.parameters.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str());
    assert_eq!((setting("statement_timeout"), setting("client_encoding")), (Some("5s"), Some("UTF8")));
    assert_eq!((setting("user"), setting("database"), setting("options")), (None, None, None));
    assert_eq!(around.slots.available_permits(), 2);
    drop(client);
    assert_eq!(around.slots.available_permits(), 3);
}

#[tokio::test]
async fn a_real_client_is_told_no_more_than_that_the_password_failed() {
    for (user, password) in [("ana", "Pencil"), ("nobody", "pencil"), ("svc", "pencil"), ("ana", "")] {
        let (stream, server) = connect_until_ready(&surroundings());
        let error = config(user, password).connect_raw(stream, NoTls).await.err().unwrap();
        let told = error.as_db_error().unwrap();
        assert_eq!(told.message(), format!("password authentication failed for user \"{user}\""));
        assert_eq!((told.code().code(), told.severity()), ("28P01", "FATAL"));
        assert_eq!((told.detail(), told.hint()), (None, None));
        let refusal = refusal(server.await.unwrap());
        assert_eq!((refusal.reason, refusal.attempt.user.as_str()), ("authentication", user));
    }
}

#[tokio::test]
async fn an_unknown_database_is_told_after_authentication_alone() {
    let (stream, server) = connect_until_ready(&surroundings());
    let mut wrong = config("ana", "pencil");
    let error = wrong.dbname("nowhere").connect_raw(stream, NoTls).await.err().unwrap();
    let told = error.as_db_error().unwrap();
    assert_eq!((told.code().code(), told.message()), ("3D000", "database \"nowhere\" does not exist"));
    assert_eq!(told.hint(), Some("Databases that you may use: \"analytics\", \"lake\"."));
    assert_eq!(refusal(server.await.unwrap()).reason, "unknown_database");

    let (stream, _server) = connect_until_ready(&surroundings());
    let error = config("ana", "wrong").dbname("nowhere").connect_raw(stream, NoTls).await.err().unwrap();
    assert_eq!(error.as_db_error().unwrap().code().code(), "28P01");
}

#[tokio::test]
async fn one_client_too_many_is_told_so_and_a_place_is_free_again() {
    let around = surroundings();
    let mut clients = vec![];
    for _ in 0..3 {
        let (stream, server) = connect_until_ready(&around);
        drop(config("ana", "pencil").connect_raw(stream, NoTls).await.unwrap());
        clients.push(server.await.unwrap().unwrap());
    }
    let (stream, server) = connect_until_ready(&around);
    let error = config("ana", "pencil").connect_raw(stream, NoTls).await.err().unwrap();
    let told = error.as_db_error().unwrap();
    assert_eq!((told.code().code(), told.severity()), ("53300", "FATAL"));
    assert!(told.hint().unwrap().contains("3 connections at once"));
    assert_eq!(refusal(server.await.unwrap()).reason, "too_many_clients");

    clients.pop();
    let (stream, server) = connect_until_ready(&around);
    drop(config("ana", "pencil").connect_raw(stream, NoTls).await.unwrap());
    assert!(server.await.unwrap().is_ok());
}

#[tokio::test]
async fn a_failed_attempt_gives_its_place_back() {
    let around = surroundings();
    for _ in 0..5 {
        let (stream, server) = connect_until_ready(&around);
        assert!(config("ana", "wrong").connect_raw(stream, NoTls).await.is_err());
        assert!(server.await.unwrap().is_err());
    }
    assert_eq!(around.slots.available_permits(), 3);
}

#[test]
fn a_connection_can_be_accepted_in_a_task_of_its_own() {
    fn is_send<T: Send>(_: &T) {}
    let around = surroundings();
    let (_, server) = duplex(64);
    is_send(&accept(server, peer(), &around));
}
