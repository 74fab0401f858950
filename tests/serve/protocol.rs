//! The protocol, frame by frame: what a driver sees is what Postgres would have sent.

use std::io::Write;

use crate::common::wire::{Wire, answers};
use crate::{Case, Fixture};
use postgres_protocol::message::frontend;

pub const CASES: &[Case] = &[
    ("protocol::same_messages_as_postgres", same_messages),
    ("protocol::parameters_in_every_place", parameters),
    ("protocol::unnamed_statement_survives_sync", unnamed_survives),
    ("protocol::named_statements_move_between_connections", named_statements),
    ("protocol::portals_with_row_limits", portals),
    ("protocol::flush_without_sync_is_answered", flush),
    ("protocol::after_an_error_everything_is_skipped_until_sync", skipping),
    ("protocol::a_pipeline_of_many_statements", pipeline),
    ("protocol::several_statements_in_one_query", several),
    ("protocol::several_statements_stop_at_the_first_error", several_error),
    ("protocol::a_refusal_in_a_text_runs_none_of_it", several_refused),
    ("protocol::empty_queries", empty),
    ("protocol::copy_out", copy_out),
    ("protocol::transactions", transactions),
    ("protocol::settings_follow_transactions", settings),
    ("protocol::sql_prepared_statements", sql_prepare),
    ("protocol::cursors", cursors),
    ("protocol::cursor_with_hold", cursor_hold),
    ("protocol::discard_and_reset", discard),
    ("protocol::function_call_is_refused", function_call),
    ("protocol::malformed_frames_end_the_connection_alone", malformed),
    ("protocol::nothing_of_one_session_reaches_the_next", isolation),
    ("protocol::deep_statements_are_refused_not_fatal", deep),
];

fn same_messages(f: &Fixture) {
    // The letters of the answers on plain Postgres and through pgveil are the same.
    let mut veil = f.proxy.login("admin");
    let mut plain = f.warehouse.superuser("warehouse");
    type Script = Box<dyn Fn(&mut Wire)>;
    let query = |text: &'static str| -> Script {
        Box::new(move |w: &mut Wire| w.queue(|o| frontend::query(text, o).unwrap()).flush())
    };
    let batch = |build: fn(&mut Wire)| -> Script {
        Box::new(move |w: &mut Wire| {
            build(w);
            w.sync();
        })
    };
    let scripts: [(&str, Script); 14] = [
        ("simple", query("SELECT 1")),
        ("two", query("SELECT 1; SELECT 2")),
        ("set and select", query("SET extra_float_digits = 1; SELECT 2; SHOW DateStyle")),
        ("empty", query("")),
        ("semicolon", query(" ; ")),
        (
            "extended",
            batch(|w| {
                w.parse("", "SELECT $1::int", &[]).bind("", "", &[Some("1")], false).describe(b'P', "").execute("", 0);
            }),
        ),
        (
            "describe statement",
            batch(|w| {
                w.parse("x", "SELECT $1::int", &[]).describe(b'S', "x");
            }),
        ),
        (
            "use it",
            batch(|w| {
                w.bind("", "x", &[Some("7")], true).execute("", 0);
            }),
        ),
        (
            "describe missing",
            batch(|w| {
                w.describe(b'S', "missing");
            }),
        ),
        (
            "bind missing",
            batch(|w| {
                w.bind("", "missing", &[], false).execute("", 0);
            }),
        ),
        (
            "begin",
            batch(|w| {
                w.parse("", "BEGIN", &[]).bind("", "", &[], false).describe(b'P', "").execute("", 0);
            }),
        ),
        (
            "rollback",
            batch(|w| {
                w.parse("", "ROLLBACK", &[]).bind("", "", &[], false).execute("", 0);
            }),
        ),
        (
            "close",
            batch(|w| {
                w.queue(|o| frontend::close(b'S', "x", o).unwrap());
            }),
        ),
        ("only sync", batch(|_| ())),
    ];
    for (name, script) in scripts {
        script(&mut veil);
        script(&mut plain);
        assert_eq!(veil.letters(), plain.letters(), "{name}");
    }
}

