//! What comes over the wire, from both sides and before both are known.

use bytes::BytesMut;
use pgveil::auth::{Credentials, MockSecret};
use pgveil::config::Policy;
use pgveil::upstream::hide_origins;
use pgveil::wire::backend::{self, Field};
use pgveil::wire::frontend::{self, Message};
use pgveil::wire::opening::{self, Opening};
use pgveil::wire::{BindRest, answer, body, header};
use postgres_protocol::IsNull;
use postgres_protocol::message::frontend as client;

use super::fuzz;

fn made(build: impl FnOnce(&mut BytesMut)) -> Vec<u8> {
    let mut out = BytesMut::new();
    build(&mut out);
    out.to_vec()
}

fn bind() -> Vec<u8> {
    let write = |value: &[u8], out: &mut BytesMut| {
        out.extend_from_slice(value);
        Ok(IsNull::No)
    };
    made(|out| {
        let values: [&[u8]; 3] = [b"1", b"", b"three"];
        assert!(client::bind("p", "s", [0, 1, 0], values, write, [1, 0], out).is_ok());
    })
}

fn client_frames() -> Vec<Vec<u8>> {
    let mut seeds = vec![
        made(|out| client::query("SELECT 1", out).unwrap()),
        made(|out| client::parse("s", "SELECT $1", [23, 0], out).unwrap()),
        made(|out| client::describe(b'S', "s", out).unwrap()),
        made(|out| client::execute("p", 7, out).unwrap()),
        made(|out| client::close(b'P', "p", out).unwrap()),
        made(client::sync),
        made(client::flush),
        made(client::terminate),
        made(|out| client::copy_fail("no", out).unwrap()),
        made(|out| client::sasl_initial_response("SCRAM-SHA-256", b"n,,n=,r=abc", out).unwrap()),
        made(|out| client::sasl_response(b"c=biws,r=abcdef,p=AAAA", out).unwrap()),
        bind(),
    ];
    seeds.push(seeds.concat());
    seeds
}

#[test]
fn client_frames_are_read_or_refused() {
    fuzz("client_frames", &client_frames(), &[], 40_000, |input| {
        let mut rest = input;
        while let Ok(Some(head)) = frontend::frame(rest, 1 << 20) {
            let Some((frame, behind)) = rest.split_at_checked(head.len) else { break };
            if let Ok(Message::Bind(bind)) = frontend::decode(frame) {
                assert_eq!(bind.rest.parameters().count(), bind.rest.parameter_count());
                assert!(body(frame).ends_with(bind.rest.bytes()));
            }
            let _ =
                (frontend::sasl_initial(frame), frontend::sasl_response(frame), frontend::authentication_frame(frame));
            rest = behind;
        }
    });
}

#[test]
fn the_rest_of_a_bind_is_read_or_refused() {
    let whole = bind();
    let names = "p\0s\0".len();
    fuzz("bind", &[body(&whole)[names..].to_vec()], &[], 40_000, |input| {
        let Ok(rest) = BindRest::parse(input) else { return };
        assert_eq!(rest.bytes(), input);
        assert_eq!(rest.parameters().count(), rest.parameter_count());
        let bytes: usize = rest.parameters().filter_map(|(value, _)| value).map(<[u8]>::len).sum();
        assert!(bytes <= input.len());
        for column in 0..rest.result_format_count() + 2 {
            let _ = rest.result_is_binary(column);
        }
    });
}

fn openings() -> Vec<Vec<u8>> {
    let startup =
        |parameters: &[(&str, &str)]| made(|out| client::startup_message(parameters.iter().copied(), out).unwrap());
    vec![
        startup(&[("user", "ana"), ("database", "warehouse"), ("options", "-c a=b")]),
        startup(&[("user", "")]),
        made(client::ssl_request),
        [&12_u32.to_be_bytes()[..], &80_877_104_u32.to_be_bytes()].concat(),
        made(|out| client::cancel_request(1, 2, out)),
        [&8_u32.to_be_bytes()[..], &(2_u32 << 16).to_be_bytes()].concat(),
    ]
}

#[test]
fn opening_packets_are_read_or_refused() {
    fuzz("openings", &openings(), &[], 40_000, |input| {
        let Ok(Some(length)) = opening::length(input) else { return };
        let Some(packet) = input.get(..length) else { return };
        match opening::decode(packet) {
            Ok(Opening::Startup { parameters, .. }) => {
                let bytes: usize = parameters.iter().map(|(name, value)| name.len() + value.len() + 2).sum();
                assert_eq!(bytes + 9, packet.len(), "nothing is skipped");
                assert!(parameters.iter().all(|(name, value)| !name.is_empty() && !value.contains('\0')));
            }
            Ok(Opening::Cancel { key, .. }) => assert_eq!(key.len() + 12, packet.len()),
            Ok(Opening::Tls | Opening::Gss) => assert_eq!(packet.len(), 8),
            Ok(Opening::OtherVersion(..)) | Err(_) => {}
        }
    });
}

