//! `${NAME}` and `${file:PATH}` in strings.

use std::path::Path;

/// Where the values of variables come from.
pub trait Variables {
    /// The value of an environment variable; `None`: not set, or not UTF-8.
    fn variable(&self, name: &str) -> Option<String>;
    /// The content of a file, without one line end at its end; the error says why it cannot be read.
    fn file(&self, path: &Path) -> Result<String, String>;
}

/// The environment of this process, and the files of this machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct Environment;

impl Variables for Environment {
    fn variable(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }
    fn file(&self, path: &Path) -> Result<String, String> {
        let mut content = std::fs::read_to_string(path).map_err(|e| e.to_string())?;
        // Editors and `echo >` end a file with a line end that belongs to no password.
        if content.ends_with('\n') {
            content.pop();
            if content.ends_with('\r') {
                content.pop();
            }
        }
        Ok(content)
    }
}

/// What a missing variable is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unset {
    /// An error: the value is needed.
    #[default]
    Error,
    /// A warning: the file is checked on a machine that does not have the secrets. The value is taken as unknown, and no
    /// rule is applied to it.
    Warning,
}

/// How variables in one document are replaced.
#[derive(Clone, Copy)]
pub struct Substitution<'v> {
    /// Where values come from.
    pub variables: &'v dyn Variables,
    /// What a missing one is.
    pub unset: Unset,
    /// The only variables that the document may use, files being none of them; `None`: any.
    pub allowed: Option<&'v [String]>,
}

impl<'v> Substitution<'v> {
    /// Any variable; a missing one is an error.
    pub fn any(variables: &'v dyn Variables) -> Self {
        Self { variables, unset: Unset::Error, allowed: None }
    }
}

/// A piece of a string with variables.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece<'s> {
    /// As it stands.
    Literal(&'s str),
    /// `${NAME}`
    Variable(&'s str),
    /// `${file:PATH}`
    File(&'s str),
    /// A `${` that is none of these; the text that is wrong.
    Malformed(&'s str),
}

/// Splits a string. `$${` is a literal `${`; a `$` before anything else is itself.
pub(super) fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some((before, from)) = rest.find("${").and_then(|at| rest.split_at_checked(at)) {
        if let Some(literal) = before.strip_suffix('$') {
            pieces.push(Piece::Literal(literal));
            pieces.push(Piece::Literal("${"));
            rest = from.strip_prefix("${").unwrap_or_default();
            continue;
        }
        pieces.push(Piece::Literal(before));
        let inner = from.strip_prefix("${").unwrap_or_default();
        let Some((name, after)) = inner.split_once('}') else {
            pieces.push(Piece::Malformed(from));
            return pieces;
        };
        pieces.push(match name.strip_prefix("file:") {
            Some(path) if !path.is_empty() => Piece::File(path),
            None if is_variable_name(name) => Piece::Variable(name),
            _ => Piece::Malformed(from.get(..name.len() + 3).unwrap_or(from)),
        });
        rest = after;
    }
    pieces.push(Piece::Literal(rest));
    pieces
}

fn is_variable_name(name: &str) -> bool {
    name.bytes().next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_split_at_variables() {
        use Piece::*;
        let split = |text| {
            let mut found = pieces(text);
            found.retain(|p| *p != Literal(""));
            found
        };
        assert_eq!(split("a${X}b"), [Literal("a"), Variable("X"), Literal("b")]);
        assert_eq!(split("${file:/run/secret}"), [File("/run/secret")]);
        assert_eq!(split("cost $5"), [Literal("cost $5")]);
        assert_eq!(split("$${X}"), [Literal("${"), Literal("X}")]);
        assert_eq!(split("$$${X}"), [Literal("$"), Literal("${"), Literal("X}")]);
        assert_eq!(split("a$"), [Literal("a$")]);
        assert_eq!(split("${X"), [Malformed("${X")]);
        assert_eq!(split("${}"), [Malformed("${}")]);
        assert_eq!(split("${a b}c"), [Malformed("${a b}"), Literal("c")]);
        assert_eq!(split("${file:}"), [Malformed("${file:}")]);
    }
}