fn parameters(f: &Fixture) {
    let mut wire = f.proxy.login("analyst");
    let answer = wire.extended(
        "SELECT order_id FROM finance.orders WHERE total > $1 AND region = $2 ORDER BY order_id LIMIT $3 OFFSET $4",
        &[Some("400"), Some("EU"), Some("3"), Some("1")],
        false,
    );
    assert_eq!(answer.rows.len(), 3, "{answer:?}");
    let none = wire.extended("SELECT order_id FROM finance.orders LIMIT $1", &[None], false);
    assert_eq!(none.rows.len(), 10_000, "LIMIT NULL is capped too");
    let answer = wire.extended("SELECT $1::text || $2", &[Some("a"), Some("b")], true);
    assert_eq!(answer.scalar(), "ab");
    wire.parse("", "SELECT 1 WHERE 1 = $1", &[2205]).sync();
    assert_eq!(answers(wire.until_ready())[0].sqlstate(), "42501", "a parameter of type regclass");
}

fn unnamed_survives(f: &Fixture) {
    let mut wire = f.proxy.login("analyst");
    wire.parse("", "SELECT count(*) FROM marketing.campaigns WHERE channel <> $1", &[]).sync();
    assert_eq!(wire.letters(), "1Z");
    for _ in 0..2 {
        wire.bind("", "", &[Some("none")], false).execute("", 0).sync();
        assert_eq!(wire.letters(), "2DCZ");
    }
}

fn named_statements(f: &Fixture) {
    let mut wires: Vec<Wire> = (0..6).map(|_| f.proxy.login("analyst")).collect();
    for (n, wire) in wires.iter_mut().enumerate() {
        wire.parse("s", &format!("SELECT {n} + count(*) FROM marketing.campaigns"), &[]).sync();
        assert_eq!(wire.letters(), "1Z");
    }
    for _ in 0..3 {
        for (n, wire) in wires.iter_mut().enumerate().rev() {
            wire.bind("", "s", &[], false).execute("", 0).sync();
            assert_eq!(answers(wire.until_ready())[0].scalar(), (240 + n).to_string());
        }
    }
    wires[0].parse("s", "SELECT 1", &[]).sync();
    assert_eq!(answers(wires[0].until_ready())[0].sqlstate(), "42P05");
}

fn portals(f: &Fixture) {
    let mut wire = f.proxy.login("analyst");
    wire.one("BEGIN");
    wire.parse("", "SELECT campaign_id FROM marketing.campaigns ORDER BY 1", &[])
        .bind("p", "", &[], false)
        .execute("p", 100)
        .execute("p", 100)
        .execute("p", 100)
        .sync();
    let all = answers(wire.until_ready());
    assert_eq!(
        all.iter().map(|a| (a.rows.len(), a.tag.as_str())).collect::<Vec<_>>(),
        [(100, "(suspended)"), (100, "(suspended)"), (40, "SELECT 40")]
    );
    assert_eq!(wire.one("COMMIT").status, 'I');
    // Outside a transaction a portal lives until Sync.
    wire.parse("", "SELECT 1", &[]).bind("q", "", &[], false).sync();
    assert_eq!(wire.letters(), "12Z");
    wire.execute("q", 0).sync();
    assert_eq!(answers(wire.until_ready())[0].sqlstate(), "34000");
}

fn flush(f: &Fixture) {
    let mut wire = f.proxy.login("analyst");
    wire.parse("f", "SELECT count(*) FROM marketing.campaigns", &[]).describe(b'S', "f").queue(frontend::flush).flush();
    let mut letters = String::new();
    while !letters.ends_with('T') {
        letters.push(char::from(wire.read().unwrap().tag));
    }
    assert_eq!(letters, "1tT");
    wire.bind("", "f", &[], false).execute("", 0).queue(frontend::flush).flush();
    let mut letters = String::new();
    while !letters.ends_with('C') {
        letters.push(char::from(wire.read().unwrap().tag));
    }
    assert_eq!(letters, "2DC");
    wire.sync();
    assert_eq!(wire.letters(), "Z");
    // Again and again, so that the warehouse has it and pgveil answers Parse itself: what stands before Flush is told then,
    // whatever follows it.
    for _ in 0..3 {
        let sql = "SELECT count(*) FROM marketing.campaigns WHERE 7 > 1";
        wire.parse("", sql, &[]).queue(frontend::flush).bind("", "", &[], false).flush();
        assert_eq!(wire.read().unwrap().tag, b'1');
        wire.execute("", 0).sync();
        assert_eq!(wire.letters(), "2DCZ");
    }
}

