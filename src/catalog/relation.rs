//! Names of relations as files write them.

use crate::names::{MAX_IDENTIFIER_BYTES, RelationName, fold_identifier};

/// Reads `SCHEMA.NAME` as Postgres would: folded unless quoted. A name alone lies in the default schema.
pub(super) fn parse(text: &str, default_schema: &str) -> Option<RelationName> {
    let (first, rest) = identifier(text)?;
    let (schema, name) = match rest.strip_prefix('.') {
        None if rest.is_empty() => (default_schema.to_owned(), first),
        None => return None,
        Some(rest) => {
            let (name, rest) = identifier(rest)?;
            if !rest.is_empty() {
                return None;
            }
            (first, name)
        }
    };
    Some(RelationName { schema, name })
}

/// One identifier at the beginning of a text, and what follows it. `None` too for one that Postgres would cut.
fn identifier(text: &str) -> Option<(String, &str)> {
    let (name, quoted, rest) = match text.strip_prefix('"') {
        None => {
            let end = text.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$')).unwrap_or(text.len());
            let (name, rest) = text.split_at_checked(end)?;
            (name.to_owned(), false, rest)
        }
        Some(inner) => {
            let mut end = inner.find('"')?;
            while inner.get(end + 1..)?.starts_with('"') {
                end += 2 + inner.get(end + 2..)?.find('"')?;
            }
            (inner.get(..end)?.replace("\"\"", "\""), true, inner.get(end + 1..)?)
        }
    };
    let valid = !name.is_empty() && name.len() <= MAX_IDENTIFIER_BYTES && !name.contains('\0');
    let starts_well = quoted || !name.starts_with(|c: char| c.is_numeric() || c == '$');
    (valid && starts_well).then(|| (fold_identifier(&name, quoted), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relations_are_read_as_postgres_reads_them() {
        let read = |text| parse(text, "public").map(|r| (r.schema, r.name));
        let pair = |a: &str, b: &str| Some((a.to_owned(), b.to_owned()));
        assert_eq!(read("public.Orders"), pair("public", "orders"));
        assert_eq!(read("orders"), pair("public", "orders"));
        assert_eq!(read("\"Raw\".\"Or\"\"ders.x\""), pair("Raw", "Or\"ders.x"));
        assert_eq!(read("ÄB.c"), pair("Äb", "c"));
        for bad in ["", ".", "a.", ".a", "a.b.c", "a b", "\"a", "\"\".b", "1a", "a.b;", "a--", &"x".repeat(64)] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
