//! Clients that do what no library would.

use bytes::BufMut;
use postgres_protocol::authentication::sasl::{ChannelBinding, ScramSha256};

use super::*;
use crate::wire::{self, answer};

pub(super) fn packet(code: u32, rest: &[u8]) -> Vec<u8> {
    let mut packet = BytesMut::new();
    packet.put_u32(u32::try_from(rest.len() + 8).unwrap());
    packet.put_u32(code);
    packet.put_slice(rest);
    packet.to_vec()
}

pub(super) const SSL_REQUEST: u32 = 80_877_103;
const GSS_REQUEST: u32 = 80_877_104;
const CANCEL_REQUEST: u32 = 80_877_102;

pub(super) fn startup(version: u32, parameters: &[(&str, &str)]) -> Vec<u8> {
    let mut rest: Vec<u8> = parameters.iter().flat_map(|(n, v)| format!("{n}\0{v}\0").into_bytes()).collect();
    rest.push(0);
    packet(version, &rest)
}

fn password_message(body: &[u8]) -> Vec<u8> {
    let mut message = vec![b'p'];
    message.extend(u32::try_from(body.len() + 4).unwrap().to_be_bytes());
    message.extend(body);
    message
}

fn sasl_initial(mechanism: &str, first: &[u8]) -> Vec<u8> {
    let mut body = mechanism.as_bytes().to_vec();
    body.push(0);
    body.extend(u32::try_from(first.len()).unwrap().to_be_bytes());
    body.extend(first);
    password_message(&body)
}

pub(super) async fn frame(stream: &mut (impl AsyncRead + Unpin)) -> BytesMut {
    let mut frame = BytesMut::zeroed(5);
    stream.read_exact(&mut frame).await.unwrap();
    let header = wire::header(&frame).unwrap().unwrap();
    frame.resize(header.len, 0);
    stream.read_exact(&mut frame[5..]).await.unwrap();
    frame
}

/// SQLSTATE and message of the error that comes next, which must be the last thing that comes.
async fn last_error(stream: &mut DuplexStream) -> (String, String) {
    let error = frame(stream).await;
    assert_eq!(error[0], answer::tag::ERROR_RESPONSE, "{error:?}");
    let report = answer::Report::parse(wire::body(&error)).unwrap();
    assert!(report.is_fatal());
    let told = (report.sqlstate().unwrap().as_str().to_owned(), report.message().into_owned());
    assert_eq!(stream.read(&mut [0; 1]).await.unwrap(), 0, "the connection ends with the error");
    told
}

/// Speaks SCRAM; gives the shape of what was heard: tag, kind, length of each message, and the challenge without its nonce.
async fn scram(stream: &mut DuplexStream, password: &str) -> Vec<String> {
    let mut heard = vec![];
    let mut client = ScramSha256::new(password.as_bytes(), ChannelBinding::unsupported());
    heard.push(format!("{:?}", frame(stream).await));
    stream.write_all(&sasl_initial("SCRAM-SHA-256", client.message())).await.unwrap();
    let challenge = frame(stream).await;
    let text = String::from_utf8(challenge[9..].to_vec()).unwrap();
    let salt = text.split(',').nth(1).unwrap();
    heard.push(format!("{} {} salt of {}", challenge[8], text.rsplit_once(',').unwrap().1, salt.len()));
    client.update(text.as_bytes()).unwrap();
    stream.write_all(&password_message(client.message())).await.unwrap();
    heard.push(format!("{:?}", frame(stream).await));
    heard
}

async fn salt(surroundings: &StartupSurroundings, user: &str) -> String {
    let (mut stream, _server) = connect(surroundings);
    stream.write_all(&startup(0x3_0000, &[("user", user)])).await.unwrap();
    frame(&mut stream).await;
    stream.write_all(&sasl_initial("SCRAM-SHA-256", b"n,,n=,r=abc")).await.unwrap();
    let challenge = frame(&mut stream).await;
    let text = String::from_utf8(challenge[9..].to_vec()).unwrap();
    text.split(',').nth(1).unwrap().to_owned()
}

#[tokio::test]
async fn wrong_password_and_unknown_user_are_the_same_conversation() {
    let around = surroundings();
    let mut conversations = vec![];
    // Of one length, so that the messages may have one length as well.
    for (user, password) in [("ana", "Pencil"), ("bob", "pencil"), ("svc", "pencil")] {
        let (mut stream, _server) = connect(&around);
        stream.write_all(&startup(0x3_0000, &[("user", user)])).await.unwrap();
        let heard = scram(&mut stream, password).await;
        conversations.push(heard.join("\n").replace(user, "WHO"));
        assert_eq!(stream.read(&mut [0; 1]).await.unwrap(), 0);
    }
    assert_eq!(conversations[0], conversations[1]);
    assert_eq!(conversations[0], conversations[2]);

    assert_eq!(
        salt(&around, "bob").await,
        salt(&around, "bob").await,
        "asked twice, the same salt, as for a real user"
    );
    assert_eq!(salt(&around, "ana").await, salt(&around, "ana").await);
    assert_ne!(salt(&around, "bob").await, salt(&around, "bobby").await);
}