fn skipping(f: &Fixture) {
    let mut wire = f.proxy.login("analyst");
    for bad in ["SELECT * FROM raw.people", "SELECT FROM WHERE", "SELECT nothing FROM finance.orders"] {
        wire.parse("", "SELECT 1", &[])
            .bind("", "", &[], false)
            .execute("", 0)
            .parse("", bad, &[])
            .bind("", "", &[], false)
            .execute("", 0)
            .parse("", "SELECT 2", &[])
            .sync();
        let letters = wire.letters();
        assert_eq!(letters, "12DCEZ", "{bad}");
    }
    assert_eq!(wire.one("SELECT 3").scalar(), "3");
}

fn pipeline(f: &Fixture) {
    let mut wire = f.proxy.login("analyst");
    let n = 500;
    for i in 0..n {
        wire.parse("", "SELECT $1::int, count(*) FROM marketing.campaigns", &[])
            .bind("", "", &[Some(&i.to_string())], false)
            .execute("", 0);
        wire.queue(frontend::sync);
    }
    wire.flush();
    for i in 0..n {
        assert_eq!(answers(wire.until_ready())[0].text_rows()[0], [i.to_string(), "240".into()]);
    }
}

fn several(f: &Fixture) {
    let mut wire = f.proxy.login("analyst");
    let all = wire.simple(
        "SET search_path = marketing; SELECT count(*) FROM campaigns; SHOW search_path; BEGIN; SELECT 2; COMMIT",
    );
    let tags: Vec<&str> = all.iter().map(|a| a.tag.as_str()).collect();
    assert_eq!(tags, ["SET", "SELECT 1", "SHOW", "BEGIN", "SELECT 1", "COMMIT"]);
    assert_eq!((all[1].scalar(), all[2].scalar()), ("240".into(), "marketing".into()));
    let all = wire.simple("SELECT 1; SELECT count(*) FROM marketing.ad_spend; VALUES (3)");
    assert_eq!(all.iter().map(crate::common::wire::Answer::scalar).collect::<Vec<_>>(), ["1", "28800", "3"]);
}

fn several_error(f: &Fixture) {
    let mut wire = f.proxy.login("analyst");
    let all = wire.simple("SELECT 1; SELECT 1 / 0; SELECT 3");
    assert_eq!(all.len(), 2, "{all:?}");
    assert_eq!((all[0].scalar().as_str(), all[1].sqlstate(), all[1].status), ("1", "22012", 'I'));
}

fn several_refused(f: &Fixture) {
    let mut wire = f.proxy.login("analyst");
    let all = wire.simple("SELECT 1; SELECT * FROM raw.people");
    assert_eq!(all.len(), 1);
    assert_eq!(all[0].sqlstate(), "42P01");
}

fn empty(f: &Fixture) {
    let mut wire = f.proxy.login("analyst");
    for text in ["", ";", " -- nothing\n", "/* /* nested */ */"] {
        wire.queue(|o| frontend::query(text, o).unwrap()).flush();
        assert_eq!(wire.letters(), "IZ", "{text:?}");
    }
    wire.parse("", "", &[]).bind("", "", &[], false).describe(b'P', "").execute("", 0).sync();
    assert_eq!(wire.letters(), "12nIZ");
}

fn copy_out(f: &Fixture) {
    let mut wire = f.proxy.login("analyst");
    let answer = wire.one("COPY (SELECT campaign_id, channel FROM marketing.campaigns ORDER BY 1 LIMIT 2) TO STDOUT");
    assert_eq!((answer.tag.as_str(), answer.copied.iter().filter(|b| **b == b'\n').count()), ("COPY 2", 2));
    let answer = wire.one("COPY finance.orders (order_id, customer_email) TO STDOUT WITH (FORMAT csv, HEADER)");
    let text = String::from_utf8(answer.copied).unwrap();
    assert!(text.starts_with("order_id,customer_email\n"), "{}", &text[..50]);
    assert!(text.lines().skip(1).all(|l| l.contains("***@")), "masked in COPY too");
    assert_eq!(answer.tag, "COPY 10000");
    assert_eq!(answer.notices.len(), 1, "{:?}", answer.notices);
    assert_eq!(wire.one("COPY (SELECT 1) TO '/tmp/x'").sqlstate(), "42501");
    assert_eq!(wire.one("COPY (SELECT 1) TO PROGRAM 'id'").sqlstate(), "42501");
}

