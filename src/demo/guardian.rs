//! Who cleans up when a process could not: a private server and its directory outlive nobody, however he ends.
//!
//! A shell waits at a pipe. Its owner says `done` when he has cleaned up himself; at the pipe's end without it (he was killed,
//! aborted, or kept the server in a static) the shell stops the server and removes the directory. Should the shell be killed
//! as well, the next start finds a directory whose lock nobody holds, and does the same.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// What the names of all private servers' directories begin with.
const PREFIX: &str = "pgveil-postgres-";
const LOCK: &str = "lock";

/// The server is known by its working directory: a number in an old file may belong to somebody else by now.
const SCRIPT: &str = r#"
trap '' INT TERM HUP
read -r word && [ "$word" = done ] && exit 0
pid=$(head -n 1 "$1/data/postmaster.pid")
runs() { [ -n "$pid" ] && [ "$(readlink "/proc/$pid/cwd")" = "$1/data" ]; }
n=0
while runs "$1"; do
  if [ $n -eq 0 ]; then kill -QUIT "$pid"; fi
  if [ $n -ge 100 ]; then kill -KILL "$pid"; fi
  n=$((n + 1)); sleep 0.1
done
rm -rf "$1"
"#;

/// Makes a directory of one's own under the system's temporary ones, and takes its lock.
pub(super) fn own_directory() -> io::Result<(PathBuf, File)> {
    loop {
        let name = format!("{PREFIX}{}-{:08x}", std::process::id(), rand::random::<u32>());
        let root = std::env::temp_dir().join(name);
        fs::create_dir(&root)?;
        let lock = File::create_new(root.join(LOCK))?;
        // Somebody who cleans up may have come in between; then it is gone in a moment.
        if lock.try_lock().is_ok() {
            return Ok((root, lock));
        }
    }
}

/// Watches over a directory for as long as it lives.
#[derive(Debug)]
pub(super) struct Guardian {
    shell: Child,
}

impl Guardian {
    /// `shell`: `sh` as the user whom the server runs as, outside of our process group.
    pub(super) fn begin(mut shell: Command, root: &Path) -> io::Result<Self> {
        let shell = script(&mut shell, root).stdin(Stdio::piped()).spawn()?;
        Ok(Self { shell })
    }

    /// The pipe ends without the word, as when the owner dies.
    #[cfg(test)]
    pub(super) fn hang_up(mut self) {
        drop(self.shell.stdin.take());
        let _ = self.shell.wait();
    }

    /// It dies too.
    #[cfg(test)]
    pub(super) fn kill(&mut self) {
        let _ = self.shell.kill();
    }
}

impl Drop for Guardian {
    fn drop(&mut self) {
        if let Some(mut pipe) = self.shell.stdin.take() {
            let _ = pipe.write_all(b"done\n");
        }
        let _ = self.shell.wait();
    }
}

fn script<'a>(shell: &'a mut Command, root: &Path) -> &'a mut Command {
    shell.args(["-c", SCRIPT, "sh"]).arg(root).current_dir("/").stdout(Stdio::null()).stderr(Stdio::null())
}

/// Stops the servers and removes the directories of processes that are no more. `user` is whom servers run as here.
pub(super) fn clean_up_after_the_dead(user: u32, shell: impl Fn() -> Command) {
    let entries = fs::read_dir(std::env::temp_dir()).into_iter().flatten().flatten();
    for root in entries.filter(|e| e.file_name().to_string_lossy().starts_with(PREFIX)).map(|e| e.path()) {
        let is_ours = fs::symlink_metadata(&root).is_ok_and(|m| m.is_dir() && m.uid() == user);
        let lock = root.join(LOCK);
        // Without a lock it is from elsewhere, or made this very moment.
        if !is_ours || !fs::symlink_metadata(&lock).is_ok_and(|m| m.is_file()) {
            continue;
        }
        let Ok(lock) = File::open(&lock) else { continue };
        if lock.try_lock().is_ok() {
            let _ = script(&mut shell(), &root).stdin(Stdio::null()).status();
        }
    }
}
