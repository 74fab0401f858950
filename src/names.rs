//! Names as types: what a product, a role, a relation is called, and Postgres' own rules for identifiers.
//!
//! A name that was folded and truncated by [`fold_identifier`] is what the catalog is asked for; a name goes back into SQL
//! through [`quote_identifier`] alone.

mod certificate;

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use certificate::{CertificateName, InvalidName};

/// Postgres' `NAMEDATALEN - 1`: identifiers are cut to this many bytes, on a character boundary.
pub const MAX_IDENTIFIER_BYTES: usize = 63;

macro_rules! name_type {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Wraps a name as it is written; no rule is checked here.
            pub fn new(name: impl AsRef<str>) -> Self {
                Self(Arc::from(name.as_ref()))
            }
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", &*self.0)
            }
        }
        impl From<&str> for $name {
            fn from(name: &str) -> Self {
                Self::new(name)
            }
        }
    };
}

name_type!(
    /// A role of policy.toml (`[roles.NAME]`).
    RoleName
);
name_type!(
    /// A user of policy.toml (`[users.NAME]`), the name that a client logs in with.
    UserName
);
name_type!(
    /// A warehouse of pgveil.toml (`[warehouses.NAME]`), the database name that clients connect to.
    WarehouseName
);
name_type!(
    /// A domain of the catalog: the part of a product's id before the dot.
    DomainName
);

/// The id of a data product, `DOMAIN.PRODUCT`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ProductId {
    domain: DomainName,
    product: Arc<str>,
}

impl ProductId {
    /// Reads `DOMAIN.PRODUCT`; `None` when it does not match `^[a-z][a-z0-9-]*\.[a-z][a-z0-9_]*$`.
    pub fn parse(id: &str) -> Option<Self> {
        let (domain, product) = id.split_once('.')?;
        let starts = |s: &str| s.bytes().next().is_some_and(|b| b.is_ascii_lowercase());
        let domain_ok =
            starts(domain) && domain.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        let product_ok =
            starts(product) && product.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
        (domain_ok && product_ok).then(|| Self { domain: DomainName::new(domain), product: Arc::from(product) })
    }
    /// The domain, as the catalog writes it (may hold dashes).
    pub fn domain(&self) -> &DomainName {
        &self.domain
    }
    /// The product's own name, the part after the dot.
    pub fn product(&self) -> &str {
        &self.product
    }
    /// The flat name `DOMAIN_PRODUCT`, dashes as underscores.
    pub fn flat_name(&self) -> String {
        format!("{}_{}", self.domain.as_str().replace('-', "_"), self.product)
    }
}

impl fmt::Display for ProductId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.domain, self.product)
    }
}
impl fmt::Debug for ProductId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}
impl From<ProductId> for String {
    fn from(id: ProductId) -> Self {
        id.to_string()
    }
}
impl TryFrom<String> for ProductId {
    type Error = String;
    fn try_from(id: String) -> Result<Self, Self::Error> {
        Self::parse(&id).ok_or_else(|| format!("\"{id}\" is not a product id of the form DOMAIN.PRODUCT"))
    }
}

/// Where a product really lies in the warehouse. Both parts are exact (already folded) names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RelationName {
    /// The schema.
    pub schema: String,
    /// The table, view or other relation.
    pub name: String,
}

impl RelationName {
    /// The relation as SQL, both parts quoted where Postgres needs it.
    pub fn to_sql(&self) -> String {
        format!("{}.{}", quote_identifier(&self.schema), quote_identifier(&self.name))
    }
}

impl fmt::Display for RelationName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.schema, self.name)
    }
}

/// A pattern of policy.toml on product ids: `*`, `d.*` or `d.p`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ProductPattern {
    domain: Option<String>,
    product: Option<String>,
}

impl ProductPattern {
    /// Reads a pattern; `None` when it has none of the three forms.
    pub fn parse(pattern: &str) -> Option<Self> {
        if pattern == "*" {
            return Some(Self { domain: None, product: None });
        }
        let (domain, product) = pattern.split_once('.')?;
        let part = |s: &str| if s == "*" { None } else { Some(s.to_owned()) };
        if domain.is_empty() || product.is_empty() || product.contains('.') {
            return None;
        }
        Some(Self { domain: part(domain), product: part(product) })
    }
    /// Whether the pattern covers the product.
    pub fn matches(&self, id: &ProductId) -> bool {
        self.domain.as_deref().is_none_or(|d| d == id.domain().as_str())
            && self.product.as_deref().is_none_or(|p| p == id.product())
    }
    /// The domain that the pattern names when that part is no `*`.
    pub fn domain(&self) -> Option<&str> {
        self.domain.as_deref()
    }
    /// The product that the pattern names when it has no `*`.
    pub fn exact(&self) -> Option<ProductId> {
        ProductId::parse(&format!("{}.{}", self.domain.as_deref()?, self.product.as_deref()?))
    }
}

