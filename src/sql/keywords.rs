//! PostgreSQL 15's keywords (`pg_get_keywords()`), by what else they may be.
//!
//! sqlparser knows the keywords of a dozen dialects. A word that is none of Postgres' is handed to it as a plain identifier, so
//! that `QUALIFY`, `PIVOT` or `TOP` are names here as they are there.
//!
//! Every word of a statement is looked up, several times: hence one table for all that is asked.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::LazyLock;

use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::Token;

/// How far a word is reserved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reserved {
    /// May be any name.
    No,
    /// May be a column or table, but no function or type.
    ColumnName,
    /// May be a function or type, but no column or table.
    FunctionOrType,
    /// May be a label after AS only.
    Fully,
}

/// A word that is more than a name to somebody.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known {
    /// In lower case.
    pub(super) lower: &'static str,
    /// What Postgres says of it; `None`: it is no keyword.
    pub(super) reserved: Option<Reserved>,
    /// As what sqlparser is to read it.
    pub(super) handed_on: Keyword,
}

/// What is known of a word in any case of letters.
pub(super) fn known(word: &str) -> Option<&'static Known> {
    let mut lower = [0_u8; LONGEST];
    let lower = lower.get_mut(..word.len())?;
    lower.copy_from_slice(word.as_bytes());
    lower.make_ascii_lowercase();
    WORDS.get(&*lower)
}

/// What Postgres says of a word in any case of letters; `None`: it is no keyword.
pub(super) fn reserved(word: &str) -> Option<Reserved> {
    known(word)?.reserved
}

static WORDS: LazyLock<HashMap<&'static [u8], Known, BuildHasherDefault<ShortHash>>> = LazyLock::new(|| {
    let lists = [
        (FULLY, Some(Reserved::Fully)),
        (UNRESERVED, Some(Reserved::No)),
        (COLUMN_NAME, Some(Reserved::ColumnName)),
        (FUNCTION_OR_TYPE, Some(Reserved::FunctionOrType)),
        (TYPE_WORDS, None),
        (&["bernoulli"], None),
    ];
    let words = lists.into_iter().flat_map(|(list, reserved)| list.iter().map(move |word| (*word, reserved)));
    let known = |(lower, reserved): (&'static str, _)| {
        let handed_on = match Token::make_word(lower, None) {
            Token::Word(word) if !FOREIGN_MEANING.contains(&lower) => word.keyword,
            _ => Keyword::NoKeyword,
        };
        (lower.as_bytes(), Known { lower, reserved, handed_on })
    };
    words.map(known).collect()
});

/// FNV-1a: the table is fixed and its words are short.
struct ShortHash(u64);

