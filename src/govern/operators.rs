//! Which operators a statement may use: those of `pg_catalog` by their text, and those of extensions whose schemas
//! `[warehouses.X] extension_schemas` names.

use super::refusal::Refusal;
use super::snapshot::WarehouseRules;

/// Every operator of PostgreSQL 15's `pg_catalog`, sorted; with the spellings that Postgres' grammar turns into them.
const ALLOWED: &[&str] = &[
    "!!", "!=", "!~", "!~*", "!~~", "!~~*", "#", "##", "#-", "#>", "#>>", "%", "&", "&&", "&<", "&<|", "&>", "*", "*<",
    "*<=", "*<>", "*=", "*>", "*>=", "+", "-", "->", "->>", "-|-", "/", "<", "<->", "<<", "<<=", "<<|", "<=", "<>",
    "<@", "<^", "=", ">", ">=", ">>", ">>=", ">^", "?", "?#", "?&", "?-", "?-|", "?|", "?||", "@", "@-@", "@>", "@?",
    "@@", "@@@", "^", "^@", "|", "|&>", "|/", "|>>", "||", "||/", "~", "~*", "~<=~", "~<~", "~=", "~>=~", "~>~", "~~",
    "~~*",
];

/// Whether the operator may be used; `schema` is set for `OPERATOR(schema.op)`.
pub fn check(schema: Option<&str>, operator: &str, warehouse: &WarehouseRules) -> Result<(), Refusal> {
    let built_in = ALLOWED.binary_search(&operator).is_ok();
    let extension = |schema: &str| warehouse.extension_schemas.iter().any(|s| s == schema);
    let allowed = match schema {
        Some("pg_catalog") => built_in,
        Some(schema) => extension(schema) && is_operator(operator),
        // Upstream only pg_catalog and the extension schemas are on the path.
        None => built_in || (!warehouse.extension_schemas.is_empty() && is_operator(operator)),
    };
    if allowed {
        return Ok(());
    }
    let shown = schema.map_or_else(|| operator.to_owned(), |schema| format!("{schema}.{operator}"));
    Err(Refusal::new("operator", format!("operator {shown} is not allowed"))
        .with_hint("Operators of pg_catalog may be used; those of an extension need its schema in extension_schemas."))
}

/// Whether the text is made of Postgres' operator characters alone.
fn is_operator(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 63
        && text.bytes().all(|b| b"+-*/<>=~!@#%^&|`?".contains(&b))
        && !text.contains("--")
        && !text.contains("/*")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_sorted() {
        assert!(ALLOWED.is_sorted());
    }

    #[test]
    fn only_what_is_known_may_be_used() {
        let plain = WarehouseRules::default();
        for op in ["=", "->>", "~*", "||", "@>", "<->"] {
            assert!(check(None, op, &plain).is_ok(), "{op}");
            assert!(check(Some("pg_catalog"), op, &plain).is_ok(), "{op}");
            assert!(check(Some("public"), op, &plain).is_err(), "{op}");
        }
        assert!(check(None, "%>", &plain).is_err());
        let trigrams = WarehouseRules { extension_schemas: vec!["extensions".to_owned()] };
        assert!(check(None, "%>", &trigrams).is_ok());
        assert!(check(Some("extensions"), "%>", &trigrams).is_ok());
        assert!(check(Some("public"), "%>", &trigrams).is_err());
        assert!(check(Some("extensions"), "= 1 --x", &trigrams).is_err());
    }
}
