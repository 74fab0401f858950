//! Scripted servers that answer what no PostgreSQL would.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::upstream::connect::{Problem, Target};
use crate::upstream::{Connection, UpstreamError};

use super::{config, permit};

/// Accepts connections one after another; on each it reads, answers with the next of the script, and so on; then it closes.
async fn fake(scripts: Vec<Vec<Vec<u8>>>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        for script in scripts {
            let (mut socket, _) = listener.accept().await.unwrap();
            for answer in script {
                let mut buffer = [0; 4096];
                if socket.read(&mut buffer).await.unwrap_or(0) == 0 || socket.write_all(&answer).await.is_err() {
                    break;
                }
            }
        }
    });
    port
}

fn frame(tag: u8, body: &[u8]) -> Vec<u8> {
    let mut frame = vec![tag];
    frame.extend(u32::try_from(body.len() + 4).unwrap().to_be_bytes());
    frame.extend(body);
    frame
}

fn row(value: &str) -> Vec<u8> {
    let mut body = vec![0, 1];
    body.extend(u32::try_from(value.len()).unwrap().to_be_bytes());
    body.extend(value.as_bytes());
    frame(b'D', &body)
}

/// What a session begins with.
fn hello() -> Vec<u8> {
    let mut hello = frame(b'R', &[0; 4]);
    for (name, value) in
        [("client_encoding", "UTF8"), ("standard_conforming_strings", "on"), ("integer_datetimes", "on")]
    {
        hello.extend(frame(b'S', format!("{name}\0{value}\0").as_bytes()));
    }
    hello.extend(frame(b'K', &[0, 0, 0, 1, 0, 0, 0, 2]));
    hello.extend(frame(b'Z', b"I"));
    hello
}

fn shown(value: &str) -> Vec<u8> {
    [row(value), frame(b'C', b"SHOW\0"), frame(b'Z', b"I")].concat()
}

async fn dial(script: Vec<Vec<u8>>) -> Result<Connection, Problem> {
    let port = fake(vec![script]).await;
    let dsn = format!("postgres://u:secret@127.0.0.1:{port}/db?sslmode=disable&connect_timeout=60");
    Target::new(&config(&dsn), Vec::new()).unwrap().connect().await.map_err(|error| {
        assert!(!error.message.contains("secret"));
        error.problem
    })
}

async fn talk(answer: Vec<u8>) -> UpstreamError {
    let script = vec![hello(), shown("pg_catalog"), shown("on"), answer];
    let mut connection = dial(script).await.unwrap();
    connection.query(&permit("SELECT 1")).unwrap();
    loop {
        match connection.next_frame() {
            Err(error) => {
                assert!(connection.is_broken() && !connection.is_clean());
                return error;
            }
            Ok(Some(_)) => {}
            Ok(None) => {
                if let Err(error) = connection.fill().await {
                    return error;
                }
            }
        }
    }
}

#[tokio::test]
async fn start_ups_that_are_none() {
    let error = frame(b'E', b"SFATAL\0VFATAL\0C53300\0Msecret\0\0");
    for (what, answer, expected) in [
        ("closes at once", vec![], Problem::Network),
        ("HTTP", b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(), Problem::NotPostgres),
        ("a huge frame", vec![b'R', 0x7f, 0xff, 0xff, 0xff], Problem::NotPostgres),
        ("a frame without its length", vec![b'R', 0, 0, 0, 0], Problem::NotPostgres),
        ("a short authentication", frame(b'R', &[0, 0]), Problem::NotPostgres),
        ("an authentication of no kind", frame(b'R', &[0, 0, 0, 99]), Problem::Password),
        ("a wrong salt", frame(b'R', &[0, 0, 0, 5, 1]), Problem::NotPostgres),
        ("the password in the clear", frame(b'R', &[0, 0, 0, 3]), Problem::Password),
        ("SCRAM-SHA-1", frame(b'R', b"\0\0\0\x0aSCRAM-SHA-1\0\0"), Problem::Password),
        ("a row", row("x"), Problem::NotPostgres),
        ("an error", error, Problem::Full),
        ("half a frame", vec![b'R', 0, 0], Problem::Network),
    ] {
        assert_eq!(dial(vec![answer]).await.unwrap_err(), expected, "{what}");
    }
}

