//! What product files are held against.

use std::collections::{BTreeMap, BTreeSet};

use crate::names::{DomainName, RelationName, RoleName, WarehouseName, glob_matches};

/// What the server's and the policy's files say about products. `None` is "not known", where that file itself could not
/// be read: then the rule is not applied.
#[derive(Clone, Debug, Default)]
pub struct CatalogRules {
    /// The warehouses with their default schemas.
    pub warehouses: Option<BTreeMap<WarehouseName, String>>,
    /// The roles that row filters may name.
    pub roles: Option<BTreeSet<RoleName>>,
    /// Variables that product files may use.
    pub env: Vec<String>,
    /// An invalid file withholds its product alone.
    pub quarantine: bool,
    /// Glob patterns: columns so named need `pii = true` or `pii_exempt`.
    pub require_pii: Vec<String>,
    /// A regular expression that every column name must match.
    pub column_names: Option<String>,
    /// Glob patterns on relations that a domain's files may publish; a domain that is not here may publish any.
    pub domains: BTreeMap<DomainName, Vec<String>>,
    /// Whether `[masking] hash_key` is set.
    pub has_hash_key: bool,
}

impl CatalogRules {
    /// The pattern that makes a column of this name personal.
    pub(super) fn pii_pattern(&self, column: &str) -> Option<&str> {
        let folded = column.to_ascii_lowercase();
        self.require_pii.iter().find(|p| glob_matches(&p.to_ascii_lowercase(), &folded)).map(String::as_str)
    }
    /// Whether the domain may publish the relation. Schema and name are matched apart: a `*` does not reach over the dot.
    pub(super) fn may_publish(&self, domain: &DomainName, relation: &RelationName) -> Result<(), &[String]> {
        let Some(patterns) = self.domains.get(domain) else { return Ok(()) };
        let fits = |pattern: &String| match pattern.split_once('.') {
            Some((schema, name)) => glob_matches(schema, &relation.schema) && glob_matches(name, &relation.name),
            None => pattern == "*",
        };
        if patterns.iter().any(fits) { Ok(()) } else { Err(patterns) }
    }
}
