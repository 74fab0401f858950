//! `custom_sql` through the policy engine: the subject is the product's own domain, which sees its own products whole and
//! nothing else.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::civil::Date;

use crate::catalog::{Catalog, Product};
use crate::config::{Policy, Role, RoleLimits, User};
use crate::govern::decide::{DecideInput, Decision, Plan, SearchPath, SessionValues, decide};
use crate::govern::permit::{Permit, PermitKind};
use crate::govern::snapshot::{Snapshot, SnapshotParts};
use crate::names::{ColumnPattern, DomainName, ProductPattern, RoleName, UserName};
use crate::sql::{TextLimits, parse, with_deep_stack};

/// The name of both the subject and its role. Nobody can log in by it: the snapshots below serve no client.
const SUBJECT: &str = "pgveil contract checks";

/// One snapshot for each domain that has been asked for, made of the parts of the one that serves.
#[derive(Debug)]
pub struct Domains {
    parts: SnapshotParts,
    made: Mutex<BTreeMap<DomainName, Arc<Snapshot>>>,
}

impl Domains {
    /// For the checks of this catalog, with these facts.
    pub fn new(parts: SnapshotParts) -> Self {
        Self { parts, made: Mutex::default() }
    }

    /// What may be sent for a product's own statement, or why nothing may.
    pub(super) fn permit(&self, product: &Product, sql: &str, today: Date) -> Result<Arc<Permit>, String> {
        let snapshot = self.snapshot(product.id.domain())?;
        with_deep_stack(|| decided(&snapshot, product, sql, today))
    }

    fn snapshot(&self, domain: &DomainName) -> Result<Arc<Snapshot>, String> {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(snapshot) = made.get(domain) {
            return Ok(Arc::clone(snapshot));
        }
        let parts = parts_of(&self.parts, domain);
        let (snapshot, _) = Snapshot::build(parts)
            .map_err(|_| format!("the products of the domain \"{domain}\" do not fit the warehouse as it is"))?;
        let snapshot = Arc::new(snapshot);
        made.insert(domain.clone(), Arc::clone(&snapshot));
        Ok(snapshot)
    }
}

fn decided(snapshot: &Snapshot, product: &Product, sql: &str, today: Date) -> Result<Arc<Permit>, String> {
    let parsed = parse(sql, &TextLimits::default()).map_err(|error| format!("its sql cannot be read: {error}"))?;
    let [parsed] = parsed.as_slice() else { return Err("its sql has more than one statement".to_owned()) };
    let subject = snapshot.subject(SUBJECT, None).ok_or("the domain has no subject")?;
    let input = DecideInput {
        snapshot,
        warehouse: &product.warehouse,
        subject: &subject,
        search_path: &SearchPath::Domains,
        session: &Nothing,
        parsed,
        param_types: &[],
        today,
    };
    match decide(&input) {
        Decision::Allow(Plan::Upstream(permit)) if permit.kind == PermitKind::Query => Ok(permit),
        Decision::Allow(_) => Err("its sql is no query".to_owned()),
        Decision::Deny(denial) => Err(match denial.error.hint {
            Some(hint) => format!("its sql is denied: {} ({hint})", denial.error.message),
            None => format!("its sql is denied: {}", denial.error.message),
        }),
    }
}

/// The domain's own products, without row filters (a check looks at every row), and one role that sees them unmasked.
fn parts_of(parts: &SnapshotParts, domain: &DomainName) -> SnapshotParts {
    let own = parts.catalog.iter().filter(|product| product.id.domain() == domain);
    let unfiltered = own.map(|product| Arc::new(Product { row_filters: Vec::new(), ..Product::clone(product) }));
    let pattern = format!("{domain}.*");
    let role = Role {
        products: ProductPattern::parse(&pattern).into_iter().collect(),
        unmask: ColumnPattern::parse(&pattern).into_iter().collect(),
        discover: Vec::new(),
        drafts: ProductPattern::parse(&pattern).into_iter().collect(),
        copy_out: false,
        explain: false,
        // Only the first row is looked at; who writes `SELECT *` must not fill the memory.
        limits: RoleLimits { max_rows: Some(1), ..RoleLimits::default() },
    };
    let user = User {
        password: None,
        certificate: None,
        roles: vec![RoleName::new(SUBJECT)],
        attributes: BTreeMap::new(),
        on_behalf_of: Vec::new(),
        limits: RoleLimits::default(),
    };
    SnapshotParts {
        catalog: Catalog::new(unfiltered.collect::<Vec<_>>()),
        policy: Policy {
            functions: parts.policy.functions.clone(),
            roles: [(RoleName::new(SUBJECT), role)].into(),
            users: [(UserName::new(SUBJECT), user)].into(),
            ..Policy::default()
        },
        // One product that does not fit its relation is no reason why the others cannot be checked.
        quarantine: true,
        ..parts.clone()
    }
}

/// A check belongs to no session.
struct Nothing;

impl SessionValues for Nothing {
    fn setting(&self, _: &str) -> Option<String> {
        None
    }
    fn backend_pid(&self) -> i32 {
        0
    }
}
