//! Rows on their way to the client.

use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::time::timeout;

use crate::upstream::connection::{LARGE_BUFFER, SMALL_BUFFER};
use crate::upstream::{Connection, CopyCounting, RelayStop, RowRelay, hide_origins};

use super::{answers, connect, describe, permit};

/// Runs a statement and relays its rows to a client who reads all of it; what he got, and the relay.
async fn relay(sql: &str, mut relay: RowRelay) -> (Vec<String>, RowRelay) {
    let mut connection = connect().await;
    connection.query(&permit(sql)).unwrap();
    let (mut ours, theirs) = duplex(4096);
    let reader = tokio::spawn(read_all(theirs));
    let mut out = BytesMut::new();
    while connection.is_waiting() {
        assert_eq!(relay.run(&mut connection, &mut ours, &mut out).await.unwrap(), RelayStop::Frame);
        match connection.next_frame().unwrap() {
            Some(frame) => out.extend_from_slice(frame.raw),
            None => connection.fill().await.unwrap(),
        }
    }
    assert!(connection.is_clean());
    ours.write_all(&out).await.unwrap();
    drop(ours);
    let bytes = reader.await.unwrap();
    (frames(&bytes), relay)
}

async fn read_all(mut stream: DuplexStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await.unwrap();
    bytes
}

fn frames(mut bytes: &[u8]) -> Vec<String> {
    let mut frames = Vec::new();
    while let Some(header) = crate::wire::header(bytes).unwrap() {
        frames.push(describe(header.tag, &bytes[5..header.len]));
        bytes = &bytes[header.len..];
    }
    assert!(bytes.is_empty(), "the client got whole frames");
    frames
}

#[tokio::test]
async fn rows_arrive_as_they_are_and_are_counted() {
    let (got, relay) = relay("SELECT 'a' UNION ALL SELECT 'b'", RowRelay::rows(None, false, false)).await;
    assert_eq!(got, ["T", "D:a", "D:b", "C:SELECT 2", "Z:I"]);
    assert_eq!((relay.sent(), relay.withheld(), relay.bytes()), (2, 0, 24));
}

#[tokio::test]
async fn a_row_over_the_cap_is_withheld() {
    let sql = "SELECT generate_series(1, 4)";
    let (got, cut) = relay(sql, RowRelay::rows(Some(3), false, false)).await;
    assert_eq!(got, ["T", "D:1", "D:2", "D:3", "C:SELECT 4", "Z:I"]);
    assert_eq!((cut.sent(), cut.withheld()), (3, 1));
    let (got, whole) = relay(sql, RowRelay::rows(Some(4), false, false)).await;
    assert_eq!(got.len(), 7);
    assert_eq!((whole.sent(), whole.withheld()), (4, 0));
}

#[tokio::test]
async fn at_a_cap_that_is_not_in_the_sql_the_session_can_cancel() {
    let mut connection = connect().await;
    connection.query(&permit("SELECT generate_series(1, 1e9::bigint)")).unwrap();
    let (mut ours, theirs) = duplex(4096);
    let reader = tokio::spawn(read_all(theirs));
    let mut relay = RowRelay::rows(Some(100_000), true, false);
    let mut out = BytesMut::new();
    let mut capped = false;
    while connection.is_waiting() {
        match relay.run(&mut connection, &mut ours, &mut out).await.unwrap() {
            RelayStop::Cap => {
                assert!(!std::mem::replace(&mut capped, true));
                connection.cancel_handle().cancel(Duration::from_secs(60)).await.unwrap();
            }
            RelayStop::Frame => match connection.next_frame().unwrap() {
                Some(frame) => out.extend_from_slice(frame.raw),
                None => connection.fill().await.unwrap(),
            },
        }
    }
    ours.write_all(&out).await.unwrap();
    drop(ours);
    let got = frames(&reader.await.unwrap());
    assert!(capped && relay.withheld() > 1);
    assert_eq!(got.len(), 100_003);
    assert_eq!(got[100_001..], ["E:57014", "Z:I"]);
}

