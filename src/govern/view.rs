//! A product as a subject may see it: the derived query that each reference to it becomes.

use std::sync::Arc;

use dashmap::DashMap;

use crate::catalog::{CheckKind, FilterScope, Mask, Pii, Product};
use crate::error::{ClientError, Diagnostics, ErrorKind, sqlstate};
use crate::names::{ProductId, RelationName, RoleName};
use crate::sql::statement::Statement;
use crate::sql::{TextLimits, ast, parse, with_deep_stack};

use super::facts::{ColumnFacts, RelationFacts, RelationKind};
use super::filters::{self, FilterTemplate};
use super::masks;
use super::permit::Denial;
use super::snapshot::{Snapshot, SnapshotParts};
use super::subject::Subject;

mod query;

/// A product's derived query, and what has to be known of it.
#[derive(Clone, Debug, PartialEq)]
pub struct ProductView {
    /// Which product.
    pub id: ProductId,
    /// `SELECT FROM relation [WHERE filters] [OFFSET 0]`: every row that is shown, and nothing of it yet.
    pub(in crate::govern) rows: ast::Query,
    /// What the columns are in the query, in their order.
    pub(in crate::govern) items: Vec<ViewItem>,
    /// In the contract's order, which is that of the query's output.
    pub columns: Vec<ViewColumn>,
    /// Masked, filtered, fenced, or over a view or a foreign table: the upstream's error texts are not trusted, costs are not shown.
    pub guarded: bool,
    /// A row filter stands in it.
    pub filtered: bool,
    /// `OFFSET 0` stands in it: the planner moves nothing of the client's inside.
    pub fenced: bool,
    /// [`Self::rows`] without the fence, for statements whose conditions are leak-proof (see `govern::fence`). `None`: there is no
    /// fence, or it stands always.
    pub(in crate::govern) unfenced: Option<ast::Query>,
    /// The physical relation: the only one that the query reads.
    pub relation: RelationName,
    /// `pg_class.oid` of the physical relation.
    pub relation_oid: u32,
    /// Schema and name of each function that its filters call, for the second parser's summary.
    pub(in crate::govern) filter_functions: Vec<FunctionName>,
    /// The predicate that stands in it, rendered, for `explain`.
    pub filter: Option<String>,
}

/// Schema and name of a function.
pub(in crate::govern) type FunctionName = (Option<String>, String);

/// A column in a view's query.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::govern) struct ViewItem {
    /// The column as it is shown, under its name.
    pub(in crate::govern) item: ast::SelectItem,
    /// The functions of its mask.
    pub(in crate::govern) functions: Vec<FunctionName>,
}

impl ProductView {
    /// `SELECT contract columns FROM relation [WHERE filters] [OFFSET 0]`.
    pub fn query(&self) -> ast::Query {
        let mut query = self.rows.clone();
        self.show(&mut query, |_| true);
        query
    }

    /// Puts the columns that are `kept` (their places) into a copy of [`Self::rows`], and gives the functions that are called.
    pub(in crate::govern) fn show(&self, rows: &mut ast::Query, kept: impl Fn(usize) -> bool) -> Vec<&FunctionName> {
        let items = || self.items.iter().enumerate().filter(|(place, _)| kept(*place)).map(|(_, item)| item);
        let mut functions: Vec<&FunctionName> = self.filter_functions.iter().collect();
        if let ast::SetExpr::Select(select) = &mut *rows.body {
            select.projection = items().map(|item| item.item.clone()).collect();
            functions.extend(items().flat_map(|item| &item.functions));
        }
        functions
    }
}

/// One column of a view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ViewColumn {
    /// Its exact name.
    pub name: String,
    /// Whether it is personal.
    pub pii: bool,
    /// Whether the subject sees a mask, in some rows at least.
    pub masked: bool,
    /// The mask's name, where there is one: `last4`, `null`, …
    pub mask: Option<&'static str>,
    /// `pg_type.oid` as the client sees it.
    pub type_oid: u32,
    /// `typname` of the (base) type.
    pub base_type: String,
    /// How a text is hashed that is compared with it (`predicates = "equality"`), where every row shows the hash.
    pub lookup: Option<Arc<ast::Expr>>,
    /// Its number in the contract, from 1.
    pub number: i16,
}

/// A product compiled against facts and policy.
#[derive(Debug)]
pub(in crate::govern) enum Compiled {
    /// It can be served.
    Ready(Template),
    /// It cannot be served now, and why.
    Unavailable(ClientError),
}

