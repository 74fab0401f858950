//! The comparisons that pgveil takes for leak-proof against `pg_proc.proleakproof` of the warehouse at hand.

use tokio_postgres::{Client, Error};

use crate::govern::fence::leak_proof;
use crate::names::WarehouseName;

use super::{Finding, Gravity};

const QUESTION: &str = "
SELECT format('%s(%s, %s)', e.operator, e.lefttype, e.righttype)
FROM unnest($1::text[], $2::text[], $3::text[]) WITH ORDINALITY AS e(operator, lefttype, righttype, place)
LEFT JOIN pg_operator o ON o.oprnamespace = 'pg_catalog'::regnamespace AND o.oprname = e.operator
  AND o.oprleft = (SELECT t.oid FROM pg_type t WHERE t.typname = e.lefttype AND t.typnamespace = o.oprnamespace)
  AND o.oprright = (SELECT t.oid FROM pg_type t WHERE t.typname = e.righttype AND t.typnamespace = o.oprnamespace)
LEFT JOIN pg_proc p ON p.oid = o.oprcode
WHERE p.proleakproof IS NOT TRUE ORDER BY e.place";

/// Finds those that are not leak-proof here.
pub(super) async fn check(warehouse: &WarehouseName, client: &Client) -> Result<Option<Finding>, Error> {
    let mut columns = (Vec::new(), Vec::new(), Vec::new());
    for (operator, left, right) in leak_proof() {
        columns.0.push(operator);
        columns.1.push(left);
        columns.2.push(right);
    }
    let rows = client.query(QUESTION, &[&columns.0, &columns.1, &columns.2]).await?;
    let found: Vec<String> = rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
    if found.is_empty() {
        return Ok(None);
    }
    let message = format!("comparisons that pgveil takes for leak-proof are not marked so here: {}", found.join(", "));
    let finding = Finding::new(Gravity::Warning, warehouse, "leak_proof", message);
    Ok(Some(finding.hint(
        "conditions with them are evaluated beside row filters; find out who changed the functions, and mark them \
         LEAKPROOF again if they are PostgreSQL's own",
    )))
}