#[tokio::test]
async fn an_empty_first_response_is_asked_for_once() {
    let (mut stream, server) = connect(&surroundings());
    stream.write_all(&startup(0x3_0000, &[("user", "ana"), ("database", "lake")])).await.unwrap();
    frame(&mut stream).await;
    let mut client = ScramSha256::new(b"pencil", ChannelBinding::unsupported());
    stream.write_all(&password_message(b"SCRAM-SHA-256\0\xff\xff\xff\xff")).await.unwrap();
    assert_eq!(&frame(&mut stream).await[..], b"R\0\0\0\x08\0\0\0\x0b");
    stream.write_all(&password_message(client.message())).await.unwrap();
    client.update(&frame(&mut stream).await[9..]).unwrap();
    stream.write_all(&password_message(client.message())).await.unwrap();
    client.finish(&frame(&mut stream).await[9..]).unwrap();
    assert_eq!(&frame(&mut stream).await[..], b"R\0\0\0\x08\0\0\0\0");
    assert_eq!(server.await.unwrap().unwrap().warehouse.as_str(), "lake");
}

#[tokio::test]
async fn a_request_for_encryption_without_any_is_answered_with_no() {
    for requests in [&[SSL_REQUEST][..], &[GSS_REQUEST], &[GSS_REQUEST, SSL_REQUEST], &[SSL_REQUEST, GSS_REQUEST]] {
        let (mut stream, _server) = connect(&surroundings());
        for request in requests {
            stream.write_all(&packet(*request, b"")).await.unwrap();
            assert_eq!(stream.read_u8().await.unwrap(), b'N');
        }
        stream.write_all(&startup(0x3_0000, &[("user", "ana")])).await.unwrap();
        assert_eq!(frame(&mut stream).await[0], b'R');
    }
}

#[tokio::test]
async fn encryption_is_asked_for_once() {
    for request in [SSL_REQUEST, GSS_REQUEST] {
        let (mut stream, server) = connect(&surroundings());
        stream.write_all(&packet(request, b"")).await.unwrap();
        assert_eq!(stream.read_u8().await.unwrap(), b'N');
        stream.write_all(&packet(request, b"")).await.unwrap();
        let (sqlstate, message) = last_error(&mut stream).await;
        assert_eq!((sqlstate.as_str(), message.as_str()), ("08P01", "encryption was requested more than once"));
        drop(stream);
        assert_eq!(refusal(server.await.unwrap()).reason, "protocol");
    }
}

#[tokio::test]
async fn bytes_behind_a_request_for_encryption_end_the_connection() {
    for request in [SSL_REQUEST, GSS_REQUEST] {
        let (mut stream, _server) = connect(&surroundings());
        let stuffed = [packet(request, b""), startup(0x3_0000, &[("user", "ana")])].concat();
        stream.write_all(&stuffed).await.unwrap();
        let (sqlstate, message) = last_error(&mut stream).await;
        assert_eq!(sqlstate, "08P01");
        assert!(message.starts_with("received unencrypted data after"), "{message}");
    }
}

#[tokio::test]
async fn versions_are_negotiated() {
    let user = ("user", "ana");
    for (version, options, expected) in [
        (0x3_0000_u32, &[][..], None),
        (0x3_0002, &[], None),
        (0x3_0003, &[], Some((&b"\0\x03\0\x02\0\0\0\0"[..], (3, 2)))),
        (0x3_270f, &[], Some((&b"\0\x03\0\x02\0\0\0\0"[..], (3, 2)))),
        (0x3_0000, &["_pq_.x"], Some((&b"\0\x03\0\0\0\0\0\x01_pq_.x\0"[..], (3, 0)))),
        (0x3_0002, &["_pq_.x"], Some((&b"\0\x03\0\x02\0\0\0\x01_pq_.x\0"[..], (3, 2)))),
    ] {
        let (mut stream, _server) = connect(&surroundings());
        let parameters: Vec<_> = [user].into_iter().chain(options.iter().map(|name| (*name, "1"))).collect();
        stream.write_all(&startup(version, &parameters)).await.unwrap();
        let mut first = frame(&mut stream).await;
        if let Some((body, _)) = expected {
            assert_eq!((first[0], wire::body(&first)), (b'v', body), "{version:x}");
            first = frame(&mut stream).await;
        }
        assert_eq!(first[0], b'R', "{version:x}");
    }
    for version in [0x2_0000_u32, 0x4_0000, 0x1_0000, 0] {
        let (mut stream, _server) = connect(&surroundings());
        stream.write_all(&startup(version, &[user])).await.unwrap();
        let (sqlstate, message) = last_error(&mut stream).await;
        assert_eq!(sqlstate, "0A000");
        assert!(message.ends_with("server supports 3.0 to 3.2"), "{message}");
    }
}

