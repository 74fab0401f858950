use bytes::{BufMut, BytesMut};
use proptest::prelude::*;

use super::answer::{self, Report};
use super::backend::{self, Field};
use super::frontend::{self, Bind, Execute, Message, Parse, Target, tag};
use super::opening::{self, Opening};
use super::*;
use crate::error::{ClientError, ErrorKind, Notice, Severity, sqlstate};

fn frame(tag: u8, body: &[u8]) -> Vec<u8> {
    let mut frame = vec![tag];
    frame.extend(u32::try_from(body.len() + 4).unwrap().to_be_bytes());
    frame.extend(body);
    frame
}

fn decode(tag: u8, body: &[u8]) -> Result<String, WireError> {
    frontend::decode(&frame(tag, body)).map(|message| format!("{message:?}"))
}

#[test]
fn frames_are_measured_from_five_bytes_on() {
    let whole = frame(b'Q', b"select 1\0");
    for short in 0..HEADER_BYTES {
        assert_eq!(header(&whole[..short]), Ok(None));
    }
    assert_eq!(header(&whole[..5]), Ok(Some(Header { tag: b'Q', len: whole.len() })));
    assert_eq!(body(&whole), b"select 1\0");
    for (length, bytes) in [(0_i32, [0, 0, 0, 0]), (3, [0, 0, 0, 3]), (-1, [0xff; 4]), (i32::MIN, [0x80, 0, 0, 0])] {
        let mut bad = vec![b'Q'];
        bad.extend(bytes);
        let error = header(&bad).unwrap_err();
        assert_eq!(error, WireError::InvalidLength { tag: b'Q', length });
        let told = ClientError::from(error);
        assert_eq!((told.sqlstate, told.severity), (sqlstate::PROTOCOL_VIOLATION, Severity::Fatal));
    }
}

#[test]
fn sizes_and_types_are_checked_before_the_body_is_there() {
    let announce = |tag: u8, length: u32| {
        let mut start = vec![tag];
        start.extend(length.to_be_bytes());
        start
    };
    for tag in [tag::QUERY, tag::PARSE, tag::BIND, tag::COPY_DATA, tag::FUNCTION_CALL] {
        assert!(frontend::frame(&announce(tag, 99_999), 100_000).unwrap().is_some());
        let error = frontend::frame(&announce(tag, 100_000), 100_000).unwrap_err();
        assert_eq!(error, WireError::TooLarge { len: 100_001, max: 100_000 });
        let told = ClientError::from(error);
        assert_eq!((told.sqlstate, told.kind), (sqlstate::PROGRAM_LIMIT_EXCEEDED, ErrorKind::Limit));
        assert!(told.message.contains("100000") && told.hint.unwrap().contains("max_message"));
    }
    for tag in [tag::SYNC, tag::FLUSH, tag::TERMINATE, tag::CLOSE, tag::DESCRIBE, tag::EXECUTE, tag::COPY_FAIL] {
        assert!(frontend::frame(&announce(tag, 9_999), 1 << 20).unwrap().is_some());
        assert!(matches!(frontend::frame(&announce(tag, 10_000), 1 << 20), Err(WireError::TooLarge { .. })));
    }
    // One byte is enough to know that nothing good follows.
    for unknown in [b'p', b'T', b'q', 0, 0xff] {
        assert_eq!(frontend::frame(&[unknown], 100), Err(WireError::UnknownTag(unknown)));
    }
    assert_eq!(frontend::frame(&[], 100), Ok(None));
    assert_eq!(frontend::authentication_frame(b"Q"), Err(WireError::UnknownTag(b'Q')));
    assert!(matches!(
        frontend::authentication_frame(&announce(tag::PASSWORD, 10_000)),
        Err(WireError::TooLarge { max: 10_000, .. })
    ));
}

