//! Direct PostgreSQL, pgbouncer and pgveil side by side, in one interleaved run: `cargo bench --bench compare`.
//!
//! Points: pgbench look-ups by key, in the three protocols, of a masked column and of one without a mask. Stream: a million
//! rows through a client that only counts bytes. Idle: a thousand logged-in connections. Large: ten million rows (BENCH_ROWS) to
//! a client that stops reading for a while, and what pgveil takes of memory meanwhile. Masks and the audit log are on. The
//! others are asked twice: for the raw columns, and, as `+masks`, with the very SQL that pgveil sends, since what the warehouse
//! needs for a mask is no cost of the way. Figures are medians over rounds; ratios are taken within a round, since these
//! machines drift. `-- points`, `-- stream`, `-- idle`, `-- large` run one part; BENCH_ROUNDS and BENCH_SECONDS set how much.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

#[expect(dead_code, reason = "the bench needs a part of the client alone")]
#[path = "../tests/common/wire.rs"]
mod wire;

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use pgveil::demo::postgres::{
    LocalPostgres, LocalPostgresOptions, SUPERUSER, find_binaries, free_port, unprivileged_user,
};
use wire::Wire;

const PASSWORD: &str = "bench-password";
const PROTOCOLS: [&str; 3] = ["simple", "extended", "prepared"];
const CLIENTS: usize = 8;
const ROWS: u64 = 1_000_000;
/// Stands for the key of a look-up until pgbench chooses one.
const KEY: &str = "424242";

struct Endpoint {
    name: &'static str,
    port: u16,
    user: &'static str,
    pid: Option<u32>,
    /// What it is asked for.
    asked: Asked,
}

/// In which words an endpoint is asked.
#[derive(Clone, Copy, PartialEq)]
enum Asked {
    /// The table.
    Raw,
    /// The SQL that pgveil sends.
    Masked,
    /// The data product.
    Product,
}

/// One question in the words of each endpoint.
struct Question {
    raw: String,
    masked: String,
    product: String,
}

impl Question {
    /// `{}` stands for the relation. A look-up's key is written as [`KEY`].
    fn new(dir: &Path, text: &str) -> Self {
        let product = text.replace("{}", "bench.accounts");
        // What the warehouse's relations look like is written down a moment after the start.
        let deadline = Instant::now() + Duration::from_secs(30);
        let masked = loop {
            let explained = Command::new(env!("CARGO_BIN_EXE_pgveil"))
                .args(["explain", "--user", "bench", "--config"])
                .arg(dir.join("pgveil.toml"))
                .arg(&product)
                .output()
                .expect("pgveil explain");
            let told = String::from_utf8(explained.stdout).unwrap();
            if let Some(sql) = told.lines().find_map(|line| line.strip_prefix("forwarded")) {
                break sql.trim().to_owned();
            }
            let errors = String::from_utf8_lossy(&explained.stderr).into_owned();
            assert!(Instant::now() < deadline, "nothing would be forwarded:\n{told}{errors}");
            std::thread::sleep(Duration::from_millis(200));
        };
        Self { raw: text.replace("{}", "pgbench_accounts"), masked, product }
    }

    fn of(&self, asked: Asked) -> &str {
        match asked {
            Asked::Raw => &self.raw,
            Asked::Masked => &self.masked,
            Asked::Product => &self.product,
        }
    }
}

struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with("--")).collect();
    let runs = |part: &str| wanted.is_empty() || wanted.iter().any(|w| w == part);
    let dir = tempfile::tempdir().unwrap();
    let settings = [("max_connections", "400"), ("shared_buffers", "512MB"), ("synchronous_commit", "off")];
    let settings = settings.map(|(k, v)| (k.to_owned(), v.to_owned())).to_vec();
    eprintln!("starting PostgreSQL and filling pgbench's tables …");
    let options = LocalPostgresOptions { password: Some(PASSWORD.into()), settings, ..Default::default() };
    let server = LocalPostgres::start(options).expect("a private PostgreSQL");
    fill(&server);
    let (bouncer, bouncer_port) = start_pgbouncer(dir.path(), server.port());
    let (veil, veil_port) = start_pgveil(dir.path(), server.port());
    let mut endpoints = Vec::new();
    for (name, masked, port, child) in [
        ("direct", "direct+masks", server.port(), None),
        ("pgbouncer", "pgbouncer+masks", bouncer_port, bouncer.as_ref()),
    ] {
        if name == "direct" || child.is_some() {
            let pid = child.map(|child| child.0.id());
            endpoints.push(Endpoint { name, port, user: "bench", pid, asked: Asked::Raw });
            endpoints.push(Endpoint { name: masked, port, user: "bench", pid, asked: Asked::Masked });
        }
    }
    let pid = Some(veil.0.id());
    endpoints.push(Endpoint { name: "pgveil", port: veil_port, user: "bench", pid, asked: Asked::Product });
    let number = |name: &str, default: usize| std::env::var(name).ok().and_then(|v| v.parse().ok()).unwrap_or(default);
    let (rounds, seconds) = (number("BENCH_ROUNDS", 5), number("BENCH_SECONDS", 3));
    if runs("points") {
        points(dir.path(), &endpoints, rounds, seconds);
    }
    if runs("stream") {
        stream(dir.path(), &endpoints, rounds);
    }
    if runs("idle") {
        idle(&endpoints);
    }
    if runs("large")
        && let Some(veil) = endpoints.last()
    {
        large(veil, number("BENCH_ROWS", 10_000_000));
    }
}

fn fill(server: &LocalPostgres) {
    let mut admin = Wire::connect(server.port(), SUPERUSER, PASSWORD, "postgres", &[]).unwrap();
    admin.one(&format!("CREATE ROLE bench LOGIN PASSWORD '{PASSWORD}'"));
    admin.one("CREATE DATABASE bench OWNER bench");
    let status = pgbench()
        .args(["-i", "-q", "-s", "10", "-h", "127.0.0.1", "-p", &server.port().to_string(), "-U", "bench", "bench"])
        .stderr(Stdio::null())
        .status()
        .expect("pgbench");
    assert!(status.success());
}

fn pgbench() -> Command {
    let mut command = Command::new(find_binaries().unwrap().join("pgbench"));
    command.env("PGPASSWORD", PASSWORD).env("PGSSLMODE", "disable");
    command
}

fn start_pgbouncer(dir: &Path, server_port: u16) -> (Option<Killed>, u16) {
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::process::CommandExt;
    let Some(binary) =
        ["/usr/sbin/pgbouncer", "/usr/bin/pgbouncer"].map(PathBuf::from).into_iter().find(|p| p.exists())
    else {
        eprintln!("pgbouncer is not installed: left out (apt-get install pgbouncer)");
        return (None, 0);
    };
    let port = free_port().unwrap();
    let open = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    open(dir, 0o755);
    let users = dir.join("users.txt");
    fs::write(&users, format!("\"bench\" \"{PASSWORD}\"\n")).unwrap();
    // Older ones keep no prepared statements by transaction: those run on a connection for each client, which is faster still.
    let version = Command::new(binary.as_path()).arg("--version").output().expect("pgbouncer");
    let version = String::from_utf8_lossy(&version.stdout).into_owned();
    let minor = version.split_whitespace().nth(1).and_then(|v| v.split('.').nth(1)?.parse::<u32>().ok());
    let old = minor.is_some_and(|minor| minor < 21);
    let (prepared, kept) = if old { ("session", "") } else { ("transaction", "max_prepared_statements = 200\n") };
    eprintln!("{}, prepared statements pooled by {prepared}", version.lines().next().unwrap_or_default());
    let ini = dir.join("pgbouncer.ini");
    let text = format!(
        "[databases]\nbench = host=127.0.0.1 port={server_port} dbname=bench\n\
         bench_prepared = host=127.0.0.1 port={server_port} dbname=bench pool_mode={prepared}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n\
         unix_socket_dir =\nauth_type = scram-sha-256\nauth_file = {}\npool_mode = transaction\n{kept}default_pool_size = 20\n\
         max_client_conn = 2000\nignore_startup_parameters = extra_float_digits\nlogfile =\n",
        users.display()
    );
    fs::write(&ini, text).unwrap();
    open(&users, 0o644);
    open(&ini, 0o644);
    let mut command = Command::new(binary);
    command.arg("-q").arg(&ini).stdout(Stdio::null()).stderr(Stdio::null());
    if let Some((uid, gid)) = unprivileged_user().unwrap() {
        command.uid(uid).gid(gid);
    }
    let child = Killed(command.spawn().expect("pgbouncer"));
    wait_for(port);
    (Some(child), port)
}

