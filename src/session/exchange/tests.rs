use bytes::BytesMut;

use tokio::time::Instant;

use super::*;
use crate::error::ErrorKind;
use crate::govern::permit::PermitKind;

fn frame(tag: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).unwrap();
    [&[tag][..], &length.to_be_bytes(), body].concat()
}

fn refused(code: &str) -> Vec<u8> {
    frame(b'E', format!("SERROR\0VERROR\0C{code}\0Mcanary\0Dcanary\0\0").as_bytes())
}

fn nowhere(_: &Asked, _: usize) -> Option<Origin> {
    None
}

fn run(kind: PermitKind) -> Expect {
    let permit = Arc::new(Permit::for_test(kind, "SELECT 1"));
    Expect::Run(Box::new(Run::new(Way::Portal("p".to_owned()), permit, false, 0, Instant::now())))
}

fn one(made: Made) -> Expect {
    Expect::One { made, guarded: false, ticket: None, asked: None }
}

/// Feeds frames; what the client gets, as tags, and the last effect.
fn feed(exchange: &mut Exchange, frames: &[Vec<u8>]) -> (String, Effect) {
    let mut out = BytesMut::new();
    let mut effect = Effect::None;
    for frame in frames {
        effect = exchange.answer(frame[0], frame, None, &nowhere, &mut out).unwrap();
    }
    let mut tags = String::new();
    while let Some(header) = crate::wire::header(&out).unwrap() {
        tags.push(char::from(header.tag));
        let _ = out.split_to(header.len);
    }
    (tags, effect)
}

#[test]
fn answers_go_to_whom_they_belong() {
    let mut exchange = Exchange::default();
    exchange.push(one(Made::Statement(String::new())));
    exchange.push(Expect::Nothing);
    exchange.push(Expect::Description(Description { quiet: true, ..Description::default() }));
    exchange.push(run(PermitKind::Query));
    exchange.push(Expect::Ready { told: true });
    let frames = [frame(b'1', b""), frame(b'2', b""), frame(b'n', b""), frame(b'C', b"SELECT 0\0")];
    let (tags, effect) = feed(&mut exchange, &frames);
    assert_eq!(tags, "1C");
    assert!(matches!(effect, Effect::Ended(_, Ending::Complete)));
    let (_, effect) = feed(&mut exchange, &[frame(b'Z', b"T")]);
    assert!(matches!(effect, Effect::Ready { status: TransactionStatus::InTransaction, told: true }));
    assert!(exchange.is_empty());
}

#[test]
fn an_error_takes_what_follows_up_to_sync_and_names_what_was_not_made() {
    let mut exchange = Exchange::default();
    exchange.push(one(Made::Statement("s".to_owned())));
    exchange.push(one(Made::Portal("p".to_owned())));
    exchange.push(run(PermitKind::Query));
    exchange.push(Expect::Ready { told: true });
    exchange.push(one(Made::Statement("later".to_owned())));
    let (tags, effect) = feed(&mut exchange, &[refused("42703")]);
    assert_eq!(tags, "E");
    let Effect::Failed { error, runs, unmade, synced } = effect else { panic!("{effect:?}") };
    assert_eq!((error.as_str(), runs.len(), synced), ("42703", 1, true));
    assert_eq!(unmade, [Made::Statement("s".to_owned()), Made::Portal("p".to_owned())]);
    assert_eq!(exchange.len(), 2, "the next pipeline is not concerned");
}

#[test]
fn without_a_sync_the_rest_of_the_pipeline_is_still_to_come() {
    let mut exchange = Exchange::default();
    exchange.push(run(PermitKind::Query));
    let (_, effect) = feed(&mut exchange, &[refused("22012")]);
    assert!(matches!(effect, Effect::Failed { synced: false, .. }));
}

