//! `{column}` and `{user.NAME}`: before parsing they become quoted identifiers that no column can have, so that they are
//! replaced in the tree and never in the text.

use crate::sql::ast::Ident;

use super::Fault;

/// Quotes each placeholder outside of literals, quoted identifiers and comments.
pub(super) fn quote(text: &str) -> Result<String, Fault> {
    let mut quoted = String::with_capacity(text.len() + 8);
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        let taken = match next {
            '\'' | '"' => closing(rest, next).ok_or_else(|| Fault::new(format!("the quote {next} is not closed")))?,
            '{' => {
                let end = rest.find('}').ok_or_else(|| Fault::new("the brace { is not closed"))?;
                let name = rest.get(1..end).unwrap_or_default();
                if !is_known(name) {
                    return Err(Fault::new(format!("{{{name}}} is no placeholder"))
                        .with_hint("write {column} for the masked column, {user.NAME} for a user's attribute"));
                }
                quoted.push_str(&format!("\"{{{name}}}\""));
                rest = rest.get(end + 1..).unwrap_or_default();
                continue;
            }
            _ if rest.starts_with("--") || rest.starts_with("/*") || next == '$' => {
                return Err(Fault::new("comments and $ quotes are not allowed in an expression"));
            }
            other => other.len_utf8(),
        };
        quoted.push_str(rest.get(..taken).unwrap_or_default());
        rest = rest.get(taken..).unwrap_or_default();
    }
    Ok(quoted)
}

/// How many bytes the quoted text at the start takes; a doubled quote belongs to it.
fn closing(text: &str, quote: char) -> Option<usize> {
    let mut at = 1;
    loop {
        at += text.get(at..)?.find(quote)? + 1;
        if !text.get(at..)?.starts_with(quote) {
            return Some(at);
        }
        at += 1;
    }
}

fn is_known(name: &str) -> bool {
    name == "column"
        || name.strip_prefix("user.").is_some_and(|attribute| {
            !attribute.is_empty() && attribute.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-' || c == '.')
        })
}

/// The attribute whose placeholder the identifier is.
pub(super) fn attribute(ident: &Ident) -> Option<&str> {
    ident.quote_style.and(ident.value.strip_prefix("{user.")?.strip_suffix('}'))
}

/// Whether the identifier is `{column}`.
pub(super) fn is_column(ident: &Ident) -> bool {
    ident.quote_style.is_some() && ident.value == "{column}"
}
