//! Denials of the walk.

use crate::error::{ClientError, ErrorKind, SqlState, sqlstate};
use crate::govern::Refusal;
use crate::govern::permit::Denial;
use crate::sql::ast::Ident;
use sqlparser::tokenizer::Span;

/// What the walk answers: its result, or the decision against the statement.
pub(in crate::govern) type Walked<T = ()> = Result<T, Box<Denial>>;

/// A denial with this SQLSTATE.
pub(in crate::govern) fn denial(state: SqlState, reason: &'static str, message: impl Into<String>) -> Box<Denial> {
    let kind = if state == sqlstate::INSUFFICIENT_PRIVILEGE { ErrorKind::Denied } else { ErrorKind::Client };
    Box::new(Denial { error: ClientError::new(kind, state, message), reason, products: Vec::new() })
}

/// A construct that pgveil does not let through, and what to use instead.
pub(super) fn construct(what: &str, hint: &str) -> Box<Denial> {
    let mut denied = denial(sqlstate::INSUFFICIENT_PRIVILEGE, "construct", format!("{what} is not allowed"));
    if !hint.is_empty() {
        denied.error.hint = Some(hint.to_owned());
    }
    denied
}

/// A construct of another database's dialect.
pub(super) fn foreign(what: &str) -> Box<Denial> {
    construct(what, "This is no syntax of PostgreSQL's SELECT.")
}

/// Refuses a foreign construct where it is there.
pub(super) fn absent(what: &str, there: bool) -> Walked {
    if there { Err(foreign(what)) } else { Ok(()) }
}

/// A refusal of a rule.
pub(in crate::govern) fn refused(refusal: Refusal) -> Box<Denial> {
    Box::new(refusal.into_denial(Vec::new()))
}

/// Makes denials point at a place of the client's text.
pub(super) trait Pointing {
    /// With the place, unless there is one already or it is not known.
    fn pointing(self, place: Option<usize>) -> Self;
}

impl Pointing for Box<Denial> {
    fn pointing(mut self, place: Option<usize>) -> Self {
        self.error.position = self.error.position.or(place);
        self
    }
}

/// The character of the client's text at which a span begins, from 1; `None`: the node was not in the text. The parser counts
/// in characters and not in lines.
pub(super) fn place(span: Span) -> Option<usize> {
    usize::try_from(span.start.column).ok().filter(|column| span.start.line == 1 && *column > 0)
}

/// The span of a name.
pub(super) fn span_of(parts: &[Ident]) -> Span {
    parts.first().map_or_else(Span::empty, |part| part.span)
}