#[test]
fn client_messages_are_read() {
    let parse = frame(b'P', b"s\0select $1\0\0\x02\0\0\0\x17\0\0\0\0");
    let Message::Parse(Parse { statement: "s", sql: "select $1", types }) = frontend::decode(&parse).unwrap() else {
        panic!("{:?}", frontend::decode(&parse))
    };
    assert_eq!((types.to_vec(), types.len(), types.is_empty()), (vec![23, 0], 2, false));

    for (bytes, expected) in [
        (frame(b'Q', b"select 1\0"), Message::Query("select 1")),
        (frame(b'Q', b"\0"), Message::Query("")),
        (frame(b'D', b"Ss\0"), Message::Describe(Target::Statement("s"))),
        (frame(b'D', b"P\0"), Message::Describe(Target::Portal(""))),
        (frame(b'C', b"Pp\0"), Message::Close(Target::Portal("p"))),
        (frame(b'E', b"p\0\0\0\0\x05"), Message::Execute(Execute { portal: "p", max_rows: 5 })),
        (frame(b'E', b"\0\xff\xff\xff\xff"), Message::Execute(Execute { portal: "", max_rows: 0 })),
        (frame(b'H', b""), Message::Flush),
        (frame(b'S', b""), Message::Sync),
        (frame(b'X', b""), Message::Terminate),
        (frame(b'd', b"\xff\0x"), Message::CopyData(b"\xff\0x")),
        (frame(b'c', b""), Message::CopyDone),
        (frame(b'f', b"why\0"), Message::CopyFail("why")),
        (frame(b'F', b"anything"), Message::FunctionCall),
    ] {
        assert_eq!(frontend::decode(&bytes), Ok(expected));
    }
}

#[test]
fn a_bind_is_taken_apart() {
    let bytes = frame(b'B', b"p\0s\0\0\x02\0\0\0\x01\0\x02\0\0\0\x03abc\xff\xff\xff\xff\0\x01\0\x01");
    let Message::Bind(Bind { portal: "p", statement: "s", rest }) = frontend::decode(&bytes).unwrap() else {
        panic!("{:?}", frontend::decode(&bytes))
    };
    assert_eq!(rest.parameter_count(), 2);
    assert_eq!(rest.parameters().collect::<Vec<_>>(), [(Some(&b"abc"[..]), false), (None, true)]);
    assert_eq!((rest.result_format_count(), rest.result_is_binary(0), rest.result_is_binary(7)), (1, true, true));
    assert_eq!(rest.bytes(), &bytes[9..]);
    assert_eq!(BindRest::parse(rest.bytes()), Ok(rest));

    let rest = BindRest::parse(b"\0\0\0\0\0\x02\0\0\0\x01").unwrap();
    assert_eq!((rest.result_is_binary(0), rest.result_is_binary(1), rest.result_is_binary(2)), (false, true, false));
    let all_binary = BindRest::parse(b"\0\x01\0\x01\0\x02\0\0\0\0\0\0\0\0\0\0").unwrap();
    assert_eq!(all_binary.parameters().filter(|(_, binary)| *binary).count(), 2);
    assert_eq!(all_binary.result_format_count(), 0);
}