impl Default for ShortHash {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Hasher for ShortHash {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    fn write_usize(&mut self, length: usize) {
        self.0 = (self.0 ^ length as u64).wrapping_mul(0x0100_0000_01b3);
    }
}

/// Types of Postgres that are no keywords there but have nodes of their own in sqlparser's tree.
const TYPE_WORDS: &[&str] = &[
    "bool",
    "bytea",
    "date",
    "float4",
    "float8",
    "int2",
    "int4",
    "int8",
    "json",
    "jsonb",
    "regclass",
    "timestamptz",
    "timetz",
    "tsquery",
    "tsvector",
    "uuid",
    "varbit",
];

/// Keywords of Postgres that sqlparser takes for clauses of other systems.
const FOREIGN_MEANING: &[&str] = &["cluster", "global", "match", "value", "version", "view"];

/// `current_timestamp`, `characteristics`…
const LONGEST: usize = 17;

#[rustfmt::skip]
const FULLY: &[&str] = &[
    "all", "analyse", "analyze", "and", "any", "array", "as", "asc", "asymmetric", "both", "case", "cast",
    "check", "collate", "column", "constraint", "create", "current_catalog", "current_date", "current_role",
    "current_time", "current_timestamp", "current_user", "default", "deferrable", "desc", "distinct", "do",
    "else", "end", "except", "false", "fetch", "for", "foreign", "from", "grant", "group", "having", "in",
    "initially", "intersect", "into", "lateral", "leading", "limit", "localtime", "localtimestamp", "not",
    "null", "offset", "on", "only", "or", "order", "placing", "primary", "references", "returning", "select",
    "session_user", "some", "symmetric", "table", "then", "to", "trailing", "true", "union", "unique", "user",
    "using", "variadic", "when", "where", "window", "with",
];

#[rustfmt::skip]
const COLUMN_NAME: &[&str] = &[
    "between", "bigint", "bit", "boolean", "char", "character", "coalesce", "dec", "decimal", "exists",
    "extract", "float", "greatest", "grouping", "inout", "int", "integer", "interval", "least", "national",
    "nchar", "none", "normalize", "nullif", "numeric", "out", "overlay", "position", "precision", "real", "row",
    "setof", "smallint", "substring", "time", "timestamp", "treat", "trim", "values", "varchar",
    "xmlattributes", "xmlconcat", "xmlelement", "xmlexists", "xmlforest", "xmlnamespaces", "xmlparse", "xmlpi",
    "xmlroot", "xmlserialize", "xmltable",
];

#[rustfmt::skip]
const FUNCTION_OR_TYPE: &[&str] = &[
    "authorization", "binary", "collation", "concurrently", "cross", "current_schema", "freeze", "full",
    "ilike", "inner", "is", "isnull", "join", "left", "like", "natural", "notnull", "outer", "overlaps",
    "right", "similar", "tablesample", "verbose",
];

#[rustfmt::skip]
const UNRESERVED: &[&str] = &[
    "abort", "absolute", "access", "action", "add", "admin", "after", "aggregate", "also", "alter", "always",
    "asensitive", "assertion", "assignment", "at", "atomic", "attach", "attribute", "backward", "before",
    "begin", "breadth", "by", "cache", "call", "called", "cascade", "cascaded", "catalog", "chain",
    "characteristics", "checkpoint", "class", "close", "cluster", "columns", "comment", "comments", "commit",
    "committed", "compression", "configuration", "conflict", "connection", "constraints", "content", "continue",
    "conversion", "copy", "cost", "csv", "cube", "current", "cursor", "cycle", "data", "database", "day",
    "deallocate", "declare", "defaults", "deferred", "definer", "delete", "delimiter", "delimiters", "depends",
    "depth", "detach", "dictionary", "disable", "discard", "document", "domain", "double", "drop", "each",
    "enable", "encoding", "encrypted", "enum", "escape", "event", "exclude", "excluding", "exclusive",
    "execute", "explain", "expression", "extension", "external", "family", "filter", "finalize", "first",
    "following", "force", "forward", "function", "functions", "generated", "global", "granted", "groups",
    "handler", "header", "hold", "hour", "identity", "if", "immediate", "immutable", "implicit", "import",
    "include", "including", "increment", "index", "indexes", "inherit", "inherits", "inline", "input",
    "insensitive", "insert", "instead", "invoker", "isolation", "key", "label", "language", "large", "last",
    "leakproof", "level", "listen", "load", "local", "location", "lock", "locked", "logged", "mapping", "match",
    "matched", "materialized", "maxvalue", "merge", "method", "minute", "minvalue", "mode", "month", "move",
    "name", "names", "new", "next", "nfc", "nfd", "nfkc", "nfkd", "no", "normalized", "nothing", "notify",
    "nowait", "nulls", "object", "of", "off", "oids", "old", "operator", "option", "options", "ordinality",
    "others", "over", "overriding", "owned", "owner", "parallel", "parameter", "parser", "partial", "partition",
    "passing", "password", "plans", "policy", "preceding", "prepare", "prepared", "preserve", "prior",
    "privileges", "procedural", "procedure", "procedures", "program", "publication", "quote", "range", "read",
    "reassign", "recheck", "recursive", "ref", "referencing", "refresh", "reindex", "relative", "release",
    "rename", "repeatable", "replace", "replica", "reset", "restart", "restrict", "return", "returns", "revoke",
    "role", "rollback", "rollup", "routine", "routines", "rows", "rule", "savepoint", "schema", "schemas",
    "scroll", "search", "second", "security", "sequence", "sequences", "serializable", "server", "session",
    "set", "sets", "share", "show", "simple", "skip", "snapshot", "sql", "stable", "standalone", "start",
    "statement", "statistics", "stdin", "stdout", "storage", "stored", "strict", "strip", "subscription",
    "support", "sysid", "system", "tables", "tablespace", "temp", "template", "temporary", "text", "ties",
    "transaction", "transform", "trigger", "truncate", "trusted", "type", "types", "uescape", "unbounded",
    "uncommitted", "unencrypted", "unknown", "unlisten", "unlogged", "until", "update", "vacuum", "valid",
    "validate", "validator", "value", "varying", "version", "view", "views", "volatile", "whitespace", "within",
    "without", "work", "wrapper", "write", "xml", "year", "yes", "zone",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_are_sorted_and_disjoint() {
        let lists = [FULLY, COLUMN_NAME, FUNCTION_OR_TYPE, UNRESERVED, TYPE_WORDS];
        assert!(lists.iter().all(|list| list.is_sorted()));
        let mut all: Vec<&str> = lists.concat();
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), count);
        assert!(all.iter().all(|word| word.len() <= LONGEST));
    }

    #[test]
    fn words_are_what_postgres_says() {
        assert_eq!(reserved("select"), Some(Reserved::Fully));
        assert_eq!(reserved("interval"), Some(Reserved::ColumnName));
        assert_eq!(reserved("isnull"), Some(Reserved::FunctionOrType));
        assert_eq!(reserved("view"), Some(Reserved::No));
        assert_eq!(reserved("qualify"), None);
        assert_eq!(reserved("uuid"), None);
        assert_eq!(reserved("SeLeCt"), Some(Reserved::Fully));
        assert_eq!(reserved("a_name_that_is_longer_than_any_keyword"), None);
        for list in [FULLY, COLUMN_NAME, FUNCTION_OR_TYPE, UNRESERVED] {
            assert!(
                list.iter().all(|word| known(&word.to_ascii_uppercase()).is_some_and(|known| known.lower == *word))
            );
        }
        assert_eq!(known("Value").unwrap().handed_on, Keyword::NoKeyword);
        assert_eq!(known("UUID").unwrap().handed_on, Keyword::UUID);
    }
}