#[tokio::test]
async fn the_agreed_version_is_the_clients_own_or_lower() {
    for (asked, agreed) in [(0x3_0000_u32, (3, 0)), (0x3_0001, (3, 1)), (0x3_0002, (3, 2)), (0x3_0009, (3, 2))] {
        let (mut stream, server) = connect(&surroundings());
        stream.write_all(&startup(asked, &[("user", "ana"), ("database", "lake")])).await.unwrap();
        if asked == 0x3_0009 {
            assert_eq!(frame(&mut stream).await[0], b'v');
        }
        scram(&mut stream, "pencil").await;
        assert_eq!(server.await.unwrap().unwrap().protocol, agreed);
    }
}

#[tokio::test]
async fn start_up_that_cannot_be_is_refused_with_a_reason() {
    let with =
        |extra: &'static [(&'static str, &'static str)]| startup(0x3_0000, &[&[("user", "ana")], extra].concat());
    let huge = packet(0x3_0000, &[b'x'; 9_990]);
    for (bytes, sqlstate, part) in [
        (with(&[("replication", "true")]), "0A000", "replication"),
        (with(&[("replication", "database")]), "0A000", "replication"),
        (with(&[("client_encoding", "LATIN1")]), "22023", "client_encoding"),
        (with(&[("options", "-d 5")]), "42601", "-d"),
        (startup(0x3_0000, &[("database", "lake")]), "28000", "no PostgreSQL user name"),
        (packet(0x3_0000, b"user\0\xff\0\0"), "22021", "0xff"),
        (packet(0x3_0000, b"user\0ana"), "08P01", "layout"),
        (b"GET / HTTP/1.1\r\n\r\n".to_vec(), "08P01", "invalid length of startup packet"),
        (vec![0, 0, 0, 4], "08P01", "invalid length of startup packet"),
        (vec![0xff; 8], "08P01", "invalid length of startup packet"),
        (huge[..8].to_vec(), "", ""),
    ] {
        let (mut stream, server) = connect(&surroundings());
        stream.write_all(&bytes).await.unwrap();
        if sqlstate.is_empty() {
            // Within the limit, so the rest is waited for; a client that goes away is no failure.
            drop(stream);
            assert!(matches!(server.await.unwrap(), Err(StartupEnd::Closed)));
            continue;
        }
        let told = last_error(&mut stream).await;
        assert!(told.0 == sqlstate && told.1.contains(part), "{told:?}");
        drop(stream);
        refusal(server.await.unwrap());
    }
}

#[tokio::test]
async fn what_comes_instead_of_a_password_is_bounded_and_refused() {
    let mut huge = vec![b'p'];
    huge.extend(1_000_000_u32.to_be_bytes());
    for (bytes, sqlstate, part) in [
        (b"Q\0\0\0\x0dselect 1\0".to_vec(), "08P01", "expected SASL response, got message type 81"),
        (huge, "54000", "10000"),
        (b"p\0\0\0\x03".to_vec(), "08P01", "invalid message length"),
        (password_message(b"pencil\0"), "08P01", "insufficient data"),
        (sasl_initial("SCRAM-SHA-256-PLUS", b"p=tls-server-end-point,,n=,r=a"), "08P01", "invalid SASL"),
        (sasl_initial("SCRAM-SHA-256", b"nonsense"), "08P01", "malformed SCRAM message"),
    ] {
        let (mut stream, _server) = connect(&surroundings());
        stream.write_all(&startup(0x3_0000, &[("user", "ana")])).await.unwrap();
        assert_eq!(&frame(&mut stream).await[..], b"R\0\0\0\x17\0\0\0\x0aSCRAM-SHA-256\0\0");
        stream.write_all(&bytes).await.unwrap();
        let told = last_error(&mut stream).await;
        assert!(told.0 == sqlstate && told.1.contains(part), "{told:?}");
    }
}

#[tokio::test]
async fn clients_that_go_away_are_no_failures() {
    let beginnings: [&[u8]; 4] = [b"", b"\0\0", b"\0\0\0\x08", b"\x16\x03\x01"];
    for beginning in beginnings {
        let (mut stream, server) = connect(&surroundings());
        stream.write_all(beginning).await.unwrap();
        drop(stream);
        assert!(matches!(server.await.unwrap(), Err(StartupEnd::Closed)));
    }
    let (mut stream, server) = connect(&surroundings());
    stream.write_all(&startup(0x3_0000, &[("user", "ana")])).await.unwrap();
    frame(&mut stream).await;
    stream.write_all(b"X\0\0\0\x04").await.unwrap();
    assert!(matches!(server.await.unwrap(), Err(StartupEnd::Closed)));
}