fn transactions(f: &Fixture) {
    let mut wire = f.proxy.login("analyst");
    for (sql, tag, status) in [
        ("BEGIN ISOLATION LEVEL REPEATABLE READ, READ WRITE", "BEGIN", 'T'),
        ("SHOW transaction_isolation", "SHOW", 'T'),
        ("SELECT count(*) FROM marketing.campaigns", "SELECT 1", 'T'),
        ("SAVEPOINT s", "SAVEPOINT", 'T'),
        ("SELECT 1 / 0", "", 'E'),
        ("ROLLBACK TO SAVEPOINT s", "ROLLBACK", 'T'),
        ("RELEASE s", "RELEASE", 'T'),
        ("COMMIT", "COMMIT", 'I'),
        ("COMMIT", "COMMIT", 'I'),
        ("START TRANSACTION READ ONLY", "START TRANSACTION", 'T'),
        ("SELECT 1 / 0", "", 'E'),
        ("COMMIT", "ROLLBACK", 'I'),
        ("ROLLBACK", "ROLLBACK", 'I'),
        ("SAVEPOINT x", "", 'I'),
    ] {
        let answer = wire.one(sql);
        assert_eq!((answer.tag.as_str(), answer.status), (tag, status), "{sql}: {answer:?}");
    }
}

fn settings(f: &Fixture) {
    let mut wire = f.proxy.login("analyst");
    let show = |w: &mut Wire| w.one("SHOW TimeZone").scalar();
    wire.one("SET TimeZone = 'Europe/Berlin'");
    wire.simple("BEGIN");
    wire.one("SET LOCAL TimeZone = 'Asia/Tokyo'");
    assert_eq!(show(&mut wire), "Asia/Tokyo");
    assert!(wire.one("SELECT timestamptz '2025-01-01 00:00:00Z'").scalar().ends_with("+09"));
    wire.one("COMMIT");
    assert_eq!(show(&mut wire), "Europe/Berlin");
    wire.one("BEGIN");
    wire.one("SET TimeZone = 'UTC'");
    wire.one("ROLLBACK");
    assert_eq!(show(&mut wire), "Europe/Berlin");
    assert_eq!(wire.parameters["TimeZone"], "Europe/Berlin");
    assert!(wire.one("SELECT timestamptz '2025-01-01 00:00:00Z'").scalar().ends_with("+01"));
    wire.one("BEGIN");
    wire.one("SAVEPOINT s");
    wire.one("SET TimeZone = 'UTC'");
    wire.one("ROLLBACK TO s");
    assert_eq!(show(&mut wire), "Europe/Berlin");
    assert!(wire.one("SELECT timestamptz '2025-01-01 00:00:00Z'").scalar().ends_with("+01"));
    wire.one("COMMIT");
    wire.one("RESET TimeZone");
    assert_eq!(wire.one("SET no_such_setting = 1").sqlstate(), "42704");
    assert_eq!(wire.one("SET work_mem = '1GB'").sqlstate(), "42501");
}

fn sql_prepare(f: &Fixture) {
    let mut wire = f.proxy.login("analyst");
    assert_eq!(
        wire.one("PREPARE q(text) AS SELECT count(*) FROM marketing.campaigns WHERE channel = $1").tag,
        "PREPARE"
    );
    let n: i64 = wire.one("EXECUTE q('paid')").scalar().parse().unwrap();
    assert!(n > 0 && n < 240);
    assert_eq!(wire.one("PREPARE q AS SELECT 1").sqlstate(), "42P05");
    assert_eq!(wire.one("PREPARE bad AS SELECT * FROM raw.people").sqlstate(), "42P01");
    assert_eq!(wire.one("EXECUTE q((SELECT 'paid'))").sqlstate().len(), 5);
    assert_eq!(wire.one("DEALLOCATE q").tag, "DEALLOCATE");
    assert_eq!(wire.one("EXECUTE q('paid')").sqlstate(), "26000");
    assert_eq!(wire.one("DEALLOCATE ALL").tag, "DEALLOCATE ALL");
}

