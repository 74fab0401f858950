//! What holds of every decision about a generated statement, without asking a warehouse: it is always the same, what is sent
//! prints as itself, and with a grant less nothing more is seen.

use pgveil::config::Policy;
use pgveil::document::Unset;
use pgveil::govern::access::Access;
use pgveil::govern::decide::{DecideInput, Decision, SearchPath, SessionValues, decide};
use pgveil::govern::permit::Permit;
use pgveil::govern::snapshot::{Snapshot, SnapshotParts, WarehouseRules};
use pgveil::names::WarehouseName;
use pgveil::sql::{TextLimits, parse, prove, render};

use super::stage::{Stage, USERS};

/// The policy as it is, and with a grant less.
pub struct Engine {
    whole: Snapshot,
    less: Vec<(String, Snapshot)>,
}

struct Session;

impl SessionValues for Session {
    fn setting(&self, _: &str) -> Option<String> {
        None
    }
    fn backend_pid(&self) -> i32 {
        1
    }
}

fn warehouse() -> WarehouseName {
    WarehouseName::new("warehouse")
}

impl Engine {
    /// Over the files and the facts of the stage's first pgveil.
    pub fn new(stage: &Stage) -> Self {
        let (sources, _) = pgveil::sources::load(&stage.veils[0].files.config(), Unset::Error).unwrap();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let asked = pgveil::upstream::facts::read_all(&sources.server.warehouses, &sources.catalog);
        let (facts, failures) = runtime.block_on(asked);
        assert!(failures.is_empty(), "{failures:?}");
        let build = |policy: Policy| {
            let parts = SnapshotParts {
                generation: 1,
                catalog: sources.catalog.clone(),
                policy,
                facts: facts.clone(),
                warehouses: [(warehouse(), WarehouseRules::default())].into(),
                has_hash_key: true,
                quarantine: false,
                breaches: Default::default(),
            };
            Snapshot::build(parts).unwrap_or_else(|e| panic!("{e}")).0
        };
        let whole = build(sources.policy.clone());
        let mut less = Vec::new();
        for (name, role) in &sources.policy.roles {
            for (what, grants) in [("products", role.products.len()), ("unmask", role.unmask.len())] {
                for at in 0..grants {
                    let mut policy = sources.policy.clone();
                    let role = policy.roles.get_mut(name).unwrap();
                    if what == "products" {
                        role.products.remove(at);
                    } else {
                        role.unmask.remove(at);
                    }
                    less.push((format!("{name} without {what} {at}"), build(policy)));
                }
            }
        }
        for (name, user) in &sources.policy.users {
            for at in 0..user.roles.len() {
                let mut policy = sources.policy.clone();
                policy.users.get_mut(name).unwrap().roles.remove(at);
                less.push((format!("{name} without role {at}"), build(policy)));
            }
        }
        Self { whole, less }
    }

    /// What is wrong with the decision, if something is.
    pub fn check(&self, user: usize, sql: &str, pick: u64) -> Result<(), String> {
        let user = USERS[user].0;
        let decision = decided(&self.whole, user, sql);
        if format!("{decision:?}") != format!("{:?}", decided(&self.whole, user, sql)) {
            return Err("the decision is another one the second time".to_owned());
        }
        if let Some(permit) = decision.as_ref().and_then(Decision::permit) {
            fixed_point(permit)?;
        }
        let (what, less) = &self.less[usize::try_from(pick % self.less.len() as u64).unwrap()];
        match decided(less, user, sql).as_ref().and_then(Decision::permit) {
            Some(permit) => self.no_wider(less, user, permit).map_err(|e| format!("{what}: {e}")),
            None => Ok(()),
        }
    }

    /// What a permit of the narrower policy shows, the whole one shows too.
    fn no_wider(&self, less: &Snapshot, user: &str, permit: &Permit) -> Result<(), String> {
        let (whole, less_so) = (self.whole.subject(user, None).unwrap(), less.subject(user, None).unwrap());
        for used in &permit.products {
            let product = self.whole.parts.catalog.get(&used.id).unwrap();
            let today = jiff::civil::date(2026, 3, 1);
            if !matches!(self.whole.access(&whole, product, today), Access::Granted(_)) {
                return Err(format!("{} is not granted by the whole policy", used.id));
            }
            let (more, fewer) = (self.whole.view(&whole, product).unwrap(), less.view(&less_so, product).unwrap());
            for (column, narrow) in more.columns.iter().zip(&fewer.columns) {
                // Less roles may show fewer rows, and those raw.
                if column.name != narrow.name || column.masked && !narrow.masked && !fewer.filtered {
                    return Err(format!("{}.{} is raw", used.id, narrow.name));
                }
            }
            if more.filtered && !fewer.filtered {
                return Err(format!("{} is not filtered", used.id));
            }
        }
        Ok(())
    }
}

fn decided(snapshot: &Snapshot, user: &str, sql: &str) -> Option<Decision> {
    let statements = parse(sql, &TextLimits::default()).ok()?;
    let [parsed] = statements.as_slice() else { return None };
    let subject = snapshot.subject(user, None)?;
    Some(decide(&DecideInput {
        snapshot,
        warehouse: &warehouse(),
        subject: &subject,
        search_path: &SearchPath::Domains,
        session: &Session,
        parsed,
        param_types: &[],
        today: jiff::civil::date(2026, 3, 1),
    }))
}

/// What goes upstream parses as one statement that prints as itself.
fn fixed_point(permit: &Permit) -> Result<(), String> {
    let again = parse(&permit.sql, &TextLimits::default()).map_err(|e| format!("{e}: {}", permit.sql))?;
    let [one] = again.as_slice() else { return Err(format!("not one statement: {}", permit.sql)) };
    prove(&one.statement, &permit.sql).map_err(|e| format!("{e}: {}", permit.sql))?;
    if render(&one.statement) == *permit.sql { Ok(()) } else { Err(format!("no fixed point: {}", permit.sql)) }
}