#[test]
fn malformed_messages_are_named_in_the_words_of_postgres() {
    let violation = |text: &str| WireError::Violation(text.into());
    for (tag, body, expected) in [
        (b'Q', &b"select 1"[..], WireError::Unterminated),
        (b'Q', b"", WireError::Unterminated),
        (b'Q', b"select\x001\0", WireError::Trailing),
        (b'Q', b"a\xff\xfeb\0", WireError::NotUtf8("0xff".into())),
        (b'Q', b"\xe2\x82\0", WireError::NotUtf8("0xe2 0x82".into())),
        (b'P', b"s\0select\0", WireError::Truncated),
        (b'P', b"s\0select\0\0\x02\0\0\0\x17", WireError::Truncated),
        (b'P', b"s\0select\0\0\0x", WireError::Trailing),
        (b'P', b"\xc0\0select\0\0\0", WireError::NotUtf8("0xc0".into())),
        (b'B', b"\0\0", WireError::Truncated),
        (b'B', b"\0\0\0\0\0\x01\0\0\0\x05abc\0\0", WireError::Truncated),
        (b'B', b"\0\0\0\0\0\x01\xff\xff\xff\xfe\0\0", WireError::Truncated),
        (b'B', b"\0\0\0\0\0\x01\x7f\xff\xff\xff\0\0", WireError::Truncated),
        (b'B', b"\0\0\0\x01\0\x02\0\0\0\0", WireError::FormatCode(2)),
        (b'B', b"\0\0\0\0\0\0\0\x01\xff\xff", WireError::FormatCode(-1)),
        (b'B', b"\0\0\0\0\0\0\0\0\0", WireError::Trailing),
        (
            b'B',
            b"\0\0\0\x02\0\0\0\0\0\x01\xff\xff\xff\xff\0\0",
            violation("bind message has 2 parameter formats but 1 parameters"),
        ),
        (b'D', b"Xs\0", violation("invalid DESCRIBE message subtype 88")),
        (b'C', b"\0s\0", violation("invalid CLOSE message subtype 0")),
        (b'D', b"S", WireError::Unterminated),
        (b'E', b"\0\0\0\0", WireError::Truncated),
        (b'S', b"x", WireError::Trailing),
        (b'z', b"", WireError::UnknownTag(b'z')),
    ] {
        assert_eq!(decode(tag, body), Err(expected.clone()), "{} {body:?}", char::from(tag));
        let told = ClientError::from(expected.clone());
        assert_eq!(told.severity == Severity::Fatal, expected.ends_connection());
    }
    let told = ClientError::from(WireError::NotUtf8("0xff".into()));
    assert_eq!((told.sqlstate, told.severity), (sqlstate::CHARACTER_NOT_IN_REPERTOIRE, Severity::Error));
    assert_eq!(told.message, "invalid byte sequence for encoding \"UTF8\": 0xff");
    assert_eq!(ClientError::from(WireError::FormatCode(2)).sqlstate, sqlstate::INVALID_PARAMETER_VALUE);
}

#[test]
fn sasl_messages_are_read() {
    let initial = frame(b'p', b"SCRAM-SHA-256\0\0\0\0\x03n,,");
    let read = frontend::sasl_initial(&initial).unwrap();
    assert_eq!((read.mechanism, read.data), ("SCRAM-SHA-256", Some(&b"n,,"[..])));
    let without = frame(b'p', b"SCRAM-SHA-256\0\xff\xff\xff\xff");
    assert_eq!(frontend::sasl_initial(&without).unwrap().data, None);
    for bad in [&b"SCRAM"[..], b"S\0\0\0\0\x09abc", b"S\0\0\0\0\x01abc", b"S\0\xff\xff\xff\xfe"] {
        assert!(frontend::sasl_initial(&frame(b'p', bad)).is_err(), "{bad:?}");
    }
    assert_eq!(frontend::sasl_response(&frame(b'p', b"c=biws")), Ok("c=biws"));
}

