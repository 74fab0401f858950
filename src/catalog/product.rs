//! A compiled data product, as FORMATS says it: every rule that needs no warehouse has been checked.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::Date;

use crate::error::Diagnostic;
use crate::names::{DomainName, ProductId, RelationName, RoleName, WarehouseName};

/// Where a product stands in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Status {
    /// Only roles with a matching `drafts` pattern may query it.
    Draft,
    /// In force.
    Published,
    /// Served with a notice until its sunset, then denied.
    Deprecated,
}

/// What a stale or breached product does to a statement that reads it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum OnBreach {
    /// A NOTICE tells the reader.
    #[default]
    Notice,
    /// The statement is denied.
    Deny,
    /// Nothing happens.
    Ignore,
}

/// The type that a contract promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ContractType {
    /// text, varchar, char, enums, domains over them
    String,
    /// int2, int4, int8
    Integer,
    /// float4, float8
    Float,
    /// bool
    Boolean,
    /// timestamp with or without time zone
    Timestamp,
    /// json, jsonb
    Json,
    /// any array
    Array,
    /// numeric
    Decimal,
    /// date
    Date,
    /// time with or without time zone
    Time,
    /// uuid
    Uuid,
    /// bytea
    Bytes,
    /// interval
    Interval,
}

/// What a masked role sees instead of a column's value.
#[derive(Clone, Debug, PartialEq)]
pub enum Mask {
    /// `***` and the last four characters of values of eight or more
    Last4,
    /// The constant `***`, for NULL too
    Redact,
    /// First letter, `***`, `@` and the domain
    Email,
    /// HMAC-SHA-256, 64 hex digits
    Hash,
    /// NULL
    Null,
    /// Truncated to the year (UTC)
    Year,
    /// Truncated to the month (UTC)
    Month,
    /// `floor(x / n) * n`; the step as it was written, a positive decimal number
    Bucket(String),
    /// A constant as it was written: text, number or boolean, as text
    Value(String),
    /// One SQL expression with `{column}`
    Sql(String),
}

/// Whether and how a column is protected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pii {
    /// Not personal.
    No,
    /// Personal.
    Yes,
    /// Named like PII, but exempt for the given reason.
    Exempt(String),
}

/// One column of the contract.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    /// The exact name in the warehouse and for the client.
    pub name: String,
    /// The promised type.
    pub contract_type: ContractType,
    /// For people.
    pub description: String,
    /// Personal or not.
    pub pii: Pii,
    /// Whether NULL may occur.
    pub nullable: bool,
    /// The mask that the file names; `None`: the default for `pii`, or no mask.
    pub mask: Option<Mask>,
    /// `predicates = "equality"`: texts that are compared with the hash are hashed too.
    pub equality: bool,
}

/// Whom a row filter binds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FilterScope {
    /// The named roles.
    Roles(Vec<RoleName>),
    /// Everyone but the named roles.
    Except(Vec<RoleName>),
}

impl FilterScope {
    /// Whether the filter binds the role.
    pub fn binds(&self, role: &RoleName) -> bool {
        match self {
            Self::Roles(roles) => roles.contains(role),
            Self::Except(roles) => !roles.contains(role),
        }
    }
}

/// One `[[row_filters]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowFilter {
    /// Whom it binds.
    pub scope: FilterScope,
    /// One boolean expression over the product's columns, with `{user.NAME}` placeholders.
    pub predicate: String,
    /// The byte range of `where` in the file, for errors found when it is compiled.
    pub span: std::ops::Range<usize>,
}

/// How grave a failed check is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The contract is broken.
    Error,
    /// Somebody should look.
    Warning,
}

/// What a quality check looks at.
#[derive(Clone, Debug, PartialEq)]
pub enum CheckKind {
    /// No NULL in the column.
    NotNull { column: String },
    /// No two rows with equal values in the columns.
    Unique { columns: Vec<String> },
    /// Every value within the bounds, as they were written.
    Range { column: String, min: Option<String>, max: Option<String> },
    /// The newest value is at most this old.
    Freshness { column: String, max_stale: Duration },
    /// The number of rows lies within the bounds.
    RowCount { min: Option<u64>, max: Option<u64> },
    /// One statement whose first column is the number of violations.
    CustomSql { sql: String },
}

/// One `[[quality_checks]]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Check {
    /// Its name, unique in the product.
    pub name: String,
    /// What it looks at.
    pub kind: CheckKind,
    /// How grave a failure is.
    pub severity: Severity,
    /// The byte range of its `sql`, or of its name, in the file.
    pub span: std::ops::Range<usize>,
}

/// Who answers for a product.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The team.
    pub team: String,
    /// An e-mail address.
    pub contact: String,
    /// A Slack channel.
    pub slack_channel: Option<String>,
}

/// What consumers may rely on.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sla {
    /// The longest staleness allowed.
    pub freshness: Option<Duration>,
    /// The column that tells how fresh the product is.
    pub freshness_column: Option<String>,
    /// Percent.
    pub availability: Option<f64>,
    /// Milliseconds.
    pub query_latency_p95_ms: Option<u64>,
}

