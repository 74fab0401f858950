//! Ends a child and removes its directory when the test process is killed.

use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// It hears the number of the child to watch, again after each restart; at the end of the pipe it cleans up.
const SCRIPT: &str = r#"
trap '' INT TERM HUP
pid=
while read -r word; do pid=$word; done
[ "$pid" = done ] && exit 0
if [ -n "$pid" ]; then kill -KILL "$pid"; fi
rm -rf "$1"
"#;

/// A shell at a pipe that this process holds.
pub struct Guardian(Child);

impl Guardian {
    pub fn of(directory: &Path) -> Self {
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", SCRIPT, "sh"]).arg(directory).current_dir("/").stdin(Stdio::piped());
        Self(shell.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("a shell"))
    }

    pub fn watch(&mut self, child: &Child) {
        self.say(&child.id().to_string());
    }

    fn say(&mut self, word: &str) {
        let _ = writeln!(self.0.stdin.as_ref().expect("the shell's pipe"), "{word}");
    }
}

impl Drop for Guardian {
    fn drop(&mut self) {
        self.say("done");
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}
