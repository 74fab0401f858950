use super::super::limits::TextLimits;
use super::super::parse::parse;
use super::*;

fn one(text: &str) -> Statement {
    let mut all = parse(text, &TextLimits::default()).unwrap_or_else(|error| panic!("{text}: {error}"));
    assert_eq!(all.len(), 1, "{text}");
    all.remove(0).statement.clone()
}

fn session(text: &str) -> Session {
    match one(text) {
        Statement::Session(session) => session,
        other => panic!("{text}: {other:?}"),
    }
}

fn set(local: bool, name: &str, items: &[&str]) -> Session {
    let value = SetValue(items.iter().map(|&item| item.to_owned()).collect());
    Session::Set { local, name: name.to_owned(), value }
}

fn reset(name: &str) -> Session {
    Session::Reset { local: false, name: name.to_owned() }
}

#[test]
fn transactions() {
    let modes = |isolation, read_only, deferrable| TransactionModes { isolation, read_only, deferrable };
    for (text, expected) in [
        ("BEGIN", Session::Begin(TransactionModes::default())),
        ("begin work", Session::Begin(TransactionModes::default())),
        (
            "BEGIN TRANSACTION ISOLATION LEVEL SERIALIZABLE, READ ONLY, DEFERRABLE",
            Session::Begin(modes(Some(Isolation::Serializable), Some(true), Some(true))),
        ),
        (
            "START TRANSACTION ISOLATION LEVEL REPEATABLE READ READ WRITE NOT DEFERRABLE",
            Session::StartTransaction(modes(Some(Isolation::RepeatableRead), Some(false), Some(false))),
        ),
        ("START TRANSACTION", Session::StartTransaction(TransactionModes::default())),
        ("COMMIT", Session::Commit { chain: false }),
        ("END WORK AND NO CHAIN", Session::Commit { chain: false }),
        ("COMMIT TRANSACTION AND CHAIN", Session::Commit { chain: true }),
        ("ABORT", Session::Rollback { chain: false }),
        ("ROLLBACK AND CHAIN", Session::Rollback { chain: true }),
        ("SAVEPOINT \"A b\"", Session::Savepoint("A b".to_owned())),
        ("RELEASE SAVEPOINT Sp", Session::Release("sp".to_owned())),
        ("RELEASE savepoint", Session::Release("savepoint".to_owned())),
        ("ROLLBACK WORK TO SAVEPOINT x", Session::RollbackTo("x".to_owned())),
        ("ROLLBACK TO x", Session::RollbackTo("x".to_owned())),
        ("SET TRANSACTION READ ONLY", Session::SetTransaction(modes(None, Some(true), None))),
        (
            "SET LOCAL TRANSACTION ISOLATION LEVEL READ COMMITTED",
            Session::SetTransaction(modes(Some(Isolation::ReadCommitted), None, None)),
        ),
        (
            "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL READ UNCOMMITTED, READ WRITE",
            Session::SetCharacteristics(modes(Some(Isolation::ReadUncommitted), Some(false), None)),
        ),
    ] {
        assert_eq!(session(text), expected, "{text}");
    }
}

#[test]
fn settings() {
    for (text, expected) in [
        ("SET DateStyle TO ISO", set(false, "datestyle", &["iso"])),
        ("SET search_path = a, \"B\", 'c d', $user", Session::ShowAll),
        ("SET search_path TO a, \"B\", 'c d'", set(false, "search_path", &["a", "B", "c d"])),
        ("SET LOCAL statement_timeout = 5000", set(true, "statement_timeout", &["5000"])),
        ("SET SESSION extra_float_digits = -2", set(false, "extra_float_digits", &["-2"])),
        ("SET geqo TO on", set(false, "geqo", &["on"])),
        ("SET a.b.c = 'x'", set(false, "a.b.c", &["x"])),
        ("SET session.x = 1", set(false, "session.x", &["1"])),
        ("SET TIME ZONE 'Europe/Berlin'", set(false, "timezone", &["Europe/Berlin"])),
        ("SET TIME ZONE -7", set(false, "timezone", &["-7"])),
        ("SET TIME ZONE utc", set(false, "timezone", &["utc"])),
        ("SET TIME ZONE INTERVAL '-08:00' HOUR TO MINUTE", set(false, "timezone", &["INTERVAL '-08:00'"])),
        ("SET TIME ZONE LOCAL", reset("timezone")),
        ("SET NAMES 'utf8'", set(false, "client_encoding", &["utf8"])),
        ("SET NAMES", reset("client_encoding")),
        ("SET SCHEMA 'x'", set(false, "search_path", &["x"])),
        ("SET work_mem TO DEFAULT", reset("work_mem")),
        ("SET SESSION AUTHORIZATION DEFAULT", Session::ResetAuthorization),
        ("SET ROLE NONE", Session::ResetAuthorization),
        ("SET role TO none", Session::ResetAuthorization),
        ("SET XML OPTION DOCUMENT", set(false, "xmloption", &["document"])),
        ("RESET ALL", Session::ResetAll),
        ("RESET ROLE", Session::ResetAuthorization),
        ("RESET SESSION AUTHORIZATION", Session::ResetAuthorization),
        ("RESET TIME ZONE", reset("timezone")),
        ("RESET a.B", reset("a.b")),
        ("SHOW ALL", Session::ShowAll),
        ("SHOW a.b", Session::Show("a.b".to_owned())),
        ("SHOW TimeZone", Session::Show("timezone".to_owned())),
        ("SHOW TIME ZONE", Session::Show("timezone".to_owned())),
        ("show transaction isolation level", Session::Show("transaction_isolation".to_owned())),
        ("SHOW transaction_isolation", Session::Show("transaction_isolation".to_owned())),
        ("SHOW SESSION AUTHORIZATION", Session::Show("session_authorization".to_owned())),
    ] {
        if text.contains('$') {
            assert!(parse(text, &TextLimits::default()).is_err(), "{text}");
        } else {
            assert_eq!(session(text), expected, "{text}");
        }
    }
}