/// Every byte of every backend message, against a decoder that is not ours.
#[test]
fn backend_messages_are_those_of_the_protocol() {
    use postgres_protocol::message::backend as theirs;
    let mut out = BytesMut::new();
    let error = ClientError::new(ErrorKind::Client, sqlstate::SYNTAX_ERROR, "syntax error").with_detail("d").at(7);
    backend::error(&mut out, &error.with_hint("h\0idden"));
    backend::notice(&mut out, &Notice::new("cut"));
    backend::ready(&mut out, TransactionStatus::Failed);
    backend::command_complete(&mut out, "SELECT 5");
    backend::empty_query(&mut out);
    backend::parameter_status(&mut out, "TimeZone", "UTC");
    backend::backend_key_data(&mut out, 7, &[1, 2, 3, 4]);
    let field = Field { table_oid: 9, column: -3, type_oid: 23, type_size: 4, format: 1, ..Field::text("n") };
    backend::row_description(&mut out, &[field, Field::text("é")]);
    backend::data_row(&mut out, &[Some(b"x"), None, Some(b"")]);
    backend::parameter_description(&mut out, &[23, 25]);
    backend::copy_out_response(&mut out, true, 2);
    backend::copy_data(&mut out, b"row\n");
    backend::authentication_sasl(&mut out, &["A", "B"]);
    backend::authentication_sasl_continue(&mut out, b"r=1");
    backend::authentication_sasl_final(&mut out, b"v=1");
    let empty: [fn(&mut BytesMut); 8] = [
        backend::parse_complete,
        backend::bind_complete,
        backend::close_complete,
        backend::no_data,
        backend::portal_suspended,
        backend::copy_done,
        backend::authentication_ok,
        backend::empty_query,
    ];
    empty.iter().for_each(|encode| encode(&mut out));

    let mut shown = vec![];
    while let Some(message) = theirs::Message::parse(&mut out).unwrap() {
        shown.push(show(message));
    }
    assert!(out.is_empty());
    assert_eq!(
        shown.join("\n"),
        "error S=ERROR V=ERROR C=42601 M=syntax error D=d H=hidden P=7\n\
         notice S=NOTICE V=NOTICE C=01000 M=cut\n\
         ready E\n\
         complete SELECT 5\n\
         empty\n\
         status TimeZone UTC\n\
         key 7 16909060\n\
         row n:9:-3:23:4:-1:1 é:0:0:25:-1:-1:0\n\
         data x NULL \n\
         parameters 23 25\n\
         copy 1 1,1\n\
         copied row\n\n\
         sasl A B\n\
         continue r=1\n\
         final v=1\n\
         parsed\nbound\nclosed\nno data\nsuspended\ncopy done\nok\nempty"
    );
}

fn show(message: postgres_protocol::message::backend::Message) -> String {
    use postgres_protocol::message::backend::{ErrorFields, Message};
    use tokio_postgres::fallible_iterator::FallibleIterator;
    let fields = |fields: ErrorFields<'_>| {
        let field = |f: postgres_protocol::message::backend::ErrorField<'_>| {
            Ok(format!(" {}={}", char::from(f.type_()), String::from_utf8_lossy(f.value_bytes())))
        };
        fields.map(field).collect::<Vec<String>>().unwrap().concat()
    };
    match message {
        Message::ErrorResponse(body) => format!("error{}", fields(body.fields())),
        Message::NoticeResponse(body) => format!("notice{}", fields(body.fields())),
        Message::ReadyForQuery(body) => format!("ready {}", char::from(body.status())),
        Message::CommandComplete(body) => format!("complete {}", body.tag().unwrap()),
        Message::EmptyQueryResponse => "empty".into(),
        Message::ParameterStatus(body) => format!("status {} {}", body.name().unwrap(), body.value().unwrap()),
        Message::BackendKeyData(body) => format!("key {} {}", body.process_id(), body.secret_key()),
        Message::RowDescription(body) => {
            let column = |f: postgres_protocol::message::backend::Field<'_>| {
                let place = (f.table_oid(), f.column_id(), f.type_oid(), f.type_size(), f.type_modifier(), f.format());
                Ok(format!(" {}:{}:{}:{}:{}:{}:{}", f.name(), place.0, place.1, place.2, place.3, place.4, place.5))
            };
            format!("row{}", body.fields().map(column).collect::<Vec<String>>().unwrap().concat())
        }
        Message::DataRow(body) => {
            let value = |range: Option<std::ops::Range<usize>>| {
                Ok(range.map_or("NULL".into(), |range| String::from_utf8_lossy(&body.buffer()[range]).into_owned()))
            };
            format!("data {}", body.ranges().map(value).collect::<Vec<String>>().unwrap().join(" "))
        }
        Message::ParameterDescription(body) => {
            format!(
                "parameters {}",
                body.parameters().map(|oid| Ok(oid.to_string())).collect::<Vec<_>>().unwrap().join(" ")
            )
        }
        Message::CopyOutResponse(body) => {
            let formats = body.column_formats().map(|f| Ok(f.to_string())).collect::<Vec<_>>().unwrap();
            format!("copy {} {}", body.format(), formats.join(","))
        }
        Message::CopyData(body) => format!("copied {}", String::from_utf8_lossy(body.data())),
        Message::AuthenticationSasl(body) => {
            format!("sasl {}", body.mechanisms().map(|m| Ok(m.to_owned())).collect::<Vec<_>>().unwrap().join(" "))
        }
        Message::AuthenticationSaslContinue(body) => format!("continue {}", String::from_utf8_lossy(body.data())),
        Message::AuthenticationSaslFinal(body) => format!("final {}", String::from_utf8_lossy(body.data())),
        Message::ParseComplete => "parsed".into(),
        Message::BindComplete => "bound".into(),
        Message::CloseComplete => "closed".into(),
        Message::NoData => "no data".into(),
        Message::PortalSuspended => "suspended".into(),
        Message::CopyDone => "copy done".into(),
        Message::AuthenticationOk => "ok".into(),
        _ => "unexpected".into(),
    }
}

