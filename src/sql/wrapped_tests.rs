use super::super::limits::TextLimits;
use super::super::parse::parse;
use super::super::{guard, prove, render};
use super::*;

/// The one statement of a text, and what is printed of it.
fn printed(text: &str) -> String {
    let all = parse(text, &TextLimits::default()).unwrap_or_else(|error| panic!("{text}: {error:?}"));
    assert_eq!(all.len(), 1, "{text}");
    guard::check(&all[0]).unwrap_or_else(|error| panic!("{text}: {error}"));
    let print = render(&all[0].statement);
    prove(&all[0].statement, &print).unwrap_or_else(|error| panic!("{text}: {error}\n{print}"));
    print
}

fn refused(text: &str) -> String {
    match &parse(text, &TextLimits::default()).unwrap_or_else(|error| panic!("{text}: {error:?}"))[0].statement {
        Statement::Refused(refused) => refused.what.clone(),
        other => panic!("{text}: {other:?}"),
    }
}

#[test]
fn statements_around_a_query_print_as_themselves() {
    for (text, print) in [
        ("EXPLAIN SELECT 1", "EXPLAIN (COSTS on, FORMAT json) SELECT 1"),
        ("explain (costs off, format YAML) table t", "EXPLAIN (COSTS off, FORMAT json) SELECT * FROM t"),
        ("EXPLAIN (ANALYZE false, VERBOSE off) SELECT 1", "EXPLAIN (COSTS on, FORMAT json) SELECT 1"),
        ("EXPLAIN (SELECT 1)", "EXPLAIN (COSTS on, FORMAT json) (SELECT 1)"),
        ("COPY (SELECT a FROM t) TO STDOUT", "COPY (SELECT a FROM t) TO STDOUT"),
        ("COPY t TO STDOUT", "COPY (SELECT * FROM t) TO STDOUT"),
        ("copy s.\"T\" (a, \"B\") to stdout", "COPY (SELECT \"a\", \"B\" FROM s.\"T\") TO STDOUT"),
        (
            "COPY t TO STDOUT WITH (FORMAT csv, HEADER, DELIMITER ';', NULL 'it''s', QUOTE '\"', ESCAPE '\\', FORCE_QUOTE (a, \"B\"), ENCODING 'utf-8')",
            "COPY (SELECT * FROM t) TO STDOUT WITH (FORMAT csv, HEADER true, DELIMITER ';', NULL 'it''s', QUOTE '\"', ESCAPE '\\', FORCE_QUOTE (\"a\", \"B\"))",
        ),
        (
            "COPY t TO STDOUT CSV HEADER FORCE QUOTE *",
            "COPY (SELECT * FROM t) TO STDOUT WITH (FORMAT csv, HEADER true, FORCE_QUOTE *)",
        ),
        (
            "COPY t TO STDOUT WITH DELIMITER AS E'\\t' NULL ''",
            "COPY (SELECT * FROM t) TO STDOUT WITH (DELIMITER '\t', NULL '')",
        ),
        ("COPY BINARY t TO STDOUT", "COPY (SELECT * FROM t) TO STDOUT WITH (FORMAT binary)"),
        ("DECLARE c CURSOR FOR SELECT 1", "DECLARE \"c\" CURSOR FOR SELECT 1"),
        (
            "declare \"C x\" binary insensitive no scroll cursor with hold for select 1 for read only",
            "DECLARE \"C x\" BINARY INSENSITIVE NO SCROLL CURSOR WITH HOLD FOR SELECT 1",
        ),
        ("DECLARE c SCROLL CURSOR WITHOUT HOLD FOR TABLE t", "DECLARE \"c\" SCROLL CURSOR FOR SELECT * FROM t"),
        ("PREPARE p (int, text) AS SELECT $1, $2", "SELECT $1, $2"),
    ] {
        assert_eq!(printed(text), print, "{text}");
    }
}

#[test]
fn prepare_and_execute_are_read() {
    let all =
        parse("PREPARE P (int, numeric(10,2)) AS SELECT $1; EXECUTE p(1 + 1, 'x')", &TextLimits::default()).unwrap();
    let Statement::Prepare { name, types, .. } = &all[0].statement else { panic!() };
    assert_eq!((name.as_str(), types.len()), ("p", 2));
    assert_eq!(all[0].query_text.clone().map(|range| &all[0].text[range]), Some("SELECT $1"));
    let Statement::Execute { name, arguments } = &all[1].statement else { panic!() };
    assert_eq!((name.as_str(), arguments.len()), ("p", 2));
    assert_eq!(all[1].offset, 45);
}