#[test]
fn cursors_and_the_rest() {
    let fetch = |moving, direction| Session::Fetch { moving, cursor: "c".to_owned(), direction };
    for (text, expected) in [
        ("FETCH c", fetch(false, FetchDirection::Forward(1))),
        ("FETCH NEXT FROM c", fetch(false, FetchDirection::Forward(1))),
        ("FETCH 10 c", fetch(false, FetchDirection::Forward(10))),
        ("FETCH -3 IN c", fetch(false, FetchDirection::Forward(-3))),
        ("FETCH ALL c", fetch(false, FetchDirection::ForwardAll)),
        ("FETCH FORWARD ALL IN c", fetch(false, FetchDirection::ForwardAll)),
        ("FETCH FORWARD 5 FROM c", fetch(false, FetchDirection::Forward(5))),
        ("FETCH FORWARD FROM c", fetch(false, FetchDirection::Forward(1))),
        ("MOVE BACKWARD 2 c", fetch(true, FetchDirection::Backward(2))),
        ("MOVE BACKWARD ALL FROM c", fetch(true, FetchDirection::BackwardAll)),
        ("FETCH PRIOR c", fetch(false, FetchDirection::Backward(1))),
        ("FETCH FIRST c", fetch(false, FetchDirection::Absolute(1))),
        ("FETCH LAST IN c", fetch(false, FetchDirection::Absolute(-1))),
        ("MOVE ABSOLUTE -2 FROM c", fetch(true, FetchDirection::Absolute(-2))),
        ("FETCH RELATIVE 0 c", fetch(false, FetchDirection::Relative(0))),
        ("FETCH IN c", fetch(false, FetchDirection::Forward(1))),
        ("CLOSE \"C\"", Session::Close(Some("C".to_owned()))),
        ("CLOSE ALL", Session::Close(None)),
        ("DEALLOCATE PREPARE x", Session::Deallocate(Some("x".to_owned()))),
        ("DEALLOCATE ALL", Session::Deallocate(None)),
        ("DEALLOCATE prepare", Session::Deallocate(Some("prepare".to_owned()))),
        ("DISCARD ALL", Session::Discard(Discard::All)),
        ("DISCARD TEMPORARY", Session::Discard(Discard::Temp)),
        ("UNLISTEN *", Session::Unlisten),
        ("UNLISTEN x", Session::Unlisten),
    ] {
        assert_eq!(session(text), expected, "{text}");
    }
    assert_eq!(
        session("FETCH next"),
        Session::Fetch { moving: false, cursor: "next".to_owned(), direction: FetchDirection::Forward(1) }
    );
}

#[test]
fn what_postgres_does_not_read_is_a_syntax_error() {
    for text in [
        "BEGIN ISOLATION",
        "BEGIN READ ONLY,",
        "COMMIT AND",
        "ABORT TO x",
        "SET",
        "SET x",
        "SET x = ",
        "SET x = a b",
        "SET x = select",
        "SET LOCAL x = 1, ",
        "SHOW",
        "SHOW a b",
        "FETCH",
        "FETCH 1.5 c",
        "FETCH 99999999999 c",
        "FETCH ABSOLUTE c",
        "FETCH select",
        "CLOSE",
        "DISCARD everything",
        "SAVEPOINT a.b",
        "FROB x",
        "RELEASE",
    ] {
        let error = parse(text, &TextLimits::default()).unwrap_err();
        assert!(matches!(error, SqlError::Syntax { position: Some(_), .. }), "{text}: {error:?}");
    }
}

#[test]
fn becoming_somebody_else_is_refused() {
    for (text, what) in [
        ("SET ROLE admin", "SET ROLE"),
        ("SET SESSION AUTHORIZATION 'x'", "SET SESSION AUTHORIZATION"),
        ("SET CONSTRAINTS ALL DEFERRED", "SET CONSTRAINTS"),
        ("SET TRANSACTION SNAPSHOT 'x'", "SET TRANSACTION SNAPSHOT"),
        ("PREPARE TRANSACTION 'x'", "PREPARE TRANSACTION"),
    ] {
        match one(text) {
            Statement::Refused(refused) => assert_eq!(refused.what, what, "{text}"),
            other => panic!("{text}: {other:?}"),
        }
    }
}