fn cursors(f: &Fixture) {
    let mut wire = f.proxy.login("analyst");
    assert_eq!(wire.one("DECLARE c CURSOR FOR SELECT 1").sqlstate(), "25P01");
    wire.one("BEGIN");
    assert_eq!(
        wire.one("DECLARE c SCROLL CURSOR FOR SELECT campaign_id, channel FROM marketing.campaigns ORDER BY 1").tag,
        "DECLARE CURSOR"
    );
    assert_eq!(wire.one("FETCH 10 FROM c").rows.len(), 10);
    assert_eq!(wire.one("FETCH FORWARD 5 IN c").rows.len(), 5);
    assert_eq!(wire.one("MOVE 5 FROM c").tag, "MOVE 5");
    assert_eq!(wire.one("FETCH NEXT FROM c").text_rows()[0][0], "cmp-0021");
    assert_eq!(wire.one("FETCH PRIOR FROM c").text_rows()[0][0], "cmp-0020");
    assert_eq!(wire.one("FETCH ALL FROM c").rows.len(), 220);
    assert_eq!(wire.one("FETCH FIRST FROM c").text_rows()[0][0], "cmp-0001");
    assert_eq!(wire.one("CLOSE c").tag, "CLOSE CURSOR");
    assert_eq!(wire.one("FETCH c").sqlstate(), "34000");
    wire.one("ROLLBACK");
    // The cap holds over all FETCHes of a cursor.
    wire.one("BEGIN");
    wire.one("DECLARE big NO SCROLL CURSOR FOR SELECT event_id FROM product.events");
    let mut total = 0;
    let mut notices = 0;
    loop {
        let answer = wire.one("FETCH 3000 FROM big");
        total += answer.rows.len();
        notices += answer.notices.len();
        if answer.rows.is_empty() {
            break;
        }
        assert_eq!(answer.tag, format!("FETCH {}", answer.rows.len()));
    }
    assert_eq!((total, notices), (10_000, 1));
    wire.one("COMMIT");
}

fn cursor_hold(f: &Fixture) {
    let mut wire = f.proxy.login("analyst");
    assert_eq!(
        wire.one("DECLARE h CURSOR WITH HOLD FOR SELECT campaign_id FROM marketing.campaigns ORDER BY 1").tag,
        "DECLARE CURSOR"
    );
    assert_eq!(wire.one("FETCH 2 FROM h").rows.len(), 2);
    assert_eq!(wire.one("SELECT 1").scalar(), "1");
    assert_eq!(wire.one("FETCH 1 FROM h").text_rows()[0][0], "cmp-0003");
    wire.one("CLOSE h");
    assert_eq!(wire.one("FETCH 1 FROM h").sqlstate(), "34000");
}

fn discard(f: &Fixture) {
    let mut wire = f.proxy.login("analyst");
    wire.one("SET TimeZone = 'Asia/Tokyo'");
    wire.one("PREPARE q AS SELECT 1");
    assert_eq!(wire.one("DISCARD ALL").tag, "DISCARD ALL");
    assert_ne!(wire.one("SHOW TimeZone").scalar(), "Asia/Tokyo");
    assert_eq!(wire.one("EXECUTE q").sqlstate(), "26000");
    for (sql, tag) in [
        ("RESET ALL", "RESET"),
        ("UNLISTEN *", "UNLISTEN"),
        ("CLOSE ALL", "CLOSE CURSOR ALL"),
        ("SET SESSION AUTHORIZATION DEFAULT", "SET"),
        ("DISCARD PLANS", "DISCARD PLANS"),
        ("DISCARD TEMP", "DISCARD TEMP"),
        ("DISCARD SEQUENCES", "DISCARD SEQUENCES"),
        ("SELECT pg_advisory_unlock_all()", "SELECT 1"),
    ] {
        let answer = wire.one(sql);
        assert_eq!(answer.tag, tag, "{sql}: {answer:?}");
    }
    wire.one("BEGIN");
    assert_eq!(wire.one("DISCARD ALL").sqlstate(), "25001");
    wire.one("ROLLBACK");
}

fn function_call(f: &Fixture) {
    let mut wire = f.proxy.login("analyst");
    wire.stream.write_all(&[b'F', 0, 0, 0, 14, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0]).unwrap();
    let error = loop {
        let frame = wire.read().expect("an answer");
        if frame.tag == b'E' {
            break frame.fields();
        }
    };
    assert!(["0A000", "42501"].contains(&error[&'C'].as_str()), "{error:?}");
}

