//! What is enqueued, what is answered, what is swallowed.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use crate::govern::permit::{Permit, PermitKind};
use crate::sql::statement::FetchDirection;
use crate::upstream::prepared::CAPACITY;
use crate::upstream::{Connection, Control, UpstreamError, UpstreamSettings};
use crate::wire::{BindRest, TransactionStatus, backend};

use super::{answers, connect, permit};

const BEGIN: Control = Control::Begin { isolation: None, deferrable: None };

fn settings(values: &[(&'static str, &str)]) -> Arc<UpstreamSettings> {
    let mut settings = UpstreamSettings::default();
    for (name, value) in values {
        settings.set(name, *value);
    }
    Arc::new(settings)
}

async fn shown(connection: &mut Connection, name: &str) -> String {
    connection.query(&permit(&format!("SELECT current_setting('{name}')"))).unwrap();
    answers(connection).await[1].clone()
}

/// The Bind of a statement with one text parameter, or none.
fn rest(value: Option<&str>) -> Vec<u8> {
    let mut rest = vec![0, 0];
    match value {
        None => rest.extend([0, 0]),
        Some(value) => {
            rest.extend([0, 1]);
            rest.extend(i32::try_from(value.len()).unwrap().to_be_bytes());
            rest.extend(value.as_bytes());
        }
    }
    rest.extend([0, 0]);
    rest
}

fn bind(connection: &mut Connection, portal: &str, statement: &crate::upstream::StatementName, value: Option<&str>) {
    let rest = rest(value);
    connection.bind(portal, statement, &BindRest::parse(&rest).unwrap()).unwrap();
}

fn parse_complete() -> Bytes {
    let mut frame = BytesMut::new();
    backend::parse_complete(&mut frame);
    frame.freeze()
}

#[tokio::test]
async fn settings_come_in_the_same_write_and_their_answers_do_not_show() {
    let mut connection = connect().await;
    let berlin = settings(&[("TimeZone", "Europe/Berlin"), ("statement_timeout", "30000")]);
    connection.apply(&berlin).unwrap();
    connection.query(&permit("SELECT current_setting('TimeZone')")).unwrap();
    assert_eq!(answers(&mut connection).await, ["T", "D:Europe/Berlin", "C:SELECT 1", "Z:I"]);
    assert_eq!(connection.parameter("TimeZone"), Some("Europe/Berlin"));

    let before = connection.write.len();
    connection.apply(&berlin).unwrap();
    connection.apply(&settings(&[("TimeZone", "Europe/Berlin"), ("statement_timeout", "30000")])).unwrap();
    assert_eq!(connection.write.len(), before, "nothing differs");
    connection.apply(&settings(&[("statement_timeout", "5000")])).unwrap();
    assert_eq!(shown(&mut connection, "TimeZone").await, "D:UTC");
    assert_eq!(shown(&mut connection, "statement_timeout").await, "D:5s");
    assert!(connection.is_clean());
}

#[tokio::test]
async fn settings_within_a_transaction_end_with_it_however_it_ends() {
    let base = settings(&[("extra_float_digits", "1")]);
    let within = settings(&[("extra_float_digits", "3"), ("IntervalStyle", "iso_8601")]);
    for end in [Control::Commit { chain: false }, Control::Rollback { chain: false }] {
        let mut connection = connect().await;
        connection.apply(&base).unwrap();
        connection.control(&BEGIN).unwrap();
        connection.apply(&within).unwrap();
        assert_eq!(answers(&mut connection).await, ["C:BEGIN", "Z:T"]);
        assert_eq!(shown(&mut connection, "extra_float_digits").await, "D:3");
        connection.control(&end).unwrap();
        answers(&mut connection).await;
        assert_eq!(shown(&mut connection, "extra_float_digits").await, "D:1");
        connection.apply(&within).unwrap();
        assert_eq!(shown(&mut connection, "extra_float_digits").await, "D:3");
        assert_eq!(shown(&mut connection, "IntervalStyle").await, "D:iso_8601");
    }
}

#[tokio::test]
async fn a_rollback_to_a_savepoint_does_not_lose_track() {
    let mut connection = connect().await;
    let wanted = settings(&[("extra_float_digits", "3")]);
    connection.control(&BEGIN).unwrap();
    connection.control(&Control::Savepoint("s".to_owned())).unwrap();
    connection.apply(&wanted).unwrap();
    connection.control(&Control::RollbackTo("s".to_owned())).unwrap();
    connection.apply(&wanted).unwrap();
    answers(&mut connection).await;
    assert_eq!(shown(&mut connection, "extra_float_digits").await, "D:3");
    connection.control(&Control::Rollback { chain: true }).unwrap();
    connection.apply(&wanted).unwrap();
    answers(&mut connection).await;
    assert_eq!(shown(&mut connection, "extra_float_digits").await, "D:3");
    connection.control(&Control::Commit { chain: false }).unwrap();
    answers(&mut connection).await;
    assert_eq!(shown(&mut connection, "extra_float_digits").await, "D:1");
}

#[tokio::test]
async fn settings_within_a_pipeline_are_set_and_doubted_afterwards() {
    let mut connection = connect().await;
    let wanted = settings(&[("extra_float_digits", "3"), ("TimeZone", "Asia/Tokyo")]);
    let show = connection.parse_unnamed(&permit("SELECT current_setting('extra_float_digits')"), &[]).unwrap();
    connection.apply(&wanted).unwrap();
    bind(&mut connection, "", &show, None);
    connection.execute("", 0).unwrap();
    let failing = connection.parse_unnamed(&permit("SELECT 1/0"), &[]).unwrap();
    bind(&mut connection, "", &failing, None);
    connection.execute("", 0).unwrap();
    connection.sync().unwrap();
    let all = answers(&mut connection).await;
    assert_eq!(all, ["1", "2", "D:3", "C:SELECT 1", "1", "E:22012", "Z:I"]);
    // The error has undone them.
    connection.apply(&wanted).unwrap();
    assert_eq!(shown(&mut connection, "extra_float_digits").await, "D:3");
    assert_eq!(shown(&mut connection, "TimeZone").await, "D:Asia/Tokyo");
}

#[tokio::test]
async fn a_setting_that_the_warehouse_refuses_ends_the_lease() {
    let mut connection = connect().await;
    connection.apply(&settings(&[("TimeZone", "Mars/Phobos")])).unwrap();
    connection.query(&permit("SELECT 1")).unwrap();
    connection.fill().await.unwrap();
    let error = connection.next_frame().unwrap_err();
    assert!(matches!(error, UpstreamError::Settings { .. }), "{error}");
    let told = error.to_client(&"analytics".into());
    assert_eq!(told.sqlstate.as_str(), "22023");
    assert!(told.message.contains("Mars/Phobos"));
    assert!(connection.is_broken() && !connection.is_clean());
}

#[tokio::test]
async fn a_statement_is_prepared_once() {
    let mut connection = connect().await;
    let statement = permit("SELECT $1::text || '!'");
    for _ in 0..2 {
        let name = connection.prepare(&statement, &[25]).unwrap();
        assert_eq!(name.as_str(), "pv_1");
        connection.answer(parse_complete());
        bind(&mut connection, "", &name, Some("a"));
        connection.describe_portal("").unwrap();
        connection.execute("", 0).unwrap();
        connection.sync().unwrap();
        assert_eq!(answers(&mut connection).await, ["1", "2", "T", "D:a!", "C:SELECT 1", "Z:I"]);
    }
    let other = connection.prepare(&statement, &[0]).unwrap();
    assert_eq!(other.as_str(), "pv_2");
}

#[tokio::test]
async fn own_answers_keep_their_place_and_are_skipped_like_others() {
    let mut connection = connect().await;
    let good = connection.prepare(&permit("SELECT 'x'"), &[]).unwrap();
    connection.answer(parse_complete());
    bind(&mut connection, "", &good, None);
    connection.execute("", 0).unwrap();
    let again = connection.prepare(&permit("SELECT 'x'"), &[]).unwrap();
    assert_eq!(again, good);
    connection.answer(parse_complete());
    let bad = connection.prepare(&permit("SELECT nowhere"), &[]).unwrap();
    connection.answer(parse_complete());
    bind(&mut connection, "", &bad, None);
    connection.sync().unwrap();
    // The next unit is on its way before the first is answered.
    let twice = connection.prepare(&permit("SELECT nowhere"), &[]).unwrap();
    assert_ne!(twice, bad, "what was not confirmed is not relied on in another unit");
    connection.sync().unwrap();
    let all = answers(&mut connection).await;
    assert_eq!(all, ["1", "2", "D:x", "C:SELECT 1", "1", "E:42703", "Z:I", "E:42703", "Z:I"]);
    assert_ne!(connection.prepare(&permit("SELECT nowhere"), &[]).unwrap(), twice);
}

#[tokio::test]
async fn nothing_is_sent_that_would_be_skipped() {
    let mut connection = connect().await;
    connection.prepare(&permit("SELECT nowhere"), &[]).unwrap();
    connection.flush_request().unwrap();
    assert_eq!(answers(&mut connection).await, ["E:42703"]);
    let name = connection.prepare(&permit("SELECT 1"), &[]).unwrap();
    connection.answer(parse_complete());
    bind(&mut connection, "", &name, None);
    connection.query(&permit("SELECT 1")).unwrap();
    assert!(!connection.is_waiting() && connection.in_pipeline());
    connection.sync().unwrap();
    assert_eq!(answers(&mut connection).await, ["Z:I"]);
    assert!(connection.is_clean());
}

#[tokio::test]
async fn evicted_statements_are_closed_and_altered_tables_prepare_anew() {
    let mut connection = connect().await;
    for n in 0..CAPACITY + 10 {
        connection.prepare(&permit(&format!("SELECT {n}")), &[]).unwrap();
        connection.sync().unwrap();
        answers(&mut connection).await;
    }
    connection.query(&permit("SELECT count(*) FROM pg_prepared_statements")).unwrap();
    // The last one evicted is closed with the next Parse.
    assert_eq!(answers(&mut connection).await[1], format!("D:{}", CAPACITY));

    let server = super::server();
    server.sql("postgres", "CREATE TABLE altered (a int)");
    let statement = permit("SELECT * FROM public.altered");
    for expected in [&["2", "Z:I"][..], &["E:0A000", "Z:I"], &["2", "Z:I"]] {
        let name = connection.prepare(&statement, &[]).unwrap();
        bind(&mut connection, "", &name, None);
        connection.sync().unwrap();
        assert_eq!(answers(&mut connection).await, expected);
        if expected[0] == "2" {
            server.sql("postgres", "ALTER TABLE altered ALTER a TYPE text");
        }
    }
}

#[tokio::test]
async fn prepare_and_execute_by_sql_are_recreated_where_missing() {
    let statement = Permit::for_test(PermitKind::Prepare, "SELECT $1 || '!'");
    let types = ["text".to_owned()];
    let arguments = ["'a'".to_owned()];
    let mut first = connect().await;
    assert!(first.prepare_by_sql(&statement, &types).unwrap().is_some());
    assert_eq!(answers(&mut first).await, ["C:PREPARE", "Z:I"]);
    assert!(first.prepare_by_sql(&statement, &types).unwrap().is_none());
    let mut second = connect().await;
    for connection in [&mut first, &mut second] {
        connection.execute_by_sql(&statement, &types, &settings(&[]), &arguments).unwrap();
        assert_eq!(answers(connection).await, ["T", "D:a!", "C:SELECT 1", "Z:I"]);
    }
    let broken = Permit::for_test(PermitKind::Prepare, "SELECT nowhere");
    second.execute_by_sql(&broken, &[], &settings(&[]), &[]).unwrap();
    assert_eq!(answers(&mut second).await, ["E:42703", "Z:I"]);
}

#[tokio::test]
async fn a_denial_aborts_the_transaction_quietly() {
    let mut connection = connect().await;
    connection.fail_transaction().unwrap();
    assert!(!connection.is_waiting(), "outside a transaction there is nothing to abort");
    connection.control(&BEGIN).unwrap();
    connection.control(&Control::Savepoint("s".to_owned())).unwrap();
    connection.fail_transaction().unwrap();
    connection.query(&permit("SELECT 1")).unwrap();
    let all = answers(&mut connection).await;
    assert_eq!(all, ["C:BEGIN", "Z:T", "C:SAVEPOINT", "Z:T", "E:25P02", "Z:E"]);
    assert_eq!(connection.transaction_status(), TransactionStatus::Failed);
    connection.control(&Control::RollbackTo("s".to_owned())).unwrap();
    connection.query(&permit("SELECT 1")).unwrap();
    let all = answers(&mut connection).await;
    assert_eq!(all, ["C:ROLLBACK", "Z:T", "T", "D:1", "C:SELECT 1", "Z:T"]);
}

#[tokio::test]
async fn a_denial_aborts_an_unfinished_pipeline_quietly() {
    let mut connection = connect().await;
    let begin = connection.parse_control(&BEGIN).unwrap();
    bind(&mut connection, "", &begin, None);
    connection.execute("", 0).unwrap();
    connection.fail_transaction().unwrap();
    connection.answer(parse_complete());
    connection.sync().unwrap();
    assert_eq!(answers(&mut connection).await, ["1", "2", "C:BEGIN", "Z:E"]);
    connection.control(&Control::Rollback { chain: false }).unwrap();
    answers(&mut connection).await;
    assert!(connection.is_clean());
}

#[tokio::test]
async fn a_denial_outside_a_transaction_aborts_only_its_pipeline() {
    let mut connection = connect().await;
    let first = connection.parse_unnamed(&permit("SELECT 1"), &[]).unwrap();
    bind(&mut connection, "", &first, None);
    connection.execute("", 0).unwrap();
    connection.fail_transaction().unwrap();
    bind(&mut connection, "", &first, None);
    connection.sync().unwrap();
    assert_eq!(answers(&mut connection).await, ["1", "2", "D:1", "C:SELECT 1", "Z:I"]);
    assert!(connection.is_clean());
}

#[tokio::test]
async fn every_transaction_is_read_only_and_cursors_move() {
    let mut connection = connect().await;
    connection.control(&BEGIN).unwrap();
    answers(&mut connection).await;
    assert_eq!(shown(&mut connection, "transaction_read_only").await, "D:on");
    let declare = Permit::for_test(PermitKind::Declare, "DECLARE \"c\" CURSOR FOR SELECT generate_series(1, 9)");
    connection.query(&declare).unwrap();
    let fetch = |moving, direction| Control::Fetch { moving, cursor: "c".to_owned(), direction };
    connection.control(&fetch(false, FetchDirection::Forward(2))).unwrap();
    connection.control(&fetch(true, FetchDirection::Relative(3))).unwrap();
    connection.control(&fetch(false, FetchDirection::ForwardAll)).unwrap();
    connection.control(&Control::CloseCursor(Some("c".to_owned()))).unwrap();
    connection.control(&Control::Ping).unwrap();
    let all = answers(&mut connection).await;
    assert_eq!(
        all,
        [
            "C:DECLARE CURSOR",
            "Z:T",
            "T",
            "D:1",
            "D:2",
            "C:FETCH 2",
            "Z:T",
            "C:MOVE 1",
            "Z:T",
            "T",
            "D:6",
            "D:7",
            "D:8",
            "D:9",
            "C:FETCH 4",
            "Z:T",
            "C:CLOSE CURSOR",
            "Z:T",
            "I",
            "Z:T"
        ]
    );
}

#[tokio::test]
async fn names_and_texts_with_nul_are_not_sent() {
    let mut connection = connect().await;
    assert!(matches!(connection.query(&permit("SELECT 1\0; x")), Err(UpstreamError::Unsendable(_))));
    assert!(connection.is_clean(), "nothing of it was enqueued");
}

/// The client's unnamed statement, from Parse to Sync: whether its text went upstream, and what was answered.
async fn pass(
    connection: &mut Connection,
    statement: &Permit,
    types: &[u32],
    value: Option<&str>,
) -> (bool, Vec<String>) {
    let before = connection.write.len();
    let name = connection.parse_passing(statement, types).unwrap();
    if !name.is_unnamed() {
        connection.answer(parse_complete());
    }
    let read = connection.write[before..].windows(statement.sql.len()).any(|bytes| bytes == statement.sql.as_bytes());
    bind(connection, "", &name, value);
    connection.execute("", 0).unwrap();
    connection.sync().unwrap();
    (read, answers(connection).await)
}

async fn first_value(connection: &mut Connection, sql: &str) -> String {
    connection.query(&permit(sql)).unwrap();
    answers(connection).await[1].clone()
}

#[tokio::test]
async fn an_unnamed_statement_that_comes_again_is_read_seldom_and_planned_each_time() {
    super::server().sql(
        "postgres",
        "CREATE TABLE skewed AS SELECT CASE WHEN n <= 100 THEN n ELSE 0 END AS a FROM generate_series(1, 20000) n; \
         CREATE INDEX ON skewed (a); ANALYZE skewed",
    );
    let mut connection = connect().await;
    let statement = permit("SELECT count(*) FROM public.skewed WHERE a = $1");
    let mut read = 0;
    for n in 1..=40 {
        let (sent, told) = pass(&mut connection, &statement, &[23], Some(&n.to_string())).await;
        assert_eq!(told, ["1", "2", "D:1", "C:SELECT 1", "Z:I"]);
        read += usize::from(sent);
    }
    assert_eq!(read, 1 + 8, "once as it came first, then once for five uses");
    let plans = "FROM pg_prepared_statements WHERE statement LIKE '%skewed%'";
    assert_eq!(first_value(&mut connection, &format!("SELECT sum(generic_plans) {plans}")).await, "D:0");
    assert_eq!(first_value(&mut connection, &format!("SELECT count(*) {plans}")).await, "D:1", "the others are closed");
    assert_eq!(first_value(&mut connection, &format!("SELECT sum(custom_plans) {plans}")).await, "D:4");
    // The client's own name promises what Postgres promises: a generic plan, in time.
    for n in 1..=10 {
        let name = connection.prepare(&statement, &[23]).unwrap();
        bind(&mut connection, "", &name, Some(&n.to_string()));
        connection.sync().unwrap();
        answers(&mut connection).await;
    }
    let most = first_value(&mut connection, &format!("SELECT max(generic_plans + custom_plans) {plans}")).await;
    assert_eq!(most, "D:10");
}

#[tokio::test]
async fn what_names_a_moment_or_a_zone_is_read_each_time() {
    let mut connection = connect().await;
    let moment = permit("SELECT clock_timestamp() - 'now'::timestamptz < interval '20 milliseconds'");
    for _ in 0..4 {
        let (sent, told) = pass(&mut connection, &moment, &[], None).await;
        assert!(sent, "a literal that was read earlier tells the time of then");
        assert_eq!(told.len(), 5);
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
    let zone = permit("SELECT extract(epoch FROM '2025-03-01 12:00'::timestamptz)::int::text");
    for (zone_name, expected) in [("Etc/UTC", "D:1740830400"), ("Asia/Tokyo", "D:1740798000")].repeat(3) {
        connection.apply(&settings(&[("TimeZone", zone_name)])).unwrap();
        let (_, told) = pass(&mut connection, &zone, &[], None).await;
        assert_eq!(told[2], expected, "{zone_name}");
    }
    // So it is with names: what one session has prepared is not what another means.
    for (zone_name, expected) in [("Etc/UTC", "D:1740830400"), ("Asia/Tokyo", "D:1740798000")].repeat(2) {
        connection.apply(&settings(&[("TimeZone", zone_name)])).unwrap();
        let name = connection.prepare(&zone, &[]).unwrap();
        bind(&mut connection, "", &name, None);
        connection.execute("", 0).unwrap();
        connection.sync().unwrap();
        assert_eq!(answers(&mut connection).await[1], expected, "{zone_name}");
    }
    let first = connection.prepare(&moment, &[]).unwrap();
    connection.sync().unwrap();
    answers(&mut connection).await;
    let here = connection.conversation.applied.in_force();
    assert_eq!(
        connection.ensure_prepared(&moment, &[], &here).unwrap(),
        first,
        "it is the same until it is parsed again"
    );
    assert_ne!(connection.prepare(&moment, &[]).unwrap(), first);
}

#[tokio::test]
async fn an_unnamed_statement_follows_its_tables() {
    let mut connection = connect().await;
    let server = super::server();
    server.sql("postgres", "CREATE TABLE followed (a int); INSERT INTO followed VALUES (7)");
    let statement = permit("SELECT a FROM public.followed");
    let mut ask = async |expected: &[&str]| {
        let (_, told) = pass(&mut connection, &statement, &[], None).await;
        assert_eq!(told, expected);
    };
    for change in [
        "SELECT 1",
        "SELECT 1",
        "ALTER TABLE followed ADD b int",
        "DROP TABLE followed; CREATE TABLE followed (b text, a int); INSERT INTO followed VALUES ('x', 7)",
    ] {
        server.sql("postgres", change);
        ask(&["1", "2", "D:7", "C:SELECT 1", "Z:I"]).await;
    }
    server.sql("postgres", "ALTER TABLE followed ALTER a TYPE text");
    ask(&["1", "E:0A000", "Z:I"]).await;
    ask(&["1", "2", "D:7", "C:SELECT 1", "Z:I"]).await;
    server.sql("postgres", "DROP TABLE followed");
    ask(&["1", "E:42P01", "Z:I"]).await;
}

#[tokio::test]
async fn within_a_transaction_unnamed_statements_do_not_pile_up() {
    let mut connection = connect().await;
    connection.control_quietly(&BEGIN).unwrap();
    let statement = permit("SELECT $1::text");
    for n in 0..300 {
        let (_, told) = pass(&mut connection, &statement, &[25], Some(&n.to_string())).await;
        assert_eq!(told, ["1".to_owned(), "2".to_owned(), format!("D:{n}"), "C:SELECT 1".to_owned(), "Z:T".to_owned()]);
    }
    let many = first_value(&mut connection, "SELECT count(*) < 20 FROM pg_prepared_statements").await;
    assert_eq!(many, "D:t");
}