/// `[deprecation]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Deprecation {
    /// The product to use instead.
    pub replaced_by: Option<ProductId>,
    /// From this day on (UTC) it is denied.
    pub sunset: Option<Date>,
    /// For people.
    pub message: Option<String>,
}

/// `[contract]`: when the checks run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ContractSchedule {
    /// Every so often.
    Interval(Duration),
    /// A cron expression of five fields.
    Cron(String),
}

/// Where things stand in a product's file, for findings of a later stage.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Places {
    /// The file's text.
    pub text: Arc<str>,
    /// The byte range of a column's `mask`, or of its name where no mask is written.
    pub columns: BTreeMap<String, std::ops::Range<usize>>,
}

/// One data product.
#[derive(Clone, Debug, PartialEq)]
pub struct Product {
    /// `DOMAIN.PRODUCT`.
    pub id: ProductId,
    /// For people.
    pub name: String,
    /// For people.
    pub description: String,
    /// A positive integer.
    pub version: u32,
    /// Where it stands in its life.
    pub status: Status,
    /// When it was published.
    pub published_at: Option<Timestamp>,
    /// Free words.
    pub tags: Vec<String>,
    /// Where it really lies.
    pub relation: RelationName,
    /// In which warehouse.
    pub warehouse: WarehouseName,
    /// What staleness and breach do.
    pub on_breach: OnBreach,
    /// Who answers for it.
    pub owner: Owner,
    /// What consumers may rely on.
    pub sla: Sla,
    /// The contract's columns, in the order of the file, which is the order that `*` shows. Never empty.
    pub columns: Vec<Column>,
    /// What is checked.
    pub checks: Vec<Check>,
    /// Which rows which role sees.
    pub row_filters: Vec<RowFilter>,
    /// Set when and only when it is deprecated.
    pub deprecation: Option<Deprecation>,
    /// When its checks run; `None`: `[contracts] interval`.
    pub schedule: Option<ContractSchedule>,
    /// The team's own keys.
    pub meta: toml::Table,
    /// The file that it was read from.
    pub file: PathBuf,
    /// SHA-256 of the file's bytes, hex: equal content is the same product.
    pub digest: String,
    /// Where things stand in the file.
    pub places: Places,
}

impl Product {
    /// The column of this exact name.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|c| c.name == name)
    }
    /// A finding about this column's mask.
    pub fn finding_at_column(&self, column: &str, message: impl Into<String>) -> Diagnostic {
        let span = self.places.columns.get(column).cloned().unwrap_or_default();
        self.finding_at(span, message)
    }
    /// A finding at a byte range of the product's file, such as [`RowFilter::span`].
    pub fn finding_at(&self, span: std::ops::Range<usize>, message: impl Into<String>) -> Diagnostic {
        Diagnostic::at(&self.file, &self.places.text, span, message)
    }
    /// The schema under which a client sees it: the domain, exactly as written (a dash needs quotes).
    pub fn client_schema(&self) -> &str {
        self.id.domain().as_str()
    }
}

/// Every product, in the order of ids.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Catalog {
    products: BTreeMap<ProductId, Arc<Product>>,
    /// One name can stand in several warehouses.
    by_flat_name: HashMap<String, Vec<Arc<Product>>>,
}

impl Catalog {
    /// A catalog of products whose ids and flat names differ (the loader has checked that).
    pub fn new(products: impl IntoIterator<Item = Arc<Product>>) -> Self {
        let products: BTreeMap<_, _> = products.into_iter().map(|p| (p.id.clone(), p)).collect();
        let mut by_flat_name: HashMap<String, Vec<Arc<Product>>> = HashMap::new();
        for product in products.values() {
            by_flat_name.entry(product.id.flat_name()).or_default().push(Arc::clone(product));
        }
        Self { products, by_flat_name }
    }
    /// The product of this id.
    pub fn get(&self, id: &ProductId) -> Option<&Arc<Product>> {
        self.products.get(id)
    }
    /// Every product, in the order of ids.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Product>> {
        self.products.values()
    }
    /// How many products there are.
    pub fn len(&self) -> usize {
        self.products.len()
    }
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.products.is_empty()
    }
    /// The domains that have a product, in order.
    pub fn domains(&self) -> Vec<&DomainName> {
        let mut domains: Vec<_> = self.products.keys().map(ProductId::domain).collect();
        domains.dedup();
        domains
    }
    /// The product that a client's `SCHEMA.TABLE` means in the warehouse: the domain as written or with its dashes as
    /// underscores. Both names are folded already.
    pub fn by_qualified_name(&self, warehouse: &WarehouseName, schema: &str, table: &str) -> Option<&Arc<Product>> {
        // Whoever fits has this flat name; the reverse does not hold: `a-b.c` is not `a.b_c`.
        let flat_name = format!("{}_{table}", schema.replace('-', "_"));
        self.by_flat_name(warehouse, &flat_name).filter(|p| {
            p.id.product() == table && (p.client_schema() == schema || p.client_schema().replace('-', "_") == schema)
        })
    }
    /// The product whose flat name is `table`.
    pub fn by_flat_name(&self, warehouse: &WarehouseName, table: &str) -> Option<&Arc<Product>> {
        self.by_flat_name.get(table)?.iter().find(|p| p.warehouse == *warehouse)
    }
}