#[tokio::test]
async fn a_slow_client_meets_the_deadline() {
    let around = StartupSurroundings { startup_timeout: Duration::from_secs(2), ..surroundings() };
    let began = tokio::time::Instant::now();
    let (mut stream, server) = connect(&around);
    let (mut read, mut write) = tokio::io::split(&mut stream);
    let drip = async {
        // Each byte is progress; there are not enough of them in time.
        for byte in startup(0x3_0000, &[("user", "ana"), ("application_name", &"x".repeat(9000))]) {
            if write.write_all(&[byte]).await.is_err() {
                return false;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        true
    };
    let listen = async {
        let error = frame(&mut read).await;
        let report = answer::Report::parse(wire::body(&error)).unwrap();
        assert_eq!(report.message(), "canceling authentication due to timeout");
        assert!(report.field(b'H').unwrap().contains("2s"));
        began.elapsed()
    };
    let (all_sent, heard_after) = tokio::join!(drip, listen);
    assert!(heard_after >= around.startup_timeout && !all_sent, "{heard_after:?}");
    drop(stream);
    assert!(matches!(server.await.unwrap(), Err(StartupEnd::TimedOut(_))));
}

#[tokio::test]
async fn a_client_that_stops_in_the_middle_meets_the_deadline_too() {
    let around = StartupSurroundings { startup_timeout: Duration::from_secs(2), ..surroundings() };
    let (mut stream, server) = connect(&around);
    stream.write_all(&startup(0x3_0000, &[("user", "ana")])).await.unwrap();
    frame(&mut stream).await;
    let Err(StartupEnd::TimedOut(attempt)) = server.await.unwrap() else { panic!("no deadline") };
    assert_eq!(attempt.user, "ana");
    assert_eq!(around.slots.available_permits(), 3);
}

#[tokio::test]
async fn cancel_requests_reach_their_session_and_are_never_answered() {
    let around = surroundings();
    let old = around.cancel.register(&UserName::new("ana"), (3, 0));
    let new = around.cancel.register(&UserName::new("ana"), (3, 2));
    let cancel = |pid: i32, key: &[u8]| packet(CANCEL_REQUEST, &[&pid.to_be_bytes(), key].concat());
    for (request, expected) in [
        (cancel(old.pid(), &[old.key()[0] ^ 1, 0, 0, 0]), false),
        (cancel(0, old.key()), false),
        (cancel(old.pid(), old.key()), true),
        (cancel(new.pid(), new.key()), true),
    ] {
        let (mut stream, server) = connect(&around);
        stream.write_all(&request).await.unwrap();
        assert_eq!(stream.read(&mut [0; 1]).await.unwrap(), 0);
        assert!(matches!(server.await.unwrap(), Err(StartupEnd::Cancelled(found)) if found == expected));
    }
    old.cancelled().await;
    new.cancelled().await;

    // After a request for encryption that was answered with no, as libpq does it.
    let (mut stream, server) = connect(&around);
    stream.write_all(&packet(SSL_REQUEST, b"")).await.unwrap();
    assert_eq!(stream.read_u8().await.unwrap(), b'N');
    stream.write_all(&cancel(old.pid(), old.key())).await.unwrap();
    assert!(matches!(server.await.unwrap(), Err(StartupEnd::Cancelled(true))));
}

#[tokio::test]
async fn pipelined_bytes_behind_the_proof_are_kept_for_the_session() {
    let (mut stream, server) = connect(&surroundings());
    stream.write_all(&startup(0x3_0000, &[("user", "ana"), ("database", "lake")])).await.unwrap();
    frame(&mut stream).await;
    let mut client = ScramSha256::new(b"pencil", ChannelBinding::unsupported());
    stream.write_all(&sasl_initial("SCRAM-SHA-256", client.message())).await.unwrap();
    client.update(&frame(&mut stream).await[9..]).unwrap();
    let query = b"Q\0\0\0\x0dselect 1\0";
    stream.write_all(&[&password_message(client.message())[..], query].concat()).await.unwrap();
    let client = server.await.unwrap().unwrap();
    assert_eq!(&client.buffer[..], query);
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]
    #[test]
    fn no_bytes_make_it_panic_or_let_anybody_in(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..300),
                                                 valid_start in proptest::prelude::any::<bool>()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let outcome = runtime.block_on(async {
            let (mut stream, server) = connect(&surroundings());
            let start = if valid_start { startup(0x3_0000, &[("user", "ana")]) } else { vec![] };
            stream.write_all(&[start, bytes].concat()).await.unwrap();
            stream.shutdown().await.unwrap();
            server.await.unwrap()
        });
        proptest::prop_assert!(outcome.is_err());
    }
}