#[test]
fn a_fatal_error_and_the_negotiation_have_their_bytes() {
    let mut out = BytesMut::new();
    backend::error(&mut out, &ClientError::fatal(ErrorKind::Limit, sqlstate::TOO_MANY_CONNECTIONS, "full"));
    let report = Report::parse(body(&out)).unwrap();
    assert!(report.is_fatal());
    assert_eq!(report.sqlstate(), Some(sqlstate::TOO_MANY_CONNECTIONS));

    let mut out = BytesMut::new();
    backend::negotiate_protocol_version(&mut out, (3, 2), &["_pq_.x"]);
    assert_eq!(&out[..], frame(b'v', b"\0\x03\0\x02\0\0\0\x01_pq_.x\0"));
}

#[test]
fn answers_of_a_warehouse_are_read() {
    let report = Report::parse(b"SFEHLER\0VERROR\0C22P02\0Mbad \xff\0P12\0\0").unwrap();
    assert_eq!((report.severity().as_ref(), report.is_fatal(), report.position()), ("ERROR", false, Some(12)));
    assert_eq!((report.message().as_ref(), report.sqlstate().unwrap().as_str()), ("bad \u{fffd}", "22P02"));
    assert_eq!(report.field(b'D'), None);
    for bad in [&b""[..], b"Sx", b"Sx\0", b"\0x"] {
        assert!(Report::parse(bad).is_err(), "{bad:?}");
    }
    assert_eq!(answer::command_tag(b"INSERT 0 5\0"), Ok("INSERT 0 5"));
    assert!(answer::command_tag(b"SELECT 1\0x").is_err());
    assert_eq!(
        (answer::tag_rows("SELECT 12"), answer::tag_rows("BEGIN"), answer::tag_rows("a b")),
        (Some(12), None, None)
    );
    for status in [TransactionStatus::Idle, TransactionStatus::InTransaction, TransactionStatus::Failed] {
        assert_eq!(answer::ready_status(&[status.byte()]), Ok(status));
    }
    assert!(
        answer::ready_status(b"X").is_err()
            && answer::ready_status(b"").is_err()
            && answer::ready_status(b"II").is_err()
    );
    assert_eq!(answer::parameter_status(b"a\0b\0"), Ok(("a", "b")));
    assert_eq!(answer::backend_key_data(b"\0\0\0\x07abcd"), Ok((7, &b"abcd"[..])));
    assert_eq!(answer::parameter_description(b"\0\x02\0\0\0\x17\0\0\0\x19"), Ok(vec![23, 25]));
    assert!(answer::parameter_description(b"\0\x02\0\0\0\x17").is_err());
}