#[tokio::test]
async fn copies_are_counted_by_row_in_every_format() {
    let query = "SELECT generate_series(1, 4)";
    for (options, binary, header) in
        [("", false, false), ("(FORMAT csv, HEADER)", false, true), ("(FORMAT binary)", true, false)]
    {
        let counting = CopyCounting { binary, header };
        let sql = format!("COPY ({query}) TO STDOUT {options}");
        let (got, cut) = relay(&sql, RowRelay::copy(Some(3), counting, false)).await;
        assert_eq!((cut.sent(), cut.withheld()), (3, 1), "{options}");
        // The header, or the binary trailer, comes on top.
        let messages = 3 + usize::from(header) + usize::from(binary);
        assert_eq!(got.iter().filter(|frame| *frame == "d").count(), messages, "{options}");
        let (_, whole) = relay(&sql, RowRelay::copy(Some(4), counting, false)).await;
        assert_eq!((whole.sent(), whole.withheld()), (4, 0), "{options}");
    }
}

#[tokio::test]
async fn a_row_of_many_megabytes_passes_through_a_small_buffer() {
    let mut connection = connect().await;
    connection.query(&permit("SELECT repeat('x', 30000000), generate_series(1, 3)")).unwrap();
    let (mut ours, theirs) = duplex(64 * 1024);
    let reader = tokio::spawn(read_all(theirs));
    let mut relay = RowRelay::rows(Some(2), false, false);
    let mut out = BytesMut::new();
    let mut largest = 0;
    while connection.is_waiting() {
        relay.run(&mut connection, &mut ours, &mut out).await.unwrap();
        largest = largest.max(connection.read.capacity());
        match connection.next_frame().unwrap() {
            Some(frame) => out.extend_from_slice(frame.raw),
            None => connection.fill().await.unwrap(),
        }
    }
    // What cannot be reclaimed yet makes room for as much again, whatever the size of the row.
    assert!(largest <= 2 * LARGE_BUFFER + SMALL_BUFFER, "{largest}");
    assert_eq!((relay.sent(), relay.withheld()), (2, 1));
    assert!(connection.end_lease() && connection.read.capacity() <= 16 * 1024);
    ours.write_all(&out).await.unwrap();
    drop(ours);
    assert_eq!(reader.await.unwrap().iter().filter(|byte| **byte == b'x').count(), 60_000_000);
}

#[tokio::test]
async fn a_client_that_does_not_read_holds_the_warehouse_back() {
    // Rows that end within what fits on the way, and rows far larger than that: those are left in their middle.
    for (row, count) in [(1_000, 100_000), (10_000_000, 3)] {
        let mut connection = connect().await;
        let sql = format!("SELECT repeat('x', {row}) FROM generate_series(1, {count})");
        connection.query(&permit(&sql)).unwrap();
        let (mut ours, theirs) = duplex(4096);
        let mut relay = RowRelay::rows(None, false, false);
        let mut out = BytesMut::new();
        assert_eq!(relay.run(&mut connection, &mut ours, &mut out).await.unwrap(), RelayStop::Frame);
        out.extend_from_slice(connection.next_frame().unwrap().unwrap().raw);
        // The warehouse may take its time to begin.
        while relay.bytes() == 0 {
            let stuck = timeout(Duration::from_millis(500), relay.run(&mut connection, &mut ours, &mut out)).await;
            assert!(stuck.is_err());
        }
        assert!(relay.in_row() || count > 3);
        assert!(connection.read.capacity() <= 2 * LARGE_BUFFER + SMALL_BUFFER && out.len() <= 32 * 1024);
        // Nothing was lost by letting go of it: the client reads on and gets every row.
        let reader = tokio::spawn(read_all(theirs));
        finish(&mut connection, &mut relay, &mut ours, &mut out).await;
        drop(ours);
        assert_eq!(frames(&reader.await.unwrap()).len(), count + 3);
    }
}

