//! The form of the data files: cases with a title and options, and lines that say what to do and what must come of it.

use std::path::{Path, PathBuf};

/// One attack.
#[derive(Debug, Default)]
pub struct Case {
    pub title: String,
    /// Lines `@ name value`.
    pub options: Vec<(String, String)>,
    /// Everything else, with its line number.
    pub lines: Vec<(usize, String)>,
}

impl Case {
    /// The value of an option.
    pub fn option(&self, name: &str) -> Option<&str> {
        self.options.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }
}

/// Reads a file of cases. `== title` begins one, `# …` is a comment, and blank lines are for the eye.
pub fn read(path: &Path) -> Vec<Case> {
    let text = std::fs::read_to_string(path).unwrap();
    let mut cases: Vec<Case> = Vec::new();
    for (number, line) in text.lines().enumerate().map(|(n, l)| (n + 1, l)) {
        if line.starts_with("# ") || line == "#" || line.trim().is_empty() {
            continue;
        }
        if let Some(title) = line.strip_prefix("== ") {
            assert!(cases.iter().all(|c| c.title != title), "{}:{number}: the title stands twice", path.display());
            cases.push(Case { title: title.to_owned(), ..Case::default() });
            continue;
        }
        let case = cases.last_mut().unwrap_or_else(|| panic!("{}:{number}: a line outside of a case", path.display()));
        match line.strip_prefix("@ ") {
            Some(option) => {
                let (name, value) = option.split_once(' ').unwrap_or((option, ""));
                case.options.push((name.to_owned(), value.to_owned()));
            }
            None => case.lines.push((number, line.to_owned())),
        }
    }
    cases
}

/// The files of a directory of the suite, sorted.
pub fn files(directory: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(directory).unwrap().map(|f| f.unwrap().path()).collect();
    files.retain(|f| f.extension().is_some_and(|e| e == "txt"));
    files.sort();
    files
}

/// Writes out `{{x C3 28}}` (bytes in hex), `{{repeat 1000 (}}`, and `{{nonce}}` and the like from `known`.
pub fn expand(text: &str, known: &dyn Fn(&str) -> Option<String>) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        bytes.extend_from_slice(before.as_bytes());
        let (inside, behind) = after.split_once("}}").unwrap_or_else(|| panic!("{text}: }}}} is missing"));
        rest = behind;
        if let Some(hex) = inside.strip_prefix("x ") {
            bytes.extend(hex.split_whitespace().map(|h| u8::from_str_radix(h, 16).unwrap()));
        } else if let Some(what) = inside.strip_prefix("repeat ") {
            let (times, what) = what.split_once(' ').unwrap();
            bytes.extend_from_slice(what.repeat(times.parse().unwrap()).as_bytes());
        } else {
            let value = known(inside).unwrap_or_else(|| panic!("{text}: {inside} is not known"));
            bytes.extend_from_slice(value.as_bytes());
        }
    }
    bytes.extend_from_slice(rest.as_bytes());
    bytes
}

/// The trimmed parts of a line between bars.
pub fn parts(text: &str) -> Vec<&str> {
    text.split(" | ").map(str::trim).collect()
}