fn warehouse_frames() -> Vec<Vec<u8>> {
    let mut field = Field::text("email");
    (field.table_oid, field.column) = (16_400, 3);
    let row_description = made(|out| backend::row_description(out, &[field, Field::text("é")]));
    let report = pgveil::error::ClientError::new(
        pgveil::error::ErrorKind::Client,
        pgveil::error::sqlstate::SYNTAX_ERROR,
        "wrong",
    );
    vec![
        row_description,
        made(|out| backend::error(out, &report)),
        made(|out| backend::command_complete(out, "SELECT 12")),
        made(|out| backend::ready(out, pgveil::wire::TransactionStatus::Idle)),
        made(|out| backend::parameter_status(out, "TimeZone", "UTC")),
        made(|out| backend::backend_key_data(out, 7, b"abcd")),
        made(|out| backend::parameter_description(out, &[23, 25])),
        made(|out| backend::data_row(out, &[Some(b"x"), None])),
    ]
}

#[test]
fn warehouse_frames_are_read_or_refused() {
    fuzz("warehouse_frames", &warehouse_frames(), &[], 40_000, |input| {
        let _ = header(input);
        let inner = body(input);
        if let Ok(report) = answer::Report::parse(inner) {
            let _ = (report.severity(), report.sqlstate(), report.message(), report.position(), report.is_fatal());
        }
        if let Ok(tag) = answer::command_tag(inner) {
            let _ = answer::tag_rows(tag);
        }
        let _ = (answer::ready_status(inner), answer::parameter_status(inner));
        let _ = (answer::backend_key_data(inner), answer::parameter_description(inner));
        let before = answer::row_description(inner).map(|fields| fields.len());
        let mut again = inner.to_vec();
        let columns = answer::rewrite_row_description(&mut again, |_| (7, 8));
        assert_eq!(again.len(), inner.len());
        if let (Ok(before), Ok(columns)) = (before, columns) {
            assert_eq!(before, columns);
            let fields = answer::row_description(&again).unwrap();
            assert!(fields.iter().all(|field| (field.table_oid, field.column) == (7, 8)));
        }
        let mut hidden = BytesMut::new();
        if hide_origins(input, &mut hidden).is_ok()
            && let Ok(fields) = answer::row_description(body(&hidden))
        {
            assert!(fields.iter().all(|field| field.table_oid == 0));
        }
    });
}

#[test]
fn no_mutation_of_a_scram_exchange_logs_in() {
    let mut seeds: Vec<Vec<u8>> = Vec::new();
    for first in
        ["n,,n=,r=rOprNGfwEbeRWgbNEkqO", "y,,n=ana,r=abc", "p=tls-server-end-point,,n=,r=abc", "n,a=x,n=,r=a,b=c"]
    {
        for last in ["c=biws,r=rOprNGfwEbeRWgbNEkqO,p=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "c=eSws,r=abc,p="]
        {
            seeds.push(format!("SCRAM-SHA-256\n{first}\n{last}").into_bytes());
            seeds.push(format!("SCRAM-SHA-256-PLUS\n{first}\n{last}").into_bytes());
        }
    }
    let words = ["n=", "r=", "c=", "p=", ",", "=", "biws", "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS", "y,,", "n,,", "é"];
    let mock = MockSecret::derived("fuzz");
    fuzz("scram", &seeds, &words, 4_000, |input| {
        let mut parts = input.splitn(3, |byte| *byte == b'\n');
        let mut part = || parts.next().unwrap_or_default();
        let (mechanism, first, last) = (String::from_utf8_lossy(part()).into_owned(), part(), part());
        for end_point in [None, Some(vec![1, 2, 3])] {
            let scram = Credentials::of(&Policy::default(), "ana", &mock).scram(end_point);
            let Ok((answer, next)) = scram.first(&mechanism, first) else { continue };
            assert!(answer.starts_with("r="));
            // Behind the server's own nonce too.
            let nonce = answer.split(',').next().unwrap_or_default();
            let proof = String::from_utf8_lossy(last);
            let proof = proof.split(",p=").nth(1).unwrap_or_default();
            assert!(next.last(format!("c=biws,{nonce},p={proof}").as_bytes()).is_err());
        }
    });
}
