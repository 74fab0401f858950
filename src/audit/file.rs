//! The file of the audit log: opened where the chain ended, written whole batches at a time, rotated, and kept for as long
//! as `[audit] keep` says.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use jiff::Timestamp;

use crate::config::{AuditConfig, Durability};

use super::AuditError;
use super::chain::{Clock, Head};
use super::queue::{Batch, Failure};
use super::record::{self, Recovered};
use super::rotation;
use super::tail::{self, Tail};

/// How often it is looked whether the file still lies where it should.
const LOOK: Duration = Duration::from_secs(1);

/// The current file.
pub(super) struct LogFile {
    file: File,
    path: PathBuf,
    /// Held as long as this process writes; `None`: the path is a device.
    _lock: Option<File>,
    durability: Durability,
    rotate_at: u64,
    keep: Duration,
    head: Head,
    clock: Clock,
    /// Reused for every batch.
    out: Vec<u8>,
    length: u64,
    /// `seq` and time of the file's first record.
    first: Option<(u64, Timestamp)>,
    /// Bytes of a batch that could neither be finished nor taken back yet.
    torn: u64,
    looked: Instant,
    regular: bool,
}

impl LogFile {
    pub(super) fn open(config: &AuditConfig) -> Result<Self, AuditError> {
        let path = config.path.clone();
        let fail = |action: &'static str| io_error(&path, action);
        if let Some(directory) = path.parent().filter(|d| !d.as_os_str().is_empty()) {
            std::fs::DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(|e| AuditError::Io {
                path: directory.to_owned(),
                action: "created as a directory",
                reason: e.to_string(),
            })?;
        }
        let regular = std::fs::metadata(&path).map_or(true, |m| m.is_file());
        let lock = regular.then(|| rotation::lock(&path)).transpose()?;
        let file = open_file(&path).map_err(fail("opened"))?;
        let mut log = Self {
            file,
            _lock: lock,
            durability: config.durability,
            rotate_at: config.rotate_at,
            keep: config.keep,
            head: Head::START,
            clock: Clock::default(),
            out: Vec::new(),
            length: 0,
            first: None,
            torn: 0,
            looked: Instant::now(),
            regular,
            path: path.clone(),
        };
        if regular {
            log.continue_chain()?;
            log.sync_directory().map_err(fail("opened"))?;
            log.expire();
        }
        Ok(log)
    }

    /// What may change while the file is open.
    pub(super) fn reconfigure(&mut self, config: &AuditConfig) {
        self.durability = config.durability;
        self.rotate_at = config.rotate_at;
        self.keep = config.keep;
    }

    /// Finds the chain's end, and records it when a crash left an unfinished line.
    fn continue_chain(&mut self) -> Result<(), AuditError> {
        let fail = |e| io_error(&self.path, "opened")(e);
        if rotation::half_done(&self.path).map_err(fail)? {
            self.file = rotation::finish(&self.path).map_err(fail)?;
        }
        let found = tail::read(&self.path)?;
        self.length = found.length;
        self.first = found.first;
        self.head = match found.head {
            Some(head) => head,
            None => rotation::last_head(&self.path)?.unwrap_or(Head::START),
        };
        let Tail { torn: Some(torn), .. } = found else { return Ok(()) };
        tracing::warn!(path = %self.path.display(), bytes = torn.bytes, "a crash left an unfinished line in the audit log");
        self.out.clear();
        self.out.push(b'\n');
        let recovered = Recovered::TornLine { bytes: torn.bytes, sha256: &torn.sha256 };
        let head = self.append_recovered(self.head, &recovered, Timestamp::now());
        self.write_out().map_err(io_error(&self.path, "written"))?;
        self.head = head;
        Ok(())
    }

    /// Chains and writes a batch, with what failed before it. Returns the `seq` of its first record. After an error nothing
    /// of it is in the file, or what is will be taken back before anything else is written.
    pub(super) fn write(&mut self, batch: &Batch, failure: Option<&Failure>) -> Result<u64, AuditError> {
        self.prepare().map_err(io_error(&self.path, "written"))?;
        self.out.clear();
        let mut head = self.head;
        if let Some(failure) = failure {
            let (refused, unrecorded, lost) = (failure.refused, failure.unrecorded, failure.lost);
            head = self.append_recovered(head, &Recovered::WriteFailed { refused, unrecorded, lost }, Timestamp::now());
        }
        let first = head.seq + 1;
        for (at, tail) in batch.records() {
            head.append(&mut self.out, &mut self.clock, at, tail);
        }
        if self.out.is_empty() {
            return Ok(first);
        }
        self.write_out().map_err(io_error(&self.path, "written"))?;
        if self.first.is_none() {
            let at = batch.records().next().map_or_else(Timestamp::now, |(at, _)| at);
            self.first = Some((self.head.seq + 1, at));
        }
        self.head = head;
        self.out.shrink_to(1 << 20);
        if self.regular && self.length >= self.rotate_at {
            self.rotate();
        }
        Ok(first)
    }

    fn append_recovered(&mut self, mut head: Head, what: &Recovered<'_>, at: Timestamp) -> Head {
        let mut tail = Vec::new();
        record::write_recovered(&mut tail, what);
        head.append(&mut self.out, &mut self.clock, at, &tail);
        head
    }