#[test]
fn what_changes_or_reaches_out_is_refused_by_name() {
    for (text, what) in [
        ("EXPLAIN ANALYZE SELECT 1", "EXPLAIN ANALYZE"),
        ("EXPLAIN VERBOSE SELECT 1", "EXPLAIN VERBOSE"),
        ("EXPLAIN (ANALYZE) SELECT 1", "EXPLAIN ANALYZE"),
        ("EXPLAIN (BUFFERS on, COSTS off) SELECT 1", "EXPLAIN BUFFERS"),
        ("EXPLAIN (GENERIC_PLAN off) SELECT 1", "EXPLAIN GENERIC_PLAN"),
        ("EXPLAIN INSERT INTO t VALUES (1)", "EXPLAIN INSERT"),
        ("EXPLAIN EXECUTE p", "EXPLAIN EXECUTE"),
        ("PREPARE p AS DELETE FROM t", "PREPARE DELETE"),
        ("COPY t FROM STDIN", "COPY FROM"),
        ("COPY t (a) FROM '/etc/passwd'", "COPY FROM"),
        ("COPY t TO '/tmp/x'", "COPY TO a file or program"),
        ("COPY (SELECT 1) TO PROGRAM 'sh'", "COPY TO a file or program"),
        ("COPY (DELETE FROM t RETURNING *) TO STDOUT", "COPY (DELETE)"),
        ("COPY t TO STDOUT WITH (FREEZE, FORMAT csv)", "COPY option FREEZE"),
        ("COPY t TO STDOUT (ENCODING 'latin1')", "COPY option ENCODING"),
        ("DECLARE c CURSOR FOR SELECT * FROM t FOR UPDATE", "SELECT FOR UPDATE"),
        ("INSERT INTO t SELECT 1", "INSERT"),
        ("update t set a = 1", "UPDATE"),
        ("WITH x AS (SELECT 1) DELETE FROM t", "DELETE"),
        ("WITH x AS (INSERT INTO t VALUES (1) RETURNING *) SELECT * FROM x", "INSERT"),
        ("WITH x AS MATERIALIZED (UPDATE t SET a = 1 RETURNING *) TABLE x", "UPDATE"),
        ("SELECT * INTO x FROM t", "SELECT INTO"),
        ("SELECT * INTO TEMP TABLE x FROM t", "SELECT INTO"),
        ("SELECT * FROM t FOR SHARE OF t NOWAIT", "SELECT FOR SHARE"),
        ("SELECT * FROM (SELECT * FROM t FOR NO KEY UPDATE) x", "SELECT FOR NO KEY UPDATE"),
        ("CREATE TABLE x AS SELECT 1", "CREATE TABLE"),
        ("CREATE TEMP TABLE x (a int)", "CREATE TABLE"),
        ("CREATE OR REPLACE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; END; SELECT 2", "CREATE FUNCTION"),
        ("CREATE RULE r AS ON INSERT TO t DO ALSO (SELECT 1; SELECT 2)", "CREATE RULE"),
        ("CREATE UNIQUE INDEX CONCURRENTLY i ON t (a)", "CREATE INDEX"),
        ("CREATE MATERIALIZED VIEW v AS SELECT 1", "CREATE MATERIALIZED VIEW"),
        ("ALTER USER x PASSWORD 'y'", "ALTER ROLE"),
        ("DROP FOREIGN DATA WRAPPER x", "DROP FOREIGN DATA WRAPPER"),
        ("TRUNCATE t", "TRUNCATE"),
        ("GRANT SELECT ON t TO x", "GRANT"),
        ("DO $$ BEGIN END $$", "DO"),
        ("CALL p()", "CALL"),
        ("LISTEN x", "LISTEN"),
        ("NOTIFY x, 'y'", "NOTIFY"),
        ("LOCK TABLE t IN SHARE MODE", "LOCK TABLE"),
        ("VACUUM (FULL) t", "VACUUM"),
        ("ANALYZE t", "ANALYZE"),
        ("REFRESH MATERIALIZED VIEW v", "REFRESH MATERIALIZED VIEW"),
        ("COMMENT ON TABLE t IS 'x'", "COMMENT"),
        ("MERGE INTO t USING u ON true WHEN MATCHED THEN DELETE", "MERGE"),
    ] {
        assert_eq!(refused(text), what, "{text}");
    }
}

#[test]
fn a_column_may_be_named_like_a_verb() {
    for text in ["SELECT update, delete, insert, t.into FROM t", "SELECT f(update) AS into, (update) FROM t"] {
        printed(text);
    }
}