fn malformed(f: &Fixture) {
    let frames: [&[u8]; 9] = [
        b"Q\0\0\0\x03",
        b"Q\xff\xff\xff\xff",
        b"Q\x7f\xff\xff\xff",
        b"Z\0\0\0\x05I",
        b"P\0\0\0\x05a",
        b"B\0\0\0\x08\0\0\xff\xff",
        b"E\0\0\0\x05\0",
        b"\0\0\0\0\x04",
        b"D\0\0\0\x06X\0",
    ];
    for frame in frames {
        let mut wire = f.proxy.login("analyst");
        let _ = wire.stream.write_all(frame);
        match wire.read() {
            Ok(answer) => assert_eq!(answer.tag, b'E', "{frame:?}: {answer:?}"),
            Err(e) => assert_ne!(e.kind(), std::io::ErrorKind::WouldBlock, "{frame:?} hangs"),
        }
    }
    let mut wire = f.proxy.login("analyst");
    wire.stream.write_all(b"Q\0\0\0\x0aSEL\xff\xfe\0").unwrap();
    let frame = wire.read().unwrap();
    assert_eq!(frame.fields()[&'C'], "22021");
    assert_eq!(f.proxy.login("analyst").one("SELECT 1").scalar(), "1");
}

fn isolation(f: &Fixture) {
    // Each leaves something behind and goes without a goodbye; the next must find nothing of it.
    let dirt: [&[&str]; 8] = [
        &["SET TimeZone = 'Asia/Tokyo'", "SELECT 1"],
        &["SET application_name = 'left-over'", "SELECT 1"],
        &["PREPARE leftover AS SELECT 1", "EXECUTE leftover"],
        &["BEGIN", "SELECT 1"],
        &["BEGIN", "SELECT 1 / 0"],
        &["BEGIN", "DECLARE leftover CURSOR FOR SELECT 1", "SAVEPOINT leftover"],
        &["DECLARE leftover CURSOR WITH HOLD FOR SELECT 1"],
        &["SET search_path = marketing", "SET statement_timeout = '1ms'"],
    ];
    for statements in dirt {
        let mut dirty = f.proxy.login("manager");
        for sql in statements {
            dirty.one(sql);
        }
        drop(dirty);
        for _ in 0..3 {
            let mut clean = f.proxy.login("analyst");
            assert_eq!(clean.one("SELECT 1").status, 'I', "{statements:?}");
            assert_ne!(clean.one("SHOW TimeZone").scalar(), "Asia/Tokyo");
            assert!(!clean.one("SELECT timestamptz '2025-01-01 00:00:00Z'").scalar().ends_with("+09"));
            assert_eq!(clean.one("EXECUTE leftover").sqlstate(), "26000");
            assert_eq!(clean.one("FETCH leftover").sqlstate(), "34000");
            assert_eq!(clean.one("SHOW statement_timeout").scalar(), "30s");
            assert_eq!(clean.one("SELECT count(*) FROM finance.orders WHERE region <> 'EU'").scalar(), "0");
        }
    }
}

fn deep(f: &Fixture) {
    let mut wire = f.proxy.login("analyst");
    let ors = format!("SELECT {}", vec!["1 = 1"; 5000].join(" OR "));
    let nested = format!("SELECT {}1{}", "(".repeat(1000), ")".repeat(1000));
    let unions = vec!["SELECT 1"; 1000].join(" UNION ALL ");
    let long = format!("SELECT '{}'", "x".repeat(10_000_000));
    for sql in [&ors, &nested, &unions, &long] {
        let answer = wire.one(sql);
        assert!(
            answer.error.is_none() || ["54000", "54001", "42501"].contains(&answer.sqlstate()),
            "{:?}",
            answer.error
        );
    }
    let too_long = format!("SELECT '{}'", "x".repeat(17 << 20));
    let mut frame = bytes::BytesMut::new();
    frontend::query(&too_long, &mut frame).unwrap();
    // It may be cut off in the midst of it.
    let _ = wire.stream.write_all(&frame);
    let answer = wire.read();
    assert!(answer.is_err() || answer.unwrap().fields()[&'C'] == "54000");
    assert_eq!(f.proxy.login("analyst").one("SELECT 1").scalar(), "1");
}
