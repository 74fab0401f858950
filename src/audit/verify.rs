//! Reading a log again: edited, dropped, reordered and inserted lines are found, one line in memory at a time.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use serde::Serialize;
use sha2::{Digest, Sha256};

use super::chain::{self, GENESIS, Head};
use super::line::Line;

/// Longer lines are no records: two texts of a statement, each byte escaped, stay below this.
const LONGEST_LINE: u64 = 256 << 20;
/// Further findings are counted, not kept.
const MOST_FINDINGS: usize = 1000;

/// What is expected of the log besides its own consistency.
#[derive(Clone, Debug, Default)]
pub struct Expectations {
    /// The first file begins with this `seq`, because older files are gone.
    pub from: Option<u64>,
    /// The last record has this hash: nothing was cut off at the end.
    pub last_hash: Option<String>,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The file.
    pub file: PathBuf,
    /// From 1; 0: the file as a whole.
    pub line: u64,
    /// What is wrong, as the continuation of "line 7 …".
    pub message: String,
}

/// What was read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Files that were read.
    pub files: usize,
    /// Records in them.
    pub records: u64,
    /// Allowed statements.
    pub allowed: u64,
    /// Denied statements.
    pub denied: u64,
    /// Their outcomes.
    pub outcomes: u64,
    /// Unfinished lines after which the log says that it recovered.
    pub torn_lines: u64,
    /// Unfinished bytes at the very end: a write in progress, or a crash after which pgveil was not started yet.
    pub unfinished_bytes: u64,
    /// `seq` of the first record.
    pub first_seq: u64,
    /// `seq` of the last record.
    pub last_seq: u64,
    /// `hash` of the last record: kept elsewhere, it shows later that nothing was cut off.
    pub last_hash: String,
    /// Allowed statements without an outcome: they were running when the log ended, or when pgveil was killed.
    pub without_outcome: Vec<u64>,
    /// How much is wrong.
    pub finding_count: u64,
    /// What is wrong; the first thousand.
    pub findings: Vec<Finding>,
}

impl Report {
    /// Whether nothing is wrong.
    pub fn is_sound(&self) -> bool {
        self.finding_count == 0
    }
}

/// Reads the files, oldest first.
pub fn verify(files: &[PathBuf], expectations: &Expectations) -> Result<Report, std::io::Error> {
    let mut reading = Reading::default();
    for (n, path) in files.iter().enumerate() {
        reading.file(path, n + 1 == files.len())?;
    }
    Ok(reading.end(expectations))
}

/// A line that is not judged before the next one is known: that may say that this one is torn.
struct Held {
    number: u64,
    bytes: Vec<u8>,
}

#[derive(Default)]
struct Reading {
    report: Report,
    head: Option<Head>,
    running: BTreeSet<u64>,
    /// Where the first record is, when it is not the first of all.
    late_start: Option<(PathBuf, u64)>,
    /// A chain that begins with one of these is explained by the log itself.
    explained_starts: BTreeSet<u64>,
}

impl Reading {
    fn file(&mut self, path: &Path, is_last: bool) -> Result<(), std::io::Error> {
        self.report.files += 1;
        let named = |e: std::io::Error| std::io::Error::new(e.kind(), format!("{}: {e}", path.display()));
        let mut reader = BufReader::with_capacity(256 << 10, File::open(path).map_err(named)?);
        let mut held: Option<Held> = None;
        let mut bytes = Vec::new();
        for number in 1.. {
            bytes.clear();
            if (&mut reader).take(LONGEST_LINE).read_until(b'\n', &mut bytes).map_err(named)? == 0 {
                break;
            }
            let whole = bytes.pop_if(|last| *last == b'\n').is_some();
            // Two buffers take turns.
            let spare = match held.take() {
                None => Vec::new(),
                Some(before) => {
                    if whole && recovers(&bytes, &before.bytes) {
                        self.report.torn_lines += 1;
                    } else {
                        self.judge(path, &before);
                    }
                    before.bytes
                }
            };
            if !whole {
                self.unfinished(path, number, bytes.len() as u64, is_last);
                return Ok(());
            }
            held = Some(Held { number, bytes: std::mem::replace(&mut bytes, spare) });
        }
        if let Some(last) = held {
            self.judge(path, &last);
        }
        Ok(())
    }

    fn unfinished(&mut self, path: &Path, number: u64, bytes: u64, is_last: bool) {
        if bytes >= LONGEST_LINE {
            self.finding(path, number, "is longer than any audit record; what follows it was not read".to_owned());
        } else if is_last {
            self.report.unfinished_bytes = bytes;
        } else {
            self.finding(path, number, "is cut off, and nothing recovers from it".to_owned());
        }
    }