/// Everything of a product's views that does not depend on the subject.
#[derive(Debug)]
pub(in crate::govern) struct Template {
    pub(in crate::govern) relation_oid: u32,
    pub(in crate::govern) columns: Vec<ColumnTemplate>,
    pub(in crate::govern) filters: Vec<FilterTemplate>,
    /// The relation is a view through which predicates may be pushed.
    pub(in crate::govern) leaky_view: bool,
    /// The query may name `tableoid`, and does: a view that takes the relation's place has none, and fails.
    pub(in crate::govern) no_view: bool,
    /// The relation runs expressions of its own, or another server evaluates its conditions: their messages may quote what the
    /// contract does not name, and its columns need not be plain ones.
    pub(in crate::govern) computed: bool,
}

/// One column, raw and masked.
#[derive(Debug)]
pub(in crate::govern) struct ColumnTemplate {
    pub(in crate::govern) name: String,
    pub(in crate::govern) pii: bool,
    pub(in crate::govern) type_oid: u32,
    pub(in crate::govern) base_type: String,
    /// The mask's name and expression; `None`: there is nothing to hide.
    pub(in crate::govern) mask: Option<(&'static str, ast::Expr)>,
    /// How a text is hashed that is compared with the mask.
    pub(in crate::govern) lookup: Option<Arc<ast::Expr>>,
}

/// Views by product, granting roles, and the attributes that the filters read.
pub(in crate::govern) type ViewCache = DashMap<ViewKey, Arc<ProductView>>;

/// What a view depends on within one snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(in crate::govern) struct ViewKey {
    product: ProductId,
    roles: Vec<RoleName>,
    attributes: Vec<(String, crate::config::Attribute)>,
}

/// Views are few (products × sets of roles × attributes in filters); a flood of attributes must not fill the memory.
const MAX_VIEWS: usize = 10_000;

impl Snapshot {
    /// The derived query of the product for this subject, who must have been granted it.
    #[expect(clippy::result_large_err, reason = "a denial is rare, and every caller keeps it as it is")]
    pub fn view(&self, subject: &Subject, product: &Product) -> Result<Arc<ProductView>, Denial> {
        let unavailable =
            |error: ClientError| Denial { error, reason: "product_unavailable", products: vec![product.id.clone()] };
        let template = match self.compiled(&product.id) {
            Some(Compiled::Ready(template)) => template,
            Some(Compiled::Unavailable(error)) => return Err(unavailable(error.clone())),
            None => return Err(unavailable(no_facts(product))),
        };
        let roles = self.granting_roles(subject, product);
        let key = ViewKey {
            product: product.id.clone(),
            attributes: filters::attributes_read(&template.filters, &roles, &subject.attributes),
            roles,
        };
        if let Some(view) = self.views.get(&key) {
            return Ok(Arc::clone(&view));
        }
        let view = Arc::new(query::build(self, template, product, &key.roles, subject));
        if self.views.len() < MAX_VIEWS {
            self.views.insert(key, Arc::clone(&view));
        }
        Ok(view)
    }
}

impl Compiled {
    /// Compiles masks and filters; what is wrong goes into `findings`.
    pub(in crate::govern) fn new(product: &Product, parts: &SnapshotParts, findings: &mut Diagnostics) -> Self {
        check_roles(product, parts, findings);
        check_statements(product, findings);
        let facts = parts.facts.get(&product.warehouse, &product.relation);
        let filters = filters::compile(product, facts, parts, findings);
        let masks: Vec<_> = product
            .columns
            .iter()
            .map(|column| masks::compile(product, column, facts.and_then(|f| f.column(&column.name)), parts, findings))
            .collect();
        let Some(facts) = facts else { return Self::Unavailable(no_facts(product)) };
        let mut columns = Vec::new();
        for (column, mask) in product.columns.iter().zip(masks) {
            let Some(fact) = facts.column(&column.name) else {
                findings.push(
                    product
                        .finding_at_column(
                            &column.name,
                            format!("{} has no column \"{}\"", product.relation, column.name),
                        )
                        .with_hint("the product is withheld until the column exists or leaves the contract")
                        .warning(),
                );
                return Self::Unavailable(missing_column(product, &column.name));
            };
            if let Some(reason) = outside_of_path(fact, product, parts) {
                findings.push(product.finding_at_column(&column.name, reason));
            }
            columns.push(ColumnTemplate {
                name: column.name.clone(),
                pii: column.pii == Pii::Yes,
                type_oid: fact.type_oid,
                base_type: fact.base_type_name.clone(),
                lookup: mask.is_some().then(|| masks::lookup(column, fact)).flatten().map(Arc::new),
                mask,
            });
        }
        Self::Ready(Template {
            relation_oid: facts.oid,
            columns,
            filters,
            leaky_view: is_leaky(facts),
            no_view: facts.tableoid,
            computed: is_computed(facts),
        })
    }
}