#[test]
fn a_row_description_is_rewritten_in_place() {
    let fields = [
        Field { table_oid: 99, column: 4, type_oid: 1043, type_modifier: 36, ..Field::text("email") },
        Field { table_oid: 99, column: 5, type_oid: 23, type_size: 4, format: 1, ..Field::text("") },
    ];
    let mut out = BytesMut::new();
    backend::row_description(&mut out, &fields);
    let origin = |index| if index == 0 { (70_000, 2) } else { (0, 0) };
    assert_eq!(answer::rewrite_row_description(&mut out[5..], origin), Ok(2));
    let expected =
        [Field { table_oid: 70_000, column: 2, ..fields[0] }, Field { table_oid: 0, column: 0, ..fields[1] }];
    assert_eq!(answer::row_description(&out[5..]).unwrap(), expected);

    for cut in 5..out.len() {
        let mut short = out[5..cut].to_vec();
        assert!(answer::rewrite_row_description(&mut short, |_| (0, 0)).is_err(), "{cut}");
        assert!(answer::row_description(&out[5..cut]).is_err(), "{cut}");
    }
    let mut long = out[5..].to_vec();
    long.push(0);
    assert_eq!(answer::rewrite_row_description(&mut long, |_| (0, 0)), Err(WireError::Trailing));
}

#[test]
fn openings_are_read() {
    let packet = |code: u32, rest: &[u8]| {
        let mut packet = BytesMut::new();
        packet.put_u32(u32::try_from(rest.len() + 8).unwrap());
        packet.put_u32(code);
        packet.put_slice(rest);
        packet
    };
    let startup = |rest: &[u8]| opening::decode(&packet(196_610, rest));
    assert_eq!(opening::decode(&packet(80_877_103, b"")), Ok(Opening::Tls));
    assert_eq!(opening::decode(&packet(80_877_104, b"")), Ok(Opening::Gss));
    assert!(opening::decode(&packet(80_877_103, b"x")).is_err());
    assert_eq!(
        opening::decode(&packet(80_877_102, b"\0\0\0\x07abcd")),
        Ok(Opening::Cancel { pid: 7, key: b"abcd".to_vec() })
    );
    assert!(opening::decode(&packet(80_877_102, b"\0\0\0\x07")).is_err());
    assert!(opening::decode(&packet(80_877_102, &[0; 4 + 257])).is_err());
    assert_eq!(
        startup(b"user\0ana\0database\0\0\0"),
        Ok(Opening::Startup {
            minor: 2,
            parameters: vec![("user".into(), "ana".into()), ("database".into(), String::new())]
        })
    );
    assert_eq!(opening::decode(&packet(131_072, b"\xff\xff")), Ok(Opening::OtherVersion(2, 0)));
    for bad in [&b""[..], b"user", b"user\0ana\0", b"user\0", b"user\0ana\0\0x"] {
        let error = startup(bad).unwrap_err();
        assert!(error.to_string().contains("invalid startup packet layout"), "{bad:?}: {error}");
    }
    assert_eq!(startup(b"user\0\xff\0\0"), Err(WireError::NotUtf8("0xff".into())));

    assert_eq!(opening::length(b"\0\0\0"), Ok(None));
    assert_eq!(opening::length(&10_000_u32.to_be_bytes()), Ok(Some(10_000)));
    for bad in [7, 0, 10_001, i32::MAX as u32, u32::MAX, u32::from_be_bytes(*b"GET ")] {
        assert!(opening::length(&bad.to_be_bytes()).is_err(), "{bad}");
    }
}

