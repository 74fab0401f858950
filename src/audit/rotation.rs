//! The files beside the current one: the lock, and what was rotated away.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;

use super::AuditError;
use super::chain::Head;
use super::file::{io_error, open_file};
use super::tail;

/// The directory in which the log lies.
pub(super) fn directory(path: &Path) -> &Path {
    path.parent().filter(|d| !d.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Takes `PATH.lock`, for as long as the file that is returned stays open.
pub(super) fn lock(path: &Path) -> Result<File, AuditError> {
    let lock_path = beside(path, &format!("{}.lock", name(path)));
    let fail = |e| io_error(&lock_path, "locked")(e);
    let mut options = OpenOptions::new();
    let mut file =
        options.read(true).write(true).create(true).truncate(false).mode(0o600).open(&lock_path).map_err(fail)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            let _ = file.read_to_string(&mut holder);
            let holder = holder.trim();
            let holder = if holder.is_empty() { String::new() } else { format!(" (process {holder})") };
            return Err(AuditError::Locked { path: path.to_owned(), holder });
        }
        Err(TryLockError::Error(e)) => return Err(fail(e)),
    }
    // Who holds it is a courtesy to whoever finds it held.
    let _ = file.set_len(0).and_then(|()| file.rewind()).and_then(|()| writeln!(file, "{}", std::process::id()));
    Ok(file)
}

/// `audit-000000000001-20250101T000000Z.jsonl` beside `audit.jsonl`.
pub(super) fn rotated_path(path: &Path, seq: u64, at: Timestamp) -> PathBuf {
    let (stem, extension) = parts(path);
    beside(path, &format!("{stem}-{seq:012}-{}{extension}", at.strftime("%Y%m%dT%H%M%SZ")))
}

/// Moves the current file to `rotated` and opens a fresh one under its name. The name is never without a file, so that a
/// crash at any point leaves a log to continue.
pub(super) fn replace(path: &Path, rotated: &Path) -> std::io::Result<File> {
    let fresh_path = beside(path, &format!("{}.new", name(path)));
    let fresh = open_file(&fresh_path)?;
    if fresh.metadata()?.len() > 0 {
        return Err(std::io::Error::other(format!("{} is not empty", fresh_path.display())));
    }
    // File systems without hard links: the name is without a file for a moment, and the chain goes on from the rotated one.
    std::fs::hard_link(path, rotated).or_else(|_| std::fs::rename(path, rotated))?;
    std::fs::rename(&fresh_path, path)?;
    Ok(fresh)
}

/// Whether a crash left the current file under a rotated name as well.
pub(super) fn half_done(path: &Path) -> std::io::Result<bool> {
    let current = std::fs::metadata(path)?;
    let newest = list(path)?.pop().map(|r| std::fs::metadata(r.path)).transpose()?;
    Ok(newest.is_some_and(|newest| newest.ino() == current.ino() && newest.dev() == current.dev()))
}

/// Finishes such a rotation.
pub(super) fn finish(path: &Path) -> std::io::Result<File> {
    let fresh_path = beside(path, &format!("{}.new", name(path)));
    let fresh = open_file(&fresh_path)?;
    std::fs::rename(&fresh_path, path)?;
    Ok(fresh)
}

/// A file that was rotated away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rotated {
    pub path: PathBuf,
    /// `seq` of its first record.
    pub first: u64,
    /// Time of its first record.
    pub at: Timestamp,
}

/// The rotated files of this log, oldest first.
pub(super) fn list(path: &Path) -> std::io::Result<Vec<Rotated>> {
    let (stem, extension) = parts(path);
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory(path))? {
        let entry = entry?;
        let file_name = entry.file_name();
        let rotated = file_name.to_str().and_then(|n| {
            let (first, at) = n.strip_prefix(&stem)?.strip_prefix('-')?.strip_suffix(&extension)?.split_once('-')?;
            let at = jiff::civil::DateTime::strptime("%Y%m%dT%H%M%SZ", at).ok()?;
            let at = at.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp();
            Some(Rotated { path: entry.path(), first: first.parse().ok()?, at })
        });
        found.extend(rotated);
    }
    found.sort_by_key(|r| r.first);
    Ok(found)
}

/// Where the chain of the newest rotated file ends.
pub(super) fn last_head(path: &Path) -> Result<Option<Head>, AuditError> {
    let files = list(path).map_err(io_error(directory(path), "read"))?;
    files.last().map_or(Ok(None), |newest| Ok(tail::read(&newest.path)?.head))
}

/// Files that may go.
pub(super) struct Expired {
    pub files: Vec<PathBuf>,
    /// `seq` of the last record in them.
    pub through: u64,
}

/// The rotated files whose every record is older than `keep`: the file after them begins with one that is. `current` is the
/// first record of the file that is being written; when that has none yet, the last rotated file ends at `head` just now.
pub(super) fn expired(path: &Path, current: Option<(u64, Timestamp)>, head: Head, keep: Duration) -> Option<Expired> {
    let oldest_kept = Timestamp::now().checked_sub(jiff::SignedDuration::try_from(keep).ok()?).ok()?;
    let files = list(path).ok()?;
    let current = current.unwrap_or((head.seq + 1, Timestamp::now()));
    let next = files.iter().skip(1).map(|f| (f.first, f.at)).chain(std::iter::once(current));
    let mut expired = Expired { files: Vec::new(), through: 0 };
    for (file, (next_seq, next_at)) in files.iter().zip(next) {
        if next_at >= oldest_kept {
            break;
        }
        expired.files.push(file.path.clone());
        expired.through = next_seq.saturating_sub(1);
    }
    (!expired.files.is_empty()).then_some(expired)
}

fn name(path: &Path) -> String {
    path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default()
}

fn beside(path: &Path, name: &str) -> PathBuf {
    directory(path).join(name)
}

/// The name before its last dot, and the rest with the dot.
fn parts(path: &Path) -> (String, String) {
    let name = name(path);
    match name.rsplit_once('.') {
        Some((stem, extension)) if !stem.is_empty() => (stem.to_owned(), format!(".{extension}")),
        _ => (name, String::new()),
    }
}
