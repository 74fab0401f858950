//! Reading an existing file when the log is opened: where it begins, where its chain ends, and what a crash left behind.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::AuditError;
use super::chain::{self, Head};
use super::file::{io_error, read_at};
use super::line::Line;

/// What there is in a file.
#[derive(Debug, Default)]
pub(super) struct Tail {
    pub length: u64,
    /// `seq` and time of the first record; `None`: no whole line.
    pub first: Option<(u64, Timestamp)>,
    /// The last record; `None`: no whole line.
    pub head: Option<Head>,
    /// What stands behind the last line end.
    pub torn: Option<Torn>,
}

/// An unfinished line.
#[derive(Debug)]
pub(super) struct Torn {
    pub bytes: u64,
    pub sha256: String,
}

const CHUNK: usize = 64 << 10;

/// Reads a file's first record and its end.
pub(super) fn read(path: &Path) -> Result<Tail, AuditError> {
    let fail = |e| io_error(path, "read")(e);
    let mut file = File::open(path).map_err(fail)?;
    let length = file.metadata().map_err(fail)?.len();
    if length == 0 {
        return Ok(Tail::default());
    }
    let whole = line_end_before(&mut file, length).map_err(fail)?;
    let mut tail = Tail { length, ..Tail::default() };
    if whole < length {
        let bytes = read_at(&mut file, whole, usize::try_from(length - whole).unwrap_or(usize::MAX)).map_err(fail)?;
        let digest: [u8; 32] = Sha256::digest(&bytes).into();
        let sha256 = String::from_utf8_lossy(&chain::hex(&digest)).into_owned();
        tail.torn = Some(Torn { bytes: length - whole, sha256 });
    }
    if whole > 0 {
        let start = line_end_before(&mut file, whole - 1).map_err(fail)?;
        let text = read_at(&mut file, start, usize::try_from(whole - 1 - start).unwrap_or(usize::MAX)).map_err(fail)?;
        tail.head = Some(last_record(path, &text)?);
        tail.first = Some(first_record(path)?);
    }
    Ok(tail)
}

/// The position behind the last line end before `end`; 0 when there is none.
fn line_end_before(file: &mut File, end: u64) -> std::io::Result<u64> {
    let mut to = end;
    while to > 0 {
        let from = to.saturating_sub(CHUNK as u64);
        let bytes = read_at(file, from, usize::try_from(to - from).unwrap_or(CHUNK))?;
        if let Some(at) = bytes.iter().rposition(|&b| b == b'\n') {
            return Ok(from + at as u64 + 1);
        }
        to = from;
    }
    Ok(0)
}

fn last_record(path: &Path, text: &[u8]) -> Result<Head, AuditError> {
    Line::read(text).and_then(|line| line.proven()).map_err(|what| AuditError::Damaged {
        path: path.to_owned(),
        what: format!("its last line {what}; look at it with `pgveil audit verify`, then move the file away"),
    })
}

fn first_record(path: &Path) -> Result<(u64, Timestamp), AuditError> {
    let mut text = Vec::new();
    let file = File::open(path).map_err(io_error(path, "read"))?;
    BufReader::new(file).read_until(b'\n', &mut text).map_err(io_error(path, "read"))?;
    let bytes = text.strip_suffix(b"\n").unwrap_or(&text);
    // A file may begin with what a crash left of its first line.
    let line = Line::read(bytes).ok().and_then(|line| Some((line.seq, line.time.parse().ok()?)));
    Ok(line.unwrap_or((0, Timestamp::UNIX_EPOCH)))
}