/// Whether a text fits a glob pattern in which `*` stands for any characters, none included, and all else for itself.
pub fn glob_matches(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| text.strip_prefix(first)) else { return false };
    let Some(last) = parts.next_back() else { return rest.is_empty() };
    for part in parts {
        let Some((_, after)) = rest.split_once(part) else { return false };
        rest = after;
    }
    rest.ends_with(last)
}

/// A pattern of policy.toml on columns: `*`, `d.*`, `d.p.*`, `d.p.c` or `*.*.c`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ColumnPattern {
    product: ProductPattern,
    column: Option<String>,
}

impl ColumnPattern {
    /// Reads a pattern; `None` when it has none of the forms.
    pub fn parse(pattern: &str) -> Option<Self> {
        match pattern.split('.').count() {
            1 | 2 => Some(Self { product: ProductPattern::parse(pattern)?, column: None }),
            3 => {
                let (product, column) = pattern.rsplit_once('.')?;
                let product = ProductPattern::parse(product)?;
                let column = (column != "*").then(|| column.to_owned());
                Some(Self { product, column })
            }
            _ => None,
        }
    }
    /// Whether the pattern covers the column of the product.
    pub fn matches(&self, id: &ProductId, column: &str) -> bool {
        self.product.matches(id) && self.column.as_deref().is_none_or(|c| c == column)
    }
    /// The part that names products.
    pub fn product(&self) -> &ProductPattern {
        &self.product
    }
    /// The column that the pattern names when that part is no `*`.
    pub fn column(&self) -> Option<&str> {
        self.column.as_deref()
    }
}

/// An identifier as Postgres reads it: ASCII folding unless quoted, then cut to 63 bytes on a character boundary.
/// `raw` is the text between the quotes with `""` already undoubled.
pub fn fold_identifier(raw: &str, quoted: bool) -> String {
    let mut name = if quoted { raw.to_owned() } else { raw.to_ascii_lowercase() };
    if name.len() > MAX_IDENTIFIER_BYTES {
        let mut end = MAX_IDENTIFIER_BYTES;
        while !name.is_char_boundary(end) {
            end -= 1;
        }
        name.truncate(end);
    }
    name
}

/// An exact name as an SQL identifier, always quoted.
pub fn quote_identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A text as an SQL literal under `standard_conforming_strings = on`.
pub fn quote_literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_fold_and_truncate_as_in_postgres() {
        assert_eq!(fold_identifier("OrDers", false), "orders");
        assert_eq!(fold_identifier("OrDers", true), "OrDers");
        assert_eq!(fold_identifier("ÄB", false), "Äb");
        let long = format!("{}é", "a".repeat(62));
        assert_eq!(fold_identifier(&long, false), "a".repeat(62));
    }

    #[test]
    fn patterns_match_what_they_say() {
        let id = ProductId::parse("marketing.campaigns").unwrap();
        for (pattern, expected) in [
            ("*", true),
            ("marketing.*", true),
            ("marketing.campaigns", true),
            ("sales.*", false),
            ("*.campaigns", true),
        ] {
            assert_eq!(ProductPattern::parse(pattern).unwrap().matches(&id), expected, "{pattern}");
        }
        for (pattern, expected) in [
            ("*", true),
            ("marketing.*", true),
            ("marketing.campaigns.*", true),
            ("*.*.email", true),
            ("marketing.campaigns.phone", false),
        ] {
            assert_eq!(ColumnPattern::parse(pattern).unwrap().matches(&id, "email"), expected, "{pattern}");
        }
        assert!(ProductPattern::parse("a.b.c").is_none());
    }

    #[test]
    fn globs_match_what_they_say() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("*", "anything", true),
            ("*email*", "work_email", true),
            ("*email*", "mail", false),
            ("marketing_*", "marketing_", true),
            ("marketing_*", "xmarketing_a", false),
            ("a*a", "a", false),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-c-b", false),
            ("plain", "plain", true),
            ("plain", "plainer", false),
        ] {
            assert_eq!(glob_matches(pattern, text), expected, "{pattern} on {text}");
        }
    }

    #[test]
    fn product_ids_follow_the_format() {
        assert!(ProductId::parse("growth-team.funnel_2").is_some());
        for bad in ["marketing", "Marketing.x", "m.x.y", "m.", "1m.x", "m.x-y"] {
            assert!(ProductId::parse(bad).is_none(), "{bad}");
        }
        assert_eq!(ProductId::parse("growth-team.funnel").unwrap().flat_name(), "growth_team_funnel");
    }
}