fn is_leaky(facts: &RelationFacts) -> bool {
    match facts.kind {
        RelationKind::View => !facts.barrier,
        RelationKind::Table
        | RelationKind::PartitionedTable
        | RelationKind::MaterializedView
        | RelationKind::ForeignTable => false,
    }
}

fn is_computed(facts: &RelationFacts) -> bool {
    match facts.kind {
        RelationKind::View | RelationKind::ForeignTable => true,
        RelationKind::Table | RelationKind::PartitionedTable | RelationKind::MaterializedView => false,
    }
}

/// A role that policy does not know is an error.
fn check_roles(product: &Product, parts: &SnapshotParts, findings: &mut Diagnostics) {
    for filter in &product.row_filters {
        let (FilterScope::Roles(roles) | FilterScope::Except(roles)) = &filter.scope;
        for role in roles.iter().filter(|role| !parts.policy.roles.contains_key(role.as_str())) {
            findings.push(
                product
                    .finding_at(filter.span.clone(), format!("row filter names the unknown role \"{role}\""))
                    .with_hint("define it in policy.toml as [roles.NAME], or correct the name"),
            );
        }
    }
}

/// A check's own statement that could never run is an error. Whether it reaches too far is decided when it runs.
fn check_statements(product: &Product, findings: &mut Diagnostics) {
    for check in &product.checks {
        let CheckKind::CustomSql { sql } = &check.kind else { continue };
        let wrong = with_deep_stack(|| match parse(sql, &TextLimits::default()) {
            Err(error) => Some(format!("the check's sql cannot be read: {error}")),
            Ok(parsed) => match parsed.as_slice() {
                [one] if matches!(one.statement, Statement::Query(_)) => None,
                [_] => Some("the check's sql is no query".to_owned()),
                _ => Some("the check's sql has more than one statement".to_owned()),
            },
        });
        if let Some(wrong) = wrong {
            let hint = "write one SELECT over products of this domain whose first column is the number of violations";
            findings.push(product.finding_at(check.span.clone(), wrong).with_hint(hint));
        }
    }
}

/// Why the column's type cannot be used; `None`: it can.
fn outside_of_path(fact: &ColumnFacts, product: &Product, parts: &SnapshotParts) -> Option<String> {
    use super::facts::TypeKind;
    let schema = match fact.type_kind {
        TypeKind::Enum => return None,
        TypeKind::Domain => schema_of(&fact.base_sql_type)?,
        TypeKind::Base | TypeKind::Array | TypeKind::Range | TypeKind::Composite | TypeKind::Pseudo => {
            fact.type_schema.clone()
        }
    };
    let on_path = schema == "pg_catalog"
        || parts.warehouses.get(&product.warehouse).is_some_and(|rules| rules.extension_schemas.contains(&schema));
    // An array of enums falls under the rule too: the facts do not tell it from an array of an extension's type.
    (!on_path).then(|| {
        format!(
            "column \"{}\" is of type {}, which lies outside pg_catalog; list the schema \"{schema}\" in [warehouses.{}] \
             extension_schemas, or leave the column out of the contract",
            fact.name, fact.sql_type, product.warehouse
        )
    })
}

/// The schema in front of a type's name as `format_type` writes it; `None`: it lies in pg_catalog.
fn schema_of(sql_type: &str) -> Option<String> {
    let (schema, _) = sql_type.split_once('.')?;
    let schema = schema.trim_matches('"');
    (!schema.contains(['(', ' '])).then(|| schema.to_owned())
}

fn no_facts(product: &Product) -> ClientError {
    ClientError::new(
        ErrorKind::Unavailable,
        sqlstate::CANNOT_CONNECT_NOW,
        format!(
            "data product {} cannot be served: its relation in warehouse {} is not known, or no longer fits it",
            product.id, product.warehouse
        ),
    )
    .with_hint("pgveil reads it as soon as the warehouse can be reached and the relation exists; try again then.")
}

fn missing_column(product: &Product, column: &str) -> ClientError {
    ClientError::new(
        ErrorKind::Unavailable,
        sqlstate::CANNOT_CONNECT_NOW,
        format!("data product {} cannot be served: column \"{column}\" is missing in the warehouse", product.id),
    )
    .with_hint(format!("Tell its owner: {} ({}).", product.owner.team, product.owner.contact))
}

/// A mask's name, as FORMATS writes it.
pub(in crate::govern) fn mask_name(mask: &Mask) -> &'static str {
    match mask {
        Mask::Last4 => "last4",
        Mask::Redact => "redact",
        Mask::Email => "email",
        Mask::Hash => "hash",
        Mask::Null => "null",
        Mask::Year => "year",
        Mask::Month => "month",
        Mask::Bucket(_) => "bucket",
        Mask::Value(_) => "value",
        Mask::Sql(_) => "sql",
    }
}

#[cfg(test)]
mod tests;