#[test]
fn the_error_of_a_control_statement_is_the_sessions() {
    let mut exchange = Exchange::default();
    exchange.push(Expect::Control { guarded: false, asked: None });
    exchange.push(Expect::Ready { told: false });
    let (tags, effect) = feed(&mut exchange, &[refused("3B001")]);
    assert_eq!(tags, "");
    assert!(matches!(effect, Effect::ControlFailed(error) if error.sqlstate.as_str() == "3B001"));
    assert_eq!(exchange.len(), 1);
}

#[test]
fn a_cancel_is_told_with_its_cause() {
    let cause = ClientError::new(ErrorKind::Limit, sqlstate::QUERY_CANCELED, "too long (5s)");
    let mut exchange = Exchange::default();
    exchange.push(run(PermitKind::Query));
    let mut out = BytesMut::new();
    let raw = refused("57014");
    exchange.answer(b'E', &raw, Some(&cause), &nowhere, &mut out).unwrap();
    assert!(out.windows(13).any(|window| window == b"too long (5s)"));
    exchange.push(run(PermitKind::Query));
    out.clear();
    let raw = refused("22012");
    exchange.answer(b'E', &raw, Some(&cause), &nowhere, &mut out).unwrap();
    assert!(!out.windows(8).any(|window| window == b"too long"), "another error is told as itself");
}

#[test]
fn what_is_discarded_reaches_nobody_until_ready() {
    let mut exchange = Exchange::default();
    exchange.push(one(Made::Nothing));
    exchange.push(run(PermitKind::Query));
    exchange.push(Expect::Ready { told: true });
    exchange.push(one(Made::Nothing));
    assert!(exchange.discard_to_ready(|| RowRelay::rows(Some(0), false, true)));
    let frames = [frame(b'2', b""), frame(b'C', b"SELECT 3\0"), frame(b'Z', b"I"), frame(b'1', b"")];
    assert_eq!(feed(&mut exchange, &frames).0, "1");
}

#[test]
fn columns_do_not_say_where_they_come_from() {
    let mut described = BytesMut::new();
    let field = backend::Field { table_oid: 16_400, column: 3, ..backend::Field::text("email") };
    backend::row_description(&mut described, &[field]);
    let mut exchange = Exchange::default();
    exchange.push(Expect::Description(Description::default()));
    let mut out = BytesMut::new();
    exchange.answer(b'T', &described, None, &nowhere, &mut out).unwrap();
    let fields = answer::row_description(crate::wire::body(&out)).unwrap();
    assert_eq!((fields[0].name, fields[0].table_oid, fields[0].column), ("email", 0, 0));

    exchange.push(Expect::Description(Description { captured: true, ..Description::default() }));
    let (tags, _) = feed(&mut exchange, &[described.to_vec()]);
    assert_eq!((tags.as_str(), exchange.take_captured()), ("", Some(out.freeze())));
}

#[test]
fn what_was_not_asked_for_is_noticed() {
    let mut exchange = Exchange::default();
    let mut out = BytesMut::new();
    assert!(exchange.answer(b'C', &frame(b'C', b"SELECT 1\0"), None, &nowhere, &mut out).is_err());
    exchange.push(Expect::Ready { told: true });
    assert!(exchange.answer(b'1', &frame(b'1', b""), None, &nowhere, &mut out).is_err());
    exchange.push(run(PermitKind::Query));
    assert!(out.is_empty());
}

#[test]
fn notices_of_the_warehouse_are_told_for_open_statements_alone() {
    let notice = frame(b'N', b"SNOTICE\0VNOTICE\0C00000\0Mhello\0Dcanary\0\0");
    let mut exchange = Exchange::default();
    assert_eq!(feed(&mut exchange, std::slice::from_ref(&notice)).0, "", "nobody asked");
    exchange.push(run(PermitKind::Query));
    let mut out = BytesMut::new();
    exchange.answer(b'N', &notice, None, &nowhere, &mut out).unwrap();
    assert!(out.windows(5).any(|window| window == b"hello") && !out.windows(6).any(|window| window == b"canary"));
}