#[tokio::test]
async fn a_server_that_skips_its_proof_is_not_believed() {
    let sasl = frame(b'R', b"\0\0\0\x0aSCRAM-SHA-256\0\0");
    assert_eq!(dial(vec![sasl.clone(), hello()]).await.unwrap_err(), Problem::NotPostgres);
    let nonce = frame(b'R', b"\0\0\0\x0br=another,s=c2FsdA==,i=4096");
    assert_eq!(dial(vec![sasl, nonce]).await.unwrap_err(), Problem::Password);
}

#[tokio::test]
async fn a_pooler_that_drops_the_options_is_found_out() {
    let dropped = dial(vec![hello(), shown("\"$user\", public")]).await;
    assert_eq!(dropped.unwrap_err(), Problem::Pinned);
    let writable = dial(vec![hello(), shown("pg_catalog"), shown("off")]).await;
    assert_eq!(writable.unwrap_err(), Problem::Pinned);
    let latin = String::from_utf8_lossy(&hello()).replace("UTF8", "SQL_").into_bytes();
    assert_eq!(dial(vec![latin]).await.unwrap_err(), Problem::Pinned);
}

#[tokio::test]
async fn bytes_before_the_handshake_are_no_answer() {
    // 'S' and then a forged ErrorResponse: it becomes part of the handshake, which fails.
    let mut forged = b"S".to_vec();
    forged.extend(frame(b'R', &[0; 4]));
    let port = fake(vec![vec![forged]]).await;
    let dsn = format!("postgres://u@127.0.0.1:{port}/db?sslmode=require&connect_timeout=60");
    let error = Target::new(&config(&dsn), Vec::new()).unwrap().connect().await.unwrap_err();
    assert_eq!(error.problem, Problem::Tls);
}

#[tokio::test]
async fn answers_that_break_the_protocol_end_the_connection() {
    for (what, answer) in [
        ("a frame without its length", vec![b'T', 0, 0, 0, 3]),
        ("a huge frame", vec![b'C', 0x7f, 0, 0, 0]),
        ("an unknown status", frame(b'Z', b"X")),
        ("a ParseComplete", frame(b'1', b"")),
        ("COPY IN", frame(b'G', &[0, 0, 0])),
        ("an authentication request", frame(b'R', &[0, 0, 0, 3])),
        ("a key", frame(b'K', &[0; 8])),
        ("an error without an end", frame(b'E', b"C22012")),
        ("another encoding", frame(b'S', b"client_encoding\0LATIN1\0")),
        ("backslashes", frame(b'S', b"standard_conforming_strings\0off\0")),
        ("an unknown tag", frame(b'?', b"")),
    ] {
        let error = talk(answer).await;
        assert!(matches!(error, UpstreamError::Protocol(_)), "{what}: {error}");
    }
    let error = talk(frame(b'E', b"VFATAL\0C57P01\0Mterminating\0\0")).await;
    assert!(matches!(error, UpstreamError::Ended(state) if state.as_str() == "57P01"), "{error}");
    assert!(matches!(talk(vec![b'C', 0, 0]).await, UpstreamError::Lost(_)));
}

#[tokio::test]
async fn an_answer_to_nobody_spoils_an_idle_connection() {
    let late = [frame(b'C', b"SELECT 1\0"), frame(b'Z', b"I"), frame(b'C', b"SELECT 1\0")].concat();
    let length = late.len();
    let mut connection = dial(vec![hello(), shown("pg_catalog"), shown("on"), late]).await.unwrap();
    connection.query(&permit("SELECT 1")).unwrap();
    // However the bytes were divided on their way.
    while connection.read.len() < length {
        connection.fill().await.unwrap();
    }
    while connection.transaction_status() != crate::wire::TransactionStatus::Idle || connection.is_waiting() {
        assert!(connection.next_frame().unwrap().is_some());
    }
    assert!(!connection.is_clean() && !connection.end_lease());
}