/// What PostgreSQL's own client library builds is read back as it was meant.
#[test]
fn messages_of_another_encoder_are_read() {
    use postgres_protocol::IsNull;
    use postgres_protocol::message::frontend as theirs;
    let mut out = BytesMut::new();
    theirs::parse("s", "select $1, $2", [23, 0], &mut out).unwrap();
    theirs::bind(
        "p",
        "s",
        [1],
        [Some(b"ab"), None],
        |value, buffer| {
            Ok(value.map_or(IsNull::Yes, |value| {
                buffer.put_slice(value);
                IsNull::No
            }))
        },
        [1],
        &mut out,
    )
    .ok()
    .unwrap();
    theirs::describe(b'P', "p", &mut out).unwrap();
    theirs::execute("p", 50, &mut out).unwrap();
    theirs::sync(&mut out);
    let mut kinds = vec![];
    while let Some(header) = frontend::frame(&out, 1000).unwrap() {
        let frame = out.split_to(header.len);
        kinds.push(match frontend::decode(&frame).unwrap() {
            Message::Bind(bind) => format!("bind {:?}", bind.rest.parameters().collect::<Vec<_>>()),
            Message::Parse(parse) => format!("parse {:?} {:?}", parse.sql, parse.types.to_vec()),
            other => format!("{other:?}"),
        });
    }
    assert_eq!(
        kinds,
        [
            "parse \"select $1, $2\" [23, 0]",
            "bind [(Some([97, 98]), true), (None, true)]",
            "Describe(Portal(\"p\"))",
            "Execute(Execute { portal: \"p\", max_rows: 50 })",
            "Sync"
        ]
    );
}

proptest! {
    #[test]
    fn no_bytes_make_a_decoder_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = (header(&bytes), frontend::frame(&bytes, 100), frontend::authentication_frame(&bytes));
        let _ = (frontend::decode(&bytes), frontend::sasl_initial(&bytes), frontend::sasl_response(&bytes));
        let _ = (opening::length(&bytes), opening::decode(&bytes), BindRest::parse(&bytes).map(|b| b.parameters().count()));
        let _ = (Report::parse(&bytes), answer::row_description(&bytes), answer::parameter_description(&bytes));
        let _ = (answer::ready_status(&bytes), answer::parameter_status(&bytes), answer::command_tag(&bytes));
        let mut body = bytes.clone();
        let _ = answer::rewrite_row_description(&mut body, |_| (0, 0));
    }

    #[test]
    fn no_body_makes_a_known_type_panic(tag in proptest::sample::select(b"QPBDECHSdcfFX".to_vec()),
                                        body in proptest::collection::vec(any::<u8>(), 0..60)) {
        let frame = frame(tag, &body);
        if let Ok(Message::Bind(bind)) = frontend::decode(&frame) {
            // What was checked is complete: every announced parameter is there, and the bytes are the body's own tail.
            prop_assert_eq!(bind.rest.parameters().count(), bind.rest.parameter_count());
            prop_assert!(body.ends_with(bind.rest.bytes()));
        }
    }

    #[test]
    fn binds_survive_their_way(values in proptest::collection::vec(proptest::option::of(proptest::collection::vec(any::<u8>(), 0..9)), 0..6),
                               binary in any::<bool>()) {
        let mut rest = BytesMut::new();
        rest.put_slice(if binary { b"\0\x01\0\x01" } else { b"\0\0" });
        rest.put_u16(u16::try_from(values.len()).unwrap());
        for value in &values {
            match value {
                None => rest.put_i32(-1),
                Some(value) => {
                    rest.put_i32(i32::try_from(value.len()).unwrap());
                    rest.put_slice(value);
                }
            }
        }
        rest.put_u16(0);
        let read = BindRest::parse(&rest).unwrap();
        let expected: Vec<_> = values.iter().map(|value| (value.as_deref(), binary)).collect();
        prop_assert_eq!(read.parameters().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn row_descriptions_keep_all_but_their_origin(names in proptest::collection::vec("[^\0]{0,12}", 0..8), oid in any::<u32>(), number in any::<i16>()) {
        let fields: Vec<Field<'_>> = names.iter().map(|name| Field { table_oid: 5, column: 6, ..Field::text(name) }).collect();
        let mut out = BytesMut::new();
        backend::row_description(&mut out, &fields);
        prop_assert_eq!(answer::rewrite_row_description(&mut out[5..], |_| (oid, number)), Ok(names.len()));
        let rewritten: Vec<_> = fields.iter().map(|f| Field { table_oid: oid, column: number, ..*f }).collect();
        prop_assert_eq!(answer::row_description(&out[5..]).unwrap(), rewritten);
    }
}