    fn judge(&mut self, path: &Path, held: &Held) {
        let line = match Line::read(&held.bytes) {
            Ok(line) => line,
            Err(what) => return self.finding(path, held.number, what),
        };
        if let Err(what) = line.proven() {
            self.finding(path, held.number, what);
        }
        match self.head {
            Some(head) => {
                if let Some(what) = broken_link(head, &line) {
                    self.finding(path, held.number, what);
                }
            }
            None => self.first(path, held.number, &line),
        }
        // Goes on from what the line says of itself, so that one wrong line is one finding.
        self.head = Some(line.claimed());
        self.count(&line);
    }

    fn first(&mut self, path: &Path, number: u64, line: &Line) {
        self.report.first_seq = line.seq;
        if line.seq != 1 {
            self.late_start = Some((path.to_owned(), number));
        } else if line.prev.as_bytes() != GENESIS {
            self.finding(path, number, "is numbered 1, but names a record before it".to_owned());
        }
    }

    fn count(&mut self, line: &Line) {
        self.report.records += 1;
        match (line.fields.event.as_str(), line.fields.decision.as_deref()) {
            ("statement", Some("allow")) => {
                self.report.allowed += 1;
                self.running.insert(line.seq);
            }
            ("statement", _) => self.report.denied += 1,
            ("outcome", _) => {
                self.report.outcomes += 1;
                if let Some(of) = line.fields.of {
                    self.running.remove(&of);
                }
            }
            _ => {}
        }
        if let Some(through) = line.fields.removed_through {
            self.explained_starts.insert(through.saturating_add(1));
        }
    }

    fn finding(&mut self, path: &Path, line: u64, message: String) {
        self.report.finding_count += 1;
        if self.report.findings.len() < MOST_FINDINGS {
            self.report.findings.push(Finding { file: path.to_owned(), line, message });
        }
    }

    fn end(mut self, expectations: &Expectations) -> Report {
        let start = self.report.first_seq;
        match (expectations.from, self.late_start.take()) {
            (Some(from), late) if from != start => {
                let (file, line) = late.unwrap_or_default();
                self.finding(&file, line, format!("begins the log with seq {start}, not with {from} as expected"));
            }
            (None, Some((file, line))) if !self.explained_starts.contains(&start) => {
                let what =
                    format!("begins the log with seq {start}, and the log does not say that older files expired");
                self.finding(&file, line, format!("{what}; name those first, or use --from {start} if they are gone"));
            }
            _ => {}
        }
        if let Some(head) = self.head {
            self.report.last_seq = head.seq;
            self.report.last_hash = head.hash_text().to_owned();
        }
        if let Some(expected) = &expectations.last_hash
            && *expected != self.report.last_hash
        {
            let what =
                format!("ends with another record (seq {}) than the one that was expected", self.report.last_seq);
            self.finding(Path::new("the log"), 0, what);
        }
        self.report.without_outcome = self.running.into_iter().collect();
        self.report
    }
}

/// Whether `line` is the record that explains the unfinished line before it.
fn recovers(line: &[u8], torn: &[u8]) -> bool {
    // Cheap before exact: hardly any line is one.
    const MARK: &[u8] = b"\"event\":\"recovered\"";
    if !line.windows(MARK.len()).take(512).any(|window| window == MARK) {
        return false;
    }
    let digest: [u8; 32] = Sha256::digest(torn).into();
    Line::read(line).ok().and_then(|line| line.fields.torn_sha256).is_some_and(|h| h.as_bytes() == chain::hex(&digest))
}

/// What is wrong between a line and the one before it.
fn broken_link(head: Head, line: &Line) -> Option<String> {
    let (expected, found) = (head.seq.saturating_add(1), line.seq);
    if found == expected {
        let linked = line.prev.as_bytes() == head.hash;
        return (!linked).then(|| {
            format!("(seq {found}) does not continue the record before it (seq {}): that one was replaced", head.seq)
        });
    }
    if found > expected {
        let last_missing = found - 1;
        let which = if last_missing == expected {
            format!("{expected} is")
        } else {
            format!("{expected} to {last_missing} are")
        };
        return Some(format!("has seq {found} after {}: {which} missing before it", head.seq));
    }
    Some(format!("has seq {found} after {}: it was moved, repeated or inserted here", head.seq))
}
