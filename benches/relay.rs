//! A million small rows over loopback: through the row relay, and copied by a loop that does not look at them.
//!
//! `cargo bench --bench relay`. The first figure is what the relay adds to the second.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use bytes::BytesMut;
use pgveil::config::{SecretString, WarehouseConfig};
use pgveil::upstream::connect::Target;
use pgveil::upstream::{Connection, Control, RelayStop, RowRelay};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const ROWS: usize = 1_000_000;
const ROUNDS: usize = 7;

fn frame(tag: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).unwrap_or(u32::MAX);
    [&[tag][..], &length.to_be_bytes(), body].concat()
}

fn row(value: &[u8]) -> Vec<u8> {
    let length = u32::try_from(value.len()).unwrap_or(u32::MAX);
    frame(b'D', &[&[0, 1][..], &length.to_be_bytes(), value].concat())
}

fn ready(command: &[u8]) -> Vec<u8> {
    [frame(b'C', command), frame(b'Z', b"I")].concat()
}

/// A warehouse that answers every Query behind the start-up with the same million rows.
fn warehouse(rows: Vec<u8>) -> std::io::Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let port = listener.local_addr()?.port();
    std::thread::spawn(move || -> std::io::Result<()> {
        let (mut socket, _) = listener.accept()?;
        socket.set_nodelay(true)?;
        let mut hello = frame(b'R', &[0; 4]);
        for (name, value) in
            [("client_encoding", "UTF8"), ("standard_conforming_strings", "on"), ("integer_datetimes", "on")]
        {
            hello.extend(frame(b'S', format!("{name}\0{value}\0").as_bytes()));
        }
        hello.extend(frame(b'Z', b"I"));
        let shown = |value: &[u8]| [row(value), ready(b"SHOW\0")].concat();
        let answers = [hello, shown(b"pg_catalog"), shown(b"on")];
        let mut buffer = [0; 4096];
        for answer in answers.iter().chain(std::iter::repeat(&rows)) {
            if socket.read(&mut buffer)? == 0 {
                break;
            }
            socket.write_all(answer)?;
        }
        Ok(())
    });
    Ok(port)
}

/// A client that takes everything and counts it.
fn sink() -> std::io::Result<(TcpStream, std::thread::JoinHandle<usize>)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let stream = TcpStream::connect(listener.local_addr()?)?;
    let (mut taken, _) = listener.accept()?;
    let counted = std::thread::spawn(move || {
        let mut buffer = vec![0; 256 * 1024];
        let mut count = 0;
        while let Ok(n @ 1..) = taken.read(&mut buffer) {
            count += n;
        }
        count
    });
    stream.set_nonblocking(true)?;
    Ok((stream, counted))
}

async fn relayed(
    connection: &mut Connection,
    client: &mut tokio::net::TcpStream,
) -> Result<u64, Box<dyn std::error::Error>> {
    connection.control(&Control::Ping)?;
    let mut relay = RowRelay::rows(None, false, true);
    let mut out = BytesMut::new();
    while connection.is_waiting() {
        if relay.run(connection, client, &mut out).await? == RelayStop::Frame {
            match connection.next_frame()? {
                Some(frame) => out.extend_from_slice(frame.raw),
                None => connection.fill().await?,
            }
        }
    }
    client.write_all(&out).await?;
    Ok(relay.sent())
}

async fn copied(
    from: &mut tokio::net::TcpStream,
    to: &mut tokio::net::TcpStream,
    bytes: usize,
) -> Result<(), Box<dyn std::error::Error>> {
    from.write_all(&frame(b'Q', b"\0")).await?;
    let mut buffer = vec![0; 64 * 1024];
    let mut left = bytes;
    while left > 0 {
        let n = from.read(&mut buffer).await?;
        if n == 0 {
            return Err("the warehouse closed".into());
        }
        to.write_all(buffer.get(..n).unwrap_or_default()).await?;
        left = left.saturating_sub(n);
    }
    Ok(())
}

/// User and system time of this thread.
fn cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    Duration::from_nanos(stat.split(' ').next().and_then(|nanos| nanos.parse().ok()).unwrap_or(0))
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut answer = frame(b'T', b"\0\x01a\0\0\0\0\0\0\0\0\0\0\x19\xff\xff\xff\xff\xff\xff\0\0");
    for n in 0..ROWS {
        answer.extend(row(format!("row number {n:>9}").as_bytes()));
    }
    answer.extend(ready(b"SELECT 1000000\0"));
    let bytes = answer.len();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let config = |port: u16| WarehouseConfig {
            dsn: SecretString::new(format!("postgres://u@127.0.0.1:{port}/db?sslmode=disable")),
            password: None,
            pool_size: 1,
            acquire_timeout: Duration::from_secs(1),
            default_schema: "public".to_owned(),
            extension_schemas: Vec::new(),
        };
        let target = Target::new(&config(warehouse(answer.clone())?), Vec::new())?;
        let mut connection = target.connect().await?;
        let mut plain = tokio::net::TcpStream::connect(("127.0.0.1", warehouse(answer)?)).await?;
        // The same start-up, so that the next answer is the rows.
        let mut buffer = [0; 4096];
        for _ in 0..3 {
            plain.write_all(&frame(b'Q', b"\0")).await?;
            let _ = plain.read(&mut buffer).await?;
        }
        let (client, counted) = sink()?;
        let mut client = tokio::net::TcpStream::from_std(client)?;
        println!("{ROWS} rows, {:.1} MB", bytes as f64 / 1e6);
        for round in 0..ROUNDS {
            let (began, used) = (Instant::now(), cpu());
            let rows = relayed(&mut connection, &mut client).await?;
            let (relay, relay_cpu) = (began.elapsed(), cpu() - used);
            let (began, used) = (Instant::now(), cpu());
            copied(&mut plain, &mut client, bytes).await?;
            let (copy, copy_cpu) = (began.elapsed(), cpu() - used);
            println!(
                "round {round}: relay {relay:.1?} (cpu {relay_cpu:.1?}), plain copy {copy:.1?} (cpu {copy_cpu:.1?}), \
                 {rows} rows, {:.1} ns cpu a row more",
                (relay_cpu.as_nanos() as f64 - copy_cpu.as_nanos() as f64) / rows as f64
            );
        }
        drop(client);
        assert_eq!(counted.join().unwrap_or(0), 2 * ROUNDS * bytes, "every byte arrived");
        Ok(())
    })
}