fn start_pgveil(dir: &Path, server_port: u16) -> (Killed, u16) {
    let port = free_port().unwrap();
    let verifier = postgres_protocol::password::scram_sha_256(PASSWORD.as_bytes());
    fs::create_dir_all(dir.join("catalog")).unwrap();
    let write = |name: &str, text: String| fs::write(dir.join(name), text).unwrap();
    write(
        "pgveil.toml",
        format!(
            "[server]\nlisten = \"127.0.0.1:{port}\"\n[warehouses.bench]\ndsn = \"postgres://bench@127.0.0.1:{server_port}/bench?sslmode=disable\"\n\
             password = \"{PASSWORD}\"\npool_size = 20\n[catalog]\npath = \"catalog\"\n[policy]\npath = \"policy.toml\"\n\
             [audit]\npath = \"audit/audit.jsonl\"\n[state]\nurl = \"sqlite:state.db\"\n"
        ),
    );
    write(
        "policy.toml",
        format!(
            "[defaults]\nmax_rows = 0\nmax_concurrent = 0\nstatement_timeout = \"1h\"\n[roles.analyst]\nproducts = [\"*\"]\n[users.bench]\nroles = [\"analyst\"]\npassword = \"{verifier}\"\n"
        ),
    );
    let columns = [
        ("aid", "integer", ""),
        ("bid", "integer", ""),
        ("abalance", "integer", "mask = { bucket = 10 }"),
        ("filler", "string", "pii = true\nmask = \"last4\""),
    ];
    let columns: String = columns
        .map(|(name, kind, more)| {
            format!("[[schema]]\ncolumn = \"{name}\"\ntype = \"{kind}\"\ndescription = \"{name}\"\n{more}\n")
        })
        .concat();
    write(
        "catalog/accounts.toml",
        format!(
            "id = \"bench.accounts\"\ndomain = \"bench\"\nname = \"Accounts\"\ndescription = \"pgbench's accounts\"\nversion = 1\nstatus = \"published\"\n\
             relation = \"public.pgbench_accounts\"\n[owner]\nteam = \"Bench\"\ncontact = \"bench@example.com\"\n{columns}"
        ),
    );
    let child = Command::new(env!("CARGO_BIN_EXE_pgveil"))
        .args(["serve", "--config"])
        .arg(dir.join("pgveil.toml"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let child = Killed(child.expect("pgveil"));
    wait_for(port);
    (child, port)
}

fn wait_for(port: u16) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(Instant::now() < deadline, "nothing listens on {port}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// User and system time of a process so far, in seconds (proc(5): clock ticks are 1/100 s).
fn cpu(pid: Option<u32>) -> f64 {
    let Some(pid) = pid else { return f64::NAN };
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    fields[11..13].iter().map(|f| f.parse::<f64>().unwrap()).sum::<f64>() / 100.0
}

/// A line of /proc/PID/status in KiB.
fn memory(pid: Option<u32>, line: &str) -> f64 {
    let Some(pid) = pid else { return f64::NAN };
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let value = status.lines().find_map(|l| l.strip_prefix(line)).unwrap_or("0");
    value.trim_matches(|c: char| !c.is_ascii_digit()).parse().unwrap()
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Medians, and the medians of the first figure's ratios to others in the same round.
fn report<const N: usize>(
    title: &str,
    heads: [&str; N],
    samples: &BTreeMap<(usize, &'static str), Vec<[f64; N]>>,
    order: &[&str],
) {
    const TO: [&str; 3] = ["direct", "direct+masks", "pgbouncer"];
    println!("\n{title}\n| what | endpoint | {} | to {} |", heads.join(" | "), TO.join(" | to "));
    println!("|---|---|{}", "---|".repeat(N + TO.len()));
    for ((what, name), values) in samples {
        let cells = std::array::from_fn::<f64, N, _>(|i| median(&mut values.iter().map(|v| v[i]).collect::<Vec<_>>()));
        let ratio = |to: &'static str| {
            let others = samples.get(&(*what, to)).into_iter().flatten();
            let mut ratios: Vec<f64> = others.zip(values).map(|(other, v)| v[0] / other[0]).collect();
            if ratios.is_empty() { f64::NAN } else { median(&mut ratios) }
        };
        let cells: Vec<String> = cells.into_iter().chain(TO.map(ratio)).map(|c| format!("{c:.3}")).collect();
        println!("| {} | {name} | {} |", order[*what], cells.join(" | "));
    }
}

fn points(dir: &Path, endpoints: &[Endpoint], rounds: usize, seconds: usize) {
    // A column that a mask shows, and one that is seen as it is (beside masked ones).
    for (title, column) in [("a masked column", "abalance"), ("a column without a mask", "bid")] {
        let question = Question::new(dir, &format!("SELECT {column} FROM {{}} WHERE aid = {KEY}"));
        for endpoint in endpoints {
            let asked = question.of(endpoint.asked).replace(KEY, ":aid");
            let text = format!("\\set aid random(1, {ROWS})\n{asked};\n");
            fs::write(script(dir, endpoint), text).unwrap();
        }
        let mut samples = BTreeMap::new();
        for round in 0..rounds {
            for (what, protocol) in PROTOCOLS.iter().enumerate() {
                for turn in 0..endpoints.len() {
                    let endpoint = &endpoints[(turn + round) % endpoints.len()];
                    if let Some(sample) = look_ups(dir, endpoint, protocol, seconds) {
                        samples.entry((what, endpoint.name)).or_insert_with(Vec::new).push(sample);
                    }
                }
            }
            eprintln!("points, {title}: round {} of {rounds}", round + 1);
        }
        report(&format!("Points, {title}, {CLIENTS} clients"), ["tps", "own CPU ms/query"], &samples, &PROTOCOLS);
    }
}

fn script(dir: &Path, endpoint: &Endpoint) -> PathBuf {
    dir.join(format!("{}.sql", endpoint.name))
}

/// One run of pgbench: look-ups a second, and what the endpoint itself took of CPU for each, in ms.
fn look_ups(dir: &Path, endpoint: &Endpoint, protocol: &str, seconds: usize) -> Option<[f64; 2]> {
    let database = match protocol {
        "prepared" if endpoint.name.starts_with("pgbouncer") => "bench_prepared",
        _ => "bench",
    };
    let before = cpu(endpoint.pid);
    let out = pgbench()
        .args(["-n", "-M", protocol, "-c", &CLIENTS.to_string(), "-j", "2", "-T", &seconds.to_string()])
        .args(["-h", "127.0.0.1", "-p", &endpoint.port.to_string(), "-U", endpoint.user, "-f"])
        .arg(script(dir, endpoint))
        .arg(database)
        .output()
        .expect("pgbench");
    let text = String::from_utf8_lossy(&out.stdout);
    let number = |label: &str| {
        text.lines().find_map(|l| l.strip_prefix(label)?.trim().split([' ', '/']).next()?.parse::<f64>().ok())
    };
    let (Some(tps), Some(done)) = (number("tps ="), number("number of transactions actually processed:")) else {
        eprintln!("{} {protocol} failed: {}", endpoint.name, String::from_utf8_lossy(&out.stderr));
        return None;
    };
    Some([tps, (cpu(endpoint.pid) - before) / done * 1e3])
}

fn stream(dir: &Path, endpoints: &[Endpoint], rounds: usize) {
    let mut samples = BTreeMap::new();
    let question = Question::new(dir, "SELECT aid, bid, abalance, aid::text || 'payload' FROM {}");
    for round in 0..rounds {
        for turn in 0..endpoints.len() {
            let endpoint = &endpoints[(turn + round) % endpoints.len()];
            let mut client = Wire::connect(endpoint.port, endpoint.user, PASSWORD, "bench", &[]).unwrap();
            let _ = fs::write(format!("/proc/{}/clear_refs", endpoint.pid.unwrap_or(0)), "5");
            let (before, memory_before) = (cpu(endpoint.pid), memory(endpoint.pid, "VmRSS:"));
            let start = Instant::now();
            let query = question.of(endpoint.asked);
            client.queue(|out| postgres_protocol::message::frontend::query(query, out).unwrap()).flush();
            let bytes = drain(&mut client);
            let elapsed = start.elapsed().as_secs_f64();
            let gigabytes = bytes as f64 / 1e9;
            let own = (cpu(endpoint.pid) - before) / gigabytes;
            let grown = (memory(endpoint.pid, "VmHWM:") - memory_before) / 1024.0;
            samples.entry((0, endpoint.name)).or_insert_with(Vec::new).push([gigabytes * 1e3 / elapsed, own, grown]);
        }
        eprintln!("stream: round {} of {rounds}", round + 1);
    }
    report("A million rows", ["MB/s", "own CPU s/GB", "memory grown MiB"], &samples, &["stream"]);
}

/// A result of many rows, to a client that reads on and to one that stops reading for a while in the midst of it.
fn large(endpoint: &Endpoint, rows: usize) {
    const PAUSE: Duration = Duration::from_secs(10);
    let times = rows.div_ceil(usize::try_from(ROWS).unwrap());
    let query = format!(
        "SELECT aid, bid, abalance, aid::text || 'payload' FROM bench.accounts, generate_series(1, {times}) AS n"
    );
    println!(
        "\n{} rows through pgveil, KiB\n| client | before | at its peak | in the pause | after |",
        times as u64 * ROWS
    );
    println!("|---|---|---|---|---|");
    for pauses in [false, true] {
        let mut client = Wire::connect(endpoint.port, endpoint.user, PASSWORD, "bench", &[]).unwrap();
        client.stream.set_read_timeout(Some(Duration::from_secs(600))).unwrap();
        let _ = fs::write(format!("/proc/{}/clear_refs", endpoint.pid.unwrap_or(0)), "5");
        let before = memory(endpoint.pid, "VmRSS:");
        client.queue(|out| postgres_protocol::message::frontend::query(&query, out).unwrap()).flush();
        let mut in_pause = f64::NAN;
        if pauses {
            let mut some = vec![0; 16 << 20];
            client.stream.read_exact(&mut some).unwrap();
            std::thread::sleep(PAUSE);
            in_pause = memory(endpoint.pid, "VmRSS:");
        }
        drain(&mut client);
        let (peak, after) = (memory(endpoint.pid, "VmHWM:"), memory(endpoint.pid, "VmRSS:"));
        let name = if pauses { "stops for 10 s" } else { "reads on" };
        println!("| {name} | {before:.0} | {peak:.0} | {in_pause:.0} | {after:.0} |");
    }
}

/// Reads until ReadyForQuery, looking at nothing but the end; the number of bytes.
fn drain(client: &mut Wire) -> usize {
    let mut buffer = vec![0; 1 << 20];
    let (mut total, mut tail) = (0, Vec::new());
    loop {
        let n = client.stream.read(&mut buffer).unwrap();
        assert!(n > 0, "the connection ended inside the result");
        total += n;
        tail.extend_from_slice(&buffer[n.saturating_sub(6)..n]);
        tail.drain(..tail.len().saturating_sub(6));
        if tail == b"Z\0\0\0\x05I" {
            assert!(total > 1_000_000, "the result is too small: was it refused?");
            return total;
        }
    }
}

fn idle(endpoints: &[Endpoint]) {
    const COUNT: usize = 1000;
    println!("\nIdle connections\n| endpoint | connections | KiB each |\n|---|---|---|");
    for endpoint in endpoints.iter().filter(|e| e.pid.is_some() && e.asked != Asked::Masked) {
        let before = memory(endpoint.pid, "VmRSS:");
        let held: Vec<Wire> =
            (0..COUNT).map(|_| Wire::connect(endpoint.port, endpoint.user, PASSWORD, "bench", &[]).unwrap()).collect();
        std::thread::sleep(Duration::from_secs(2));
        println!("| {} | {COUNT} | {:.1} |", endpoint.name, (memory(endpoint.pid, "VmRSS:") - before) / COUNT as f64);
        held.into_iter().for_each(|mut w| drop(w.stream.flush()));
    }
}