async fn finish(connection: &mut Connection, relay: &mut RowRelay, client: &mut DuplexStream, out: &mut BytesMut) {
    while connection.is_waiting() {
        relay.run(connection, client, out).await.unwrap();
        match connection.next_frame().unwrap() {
            Some(frame) => out.extend_from_slice(frame.raw),
            None => connection.fill().await.unwrap(),
        }
    }
    client.write_all(out).await.unwrap();
}

#[tokio::test]
async fn notices_are_dropped_where_they_could_tell_something() {
    super::server().sql(
        "postgres",
        "CREATE FUNCTION public.noisy() RETURNS int LANGUAGE plpgsql AS \
         $$BEGIN RAISE NOTICE 'secret'; RETURN 1; END$$",
    );
    let sql = "SELECT public.noisy() FROM generate_series(1, 2)";
    let (got, _) = relay(sql, RowRelay::rows(None, false, true)).await;
    assert!(!got.contains(&"N".to_owned()) && got.len() == 5, "{got:?}");
    let (got, _) = relay(sql, RowRelay::rows(None, false, false)).await;
    assert_eq!(got.iter().filter(|frame| *frame == "N").count(), 2);
}

#[tokio::test]
async fn a_client_that_is_gone_is_told_apart_from_a_warehouse_that_is() {
    let mut connection = connect().await;
    connection.query(&permit("SELECT repeat('x', 1000) FROM generate_series(1, 100000)")).unwrap();
    let (mut ours, theirs) = duplex(4096);
    drop(theirs);
    let mut relay = RowRelay::rows(None, false, false);
    let mut out = BytesMut::new();
    relay.run(&mut connection, &mut ours, &mut out).await.unwrap();
    out.extend_from_slice(connection.next_frame().unwrap().unwrap().raw);
    let error = relay.run(&mut connection, &mut ours, &mut out).await.unwrap_err();
    assert!(matches!(error, crate::upstream::RelayError::Client(_)));
    assert!(!connection.is_clean());
}

#[tokio::test]
async fn small_results_wait_for_the_sessions_own_write() {
    let mut connection = connect().await;
    connection.query(&permit("SELECT 1")).unwrap();
    connection.fill().await.unwrap();
    let (mut ours, theirs) = duplex(1);
    let mut relay = RowRelay::rows(None, false, false);
    let mut out = BytesMut::new();
    for _ in 0..2 {
        // With a client who takes one byte, a write would not come back.
        let stop = timeout(Duration::from_secs(60), relay.run(&mut connection, &mut ours, &mut out)).await.unwrap();
        assert_eq!(stop.unwrap(), RelayStop::Frame);
        out.extend_from_slice(connection.next_frame().unwrap().unwrap().raw);
    }
    assert_eq!(frames(&out), ["T", "D:1", "C:SELECT 1"]);
    drop(theirs);
    assert_eq!(answers(&mut connection).await, ["Z:I"]);
}

#[tokio::test]
async fn descriptions_name_no_relation() {
    super::server().sql("postgres", "CREATE TABLE public.origin (a int)");
    let mut connection = connect().await;
    connection.query(&permit("SELECT a, 1 AS b FROM public.origin")).unwrap();
    connection.fill().await.unwrap();
    let frame = connection.next_frame().unwrap().unwrap().raw.to_vec();
    let mut out = BytesMut::from(&b"before"[..]);
    hide_origins(&frame, &mut out).unwrap();
    let hidden = &out[6..];
    assert_eq!(hidden.len(), frame.len());
    let fields = crate::wire::answer::row_description(&hidden[5..]).unwrap();
    assert_eq!(
        fields.iter().map(|f| (f.name, f.table_oid, f.column, f.type_oid)).collect::<Vec<_>>(),
        [("a", 0, 0, 23), ("b", 0, 0, 23)]
    );
    assert!(hide_origins(&frame[..frame.len() - 1], &mut out).is_err());
    assert_eq!(out.len(), 6 + frame.len(), "nothing is appended then");
}
