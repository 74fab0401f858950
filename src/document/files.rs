//! Reading the files.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::SourceFile;
use crate::error::{Diagnostic, Diagnostics};

/// No file that people write is larger; a larger one is a mistake and is not read.
const LARGEST: u64 = 4 << 20;

/// Reads one file.
pub fn read_file(path: &Path) -> Result<SourceFile, Diagnostics> {
    let refused = |message: String| {
        let mut findings = Diagnostics::default();
        findings.push(Diagnostic::whole_file(path, message));
        findings
    };
    let metadata = fs::metadata(path).map_err(|e| refused(format!("the file cannot be read: {e}")))?;
    if metadata.is_dir() {
        return Err(refused("this is a directory, not a file".to_owned()));
    }
    if metadata.len() > LARGEST {
        return Err(refused(format!("the file has {} bytes; at most {LARGEST} are read", metadata.len())));
    }
    let bytes = fs::read(path).map_err(|e| refused(format!("the file cannot be read: {e}")))?;
    match String::from_utf8(bytes) {
        Ok(text) => Ok(SourceFile::new(path, text)),
        Err(e) => {
            let valid = e.utf8_error().valid_up_to();
            let line = e.as_bytes().iter().take(valid).filter(|b| **b == b'\n').count() + 1;
            Err(refused(format!("the file is not UTF-8: byte {valid}, in line {line}")))
        }
    }
}

/// Every `*.toml` below a directory, in the order of paths. Names that begin with a dot are skipped, links are followed,
/// and each real file counts once: a Kubernetes ConfigMap shows its files as links through the hidden `..data`.
pub fn toml_files(root: &Path) -> (Vec<PathBuf>, Diagnostics) {
    let mut walk = Walk::default();
    walk.directory(root);
    (walk.files, walk.findings)
}

#[derive(Default)]
struct Walk {
    files: Vec<PathBuf>,
    findings: Diagnostics,
    seen: BTreeSet<PathBuf>,
}

impl Walk {
    fn directory(&mut self, directory: &Path) {
        // Keeps a link that leads back up from being followed for ever, too.
        match fs::canonicalize(directory) {
            Ok(real) => {
                if !self.seen.insert(real) {
                    return;
                }
            }
            Err(e) => {
                return self.findings.push(unreadable(directory, &e));
            }
        }
        let entries = match fs::read_dir(directory) {
            Ok(entries) => entries,
            Err(e) => {
                return self.findings.push(unreadable(directory, &e));
            }
        };
        let mut paths = Vec::new();
        for entry in entries {
            match entry {
                Ok(entry) if entry.file_name().as_encoded_bytes().starts_with(b".") => {}
                Ok(entry) => paths.push(entry.path()),
                Err(e) => self.findings.push(unreadable(directory, &e)),
            }
        }
        paths.sort();
        for path in paths {
            self.entry(path);
        }
    }
    fn entry(&mut self, path: PathBuf) {
        let toml = path.extension().is_some_and(|e| e == "toml");
        match fs::metadata(&path) {
            Ok(metadata) if metadata.is_dir() => self.directory(&path),
            Ok(metadata) if toml && metadata.is_file() => match fs::canonicalize(&path) {
                Ok(real) => {
                    if self.seen.insert(real) {
                        self.files.push(path);
                    }
                }
                Err(e) => self.findings.push(unreadable(&path, &e)),
            },
            Ok(_) => {}
            // A link that leads nowhere and is no product file is nobody's loss.
            Err(e) if toml => self.findings.push(unreadable(&path, &e)),
            Err(_) => {}
        }
    }
}

fn unreadable(path: &Path, error: &std::io::Error) -> Diagnostic {
    let finding = Diagnostic::whole_file(path, format!("cannot be read: {error}"));
    match error.kind() {
        std::io::ErrorKind::NotFound => {
            finding.with_hint("[catalog] path of pgveil.toml says where the product files lie")
        }
        std::io::ErrorKind::PermissionDenied => finding.with_hint("let the user that pgveil runs as read it"),
        _ => finding,
    }
}