    /// Takes back what a failed write left, and looks whether the file is still the one at the path.
    fn prepare(&mut self) -> std::io::Result<()> {
        self.take_back()?;
        if !self.regular || self.looked.elapsed() < LOOK {
            return Ok(());
        }
        let (ours, there) = (self.file.metadata()?, std::fs::metadata(&self.path));
        match there {
            Ok(there) if there.ino() == ours.ino() && there.dev() == ours.dev() => {}
            Ok(there) if there.len() > 0 => {
                return Err(std::io::Error::other("another file has been put in its place"));
            }
            Ok(_) => self.begin_new_file()?,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => self.begin_new_file()?,
            Err(e) => return Err(e),
        }
        self.looked = Instant::now();
        Ok(())
    }

    /// Somebody moved the file away: the chain goes on in a new one.
    fn begin_new_file(&mut self) -> std::io::Result<()> {
        self.file = open_file(&self.path)?;
        self.length = 0;
        self.first = None;
        self.sync_directory()?;
        tracing::warn!(path = %self.path.display(), "the audit log was moved away; its chain goes on in a new file");
        Ok(())
    }

    fn write_out(&mut self) -> std::io::Result<()> {
        let mut rest = self.out.as_slice();
        let mut result = Ok(());
        while !rest.is_empty() {
            match self.file.write(rest) {
                Ok(0) => result = Err(std::io::ErrorKind::WriteZero.into()),
                Ok(n) => rest = rest.get(n..).unwrap_or_default(),
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                Err(e) => result = Err(e),
            }
            if result.is_err() {
                break;
            }
        }
        let written = (self.out.len() - rest.len()) as u64;
        if result.is_ok() && self.durability == Durability::Sync {
            result = self.file.sync_data();
        }
        match result {
            Ok(()) => {
                self.length += written;
                Ok(())
            }
            Err(e) => {
                self.torn = written;
                // When this fails too it is tried again before the next batch.
                let _ = self.take_back();
                Err(e)
            }
        }
    }

    fn take_back(&mut self) -> std::io::Result<()> {
        if self.torn == 0 || !self.regular {
            return Ok(());
        }
        let length = self.file.metadata()?.len();
        self.file.set_len(length.saturating_sub(self.torn))?;
        self.torn = 0;
        Ok(())
    }

    /// Begins a new file under the same path. When that does not work the old one simply grows on.
    fn rotate(&mut self) {
        let Some((seq, at)) = self.first else { return };
        let rotated = rotation::rotated_path(&self.path, seq, at);
        let fresh = match rotation::replace(&self.path, &rotated) {
            Ok(fresh) => fresh,
            Err(error) => {
                tracing::warn!(path = %self.path.display(), %error, "the audit log cannot be rotated; it grows on");
                return;
            }
        };
        self.file = fresh;
        self.length = 0;
        self.first = None;
        if let Err(error) = self.sync_directory() {
            tracing::warn!(path = %self.path.display(), %error, "the audit log's directory cannot be synced");
        }
        self.expire();
    }

    /// Deletes files that are older than `keep`, and records that.
    pub(super) fn expire(&mut self) {
        let Some(expired) = rotation::expired(&self.path, self.first, self.head, self.keep) else { return };
        let names: Vec<String> =
            expired.files.iter().filter_map(|f| f.file_name()).map(|n| n.to_string_lossy().into_owned()).collect();
        // Recorded first: a chain that begins late is explained, or nothing is deleted.
        if let Err(error) = self.record_expired(&names, expired.through) {
            tracing::warn!(%error, "old audit files are kept: that they expire cannot be recorded");
            return;
        }
        for file in expired.files {
            match std::fs::remove_file(&file) {
                Ok(()) => tracing::info!(file = %file.display(), "an old audit file is deleted"),
                Err(error) => tracing::warn!(file = %file.display(), %error, "an old audit file cannot be deleted"),
            }
        }
    }

    fn record_expired(&mut self, files: &[String], through: u64) -> std::io::Result<()> {
        self.take_back()?;
        self.out.clear();
        let at = Timestamp::now();
        let head = self.append_recovered(self.head, &Recovered::Expired { files, through }, at);
        self.write_out()?;
        self.first.get_or_insert((head.seq, at));
        self.head = head;
        Ok(())
    }

    fn sync_directory(&self) -> std::io::Result<()> {
        match self.durability {
            Durability::Write => Ok(()),
            Durability::Sync => File::open(rotation::directory(&self.path))?.sync_all(),
        }
    }
}

/// Opens for appending; only the owner may read it.
pub(super) fn open_file(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().create(true).append(true).mode(0o600).open(path)
}

pub(super) fn io_error(path: &Path, action: &'static str) -> impl FnOnce(std::io::Error) -> AuditError + use<> {
    let path = path.to_owned();
    move |e| AuditError::Io { path, action, reason: e.to_string() }
}

/// Reads `length` bytes from `offset`.
pub(super) fn read_at(file: &mut File, offset: u64, length: usize) -> std::io::Result<Vec<u8>> {
    file.seek(SeekFrom::Start(offset))?;
    let mut bytes = vec![0; length];
    file.read_exact(&mut bytes)?;
    Ok(bytes)
}
