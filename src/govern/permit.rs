//! The witness that a statement was decided: the only thing that the upstream side sends.

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use crate::config::OnMaxRows;
use crate::error::{ClientError, Notice};
use crate::names::ProductId;

use super::fence::Fence;

/// What kind of statement a permit carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PermitKind {
    /// A query.
    Query,
    /// EXPLAIN (FORMAT JSON) of a query; the answer is rendered by `govern::explain` before it is shown.
    Explain,
    /// COPY (…) TO STDOUT.
    Copy,
    /// The query of a PREPARE.
    Prepare,
    /// DECLARE CURSOR.
    Declare,
    /// EXECUTE of a prepared statement.
    Execute,
}

/// How many rows a client may get.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowCap {
    /// The most rows that are sent.
    pub limit: u64,
    /// Cut with a notice, or 54000.
    pub on_max_rows: OnMaxRows,
    /// What the notice names: `max_rows`, or `copy_max_rows` where that is set …
    pub setting: &'static str,
    /// … of `role analyst`.
    pub source: String,
    /// Whether `LIMIT limit + 1` stands in the SQL (else, WITH TIES, the relay counts and cancels).
    pub in_sql: bool,
}

/// A product that a statement reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProductUse {
    /// Which.
    pub id: ProductId,
    /// Masked, filtered or fenced: the upstream's error texts are not trusted, costs are not shown.
    pub guarded: bool,
    /// What became of its fence.
    pub fence: Fence,
}

/// The content of a [`Permit`].
#[derive(Clone, Debug, PartialEq)]
pub struct PermitBody {
    /// What is sent: rendered from the checked tree, and proven.
    pub sql: Arc<str>,
    /// All that it has in common with the permits of statements that differ in literals alone.
    pub terms: Arc<Terms>,
}

impl Deref for PermitBody {
    type Target = Terms;
    fn deref(&self) -> &Terms {
        &self.terms
    }
}

/// What a [`Permit`] says besides its SQL.
#[derive(Clone, Debug, PartialEq)]
pub struct Terms {
    /// What kind it is.
    pub kind: PermitKind,
    /// How many rows the client may get; `None`: all.
    pub row_cap: Option<RowCap>,
    /// How long it may run; `None`: for ever.
    pub timeout: Option<Duration>,
    /// What it reads, each product once, in the order of ids.
    pub products: Vec<ProductUse>,
    /// `DOMAIN.PRODUCT.COLUMN` of each PII column that is read masked.
    pub masked: Vec<String>,
    /// `DOMAIN.PRODUCT.COLUMN` of each PII column that is read raw.
    pub unmasked: Vec<String>,
    /// Said once per session and product.
    pub notices: Vec<(ProductId, Notice)>,
    /// Equal for statements that differ in literals alone, hex.
    pub fingerprint: String,
    /// Literals replaced, for `[audit] sql = "redacted"`.
    pub redacted_sql: Arc<str>,
    /// For EXPLAIN: whether costs and rows may be shown, and physical relation -> product.
    pub explain: Option<ExplainShape>,
    /// Of the snapshot that decided.
    pub generation: u64,
    /// Whether the decision may be kept: false when a value of the session went into the SQL.
    pub cacheable: bool,
    /// No literal's value was looked at: another literal in its place gives the same decision, and the same SQL with that
    /// literal in it (see `govern::shape`).
    pub blind: bool,
    /// It reads system catalogs: the upstream's error texts are not trusted, costs are not shown.
    pub introspects: bool,
}

impl Terms {
    /// Whether the upstream's error texts are not trusted.
    pub fn guarded(&self) -> bool {
        self.introspects || self.products.iter().any(|product| product.guarded)
    }
}

/// How an EXPLAIN's answer is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExplainShape {
    /// The client's FORMAT.
    pub format: crate::sql::statement::ExplainFormat,
    /// Costs and rows: only where no product is filtered or fenced and the client wants them.
    pub costs: bool,
    /// Physical schema and name -> product.
    pub relations: Vec<(crate::names::RelationName, ProductId)>,
}

/// A statement that was allowed. Only the policy engine can make one.
#[derive(Clone, Debug, PartialEq)]
pub struct Permit(PermitBody);

impl Permit {
    /// Seals a decided body.
    pub(in crate::govern) fn seal(body: PermitBody) -> Self {
        Self(body)
    }
    /// A permit for tests of what comes behind the engine.
    #[cfg(test)]
    pub(crate) fn for_test(kind: PermitKind, sql: &str) -> Self {
        let terms = Terms {
            kind,
            row_cap: None,
            timeout: None,
            products: Vec::new(),
            masked: Vec::new(),
            unmasked: Vec::new(),
            notices: Vec::new(),
            fingerprint: String::new(),
            redacted_sql: Arc::from(sql),
            explain: None,
            generation: 1,
            cacheable: true,
            blind: false,
            introspects: false,
        };
        Self::seal(PermitBody { sql: Arc::from(sql), terms: Arc::new(terms) })
    }
}

impl Deref for Permit {
    type Target = PermitBody;
    fn deref(&self) -> &PermitBody {
        &self.0
    }
}

/// A decision against a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denial {
    /// What the client is told.
    pub error: ClientError,
    /// A short, stable word for the audit record and the metric: `relation_unknown`, `not_granted`, `function`, `kind`…
    pub reason: &'static str,
    /// Products that the statement named, as far as they were known.
    pub products: Vec<ProductId>,
}
