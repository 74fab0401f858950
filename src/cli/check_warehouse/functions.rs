//! The warehouse's own functions that `[functions] allow` names: what they are, and with whose rights they run.

use tokio_postgres::{Client, Error, Row};

use crate::names::WarehouseName;

use super::{Finding, Gravity};

/// The parameters run in parallel: schema, name.
const QUESTION: &str = "
SELECT w.schema_name || '.' || w.function_name, p.oid IS NULL,
       p.oid::regprocedure::text, p.provolatile::text, p.prosecdef, r.rolname::text, r.rolsuper, l.lanname::text,
       p.prokind::text, p.proleakproof, p.proparallel::text,
       has_schema_privilege(n.oid, 'USAGE') AND has_function_privilege(p.oid, 'EXECUTE')
FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS w(schema_name, function_name, place)
LEFT JOIN pg_namespace n ON n.nspname = w.schema_name
LEFT JOIN pg_proc p ON p.pronamespace = n.oid AND p.proname = w.function_name
LEFT JOIN pg_roles r ON r.oid = p.proowner
LEFT JOIN pg_language l ON l.oid = p.prolang
ORDER BY w.place, p.oid::regprocedure::text";

/// What is to be said of each function of each name.
pub(super) async fn check(
    warehouse: &WarehouseName,
    client: &Client,
    allowed: &[String],
) -> Result<Vec<Finding>, Error> {
    let names: Vec<(&str, &str)> = allowed.iter().filter_map(|name| name.split_once('.')).collect();
    let (schemas, functions): (Vec<&str>, Vec<&str>) = names.into_iter().unzip();
    let rows = client.query(QUESTION, &[&schemas, &functions]).await?;
    let mut findings = Vec::new();
    for row in rows {
        findings.extend(of_function(warehouse, &row)?);
    }
    Ok(findings)
}

fn of_function(warehouse: &WarehouseName, row: &Row) -> Result<Vec<Finding>, Error> {
    let found = |level, code, message: String| Finding::new(level, warehouse, code, message);
    let written: String = row.try_get(0)?;
    if row.try_get(1)? {
        let message = format!("there is no function {written}, which [functions] allow names");
        return Ok(vec![
            found(Gravity::Warning, "function_missing", message).hint("create it, or take it off the list"),
        ]);
    }
    let (signature, volatility): (String, String) = (row.try_get(2)?, row.try_get(3)?);
    let (definer, owner, superuser): (bool, String, bool) = (row.try_get(4)?, row.try_get(5)?, row.try_get(6)?);
    let (language, kind): (String, String) = (row.try_get(7)?, row.try_get(8)?);
    let (leak_proof, parallel): (bool, String) = (row.try_get(9)?, row.try_get(10)?);
    let volatility = match volatility.as_str() {
        "i" => "immutable",
        "s" => "stable",
        _ => "volatile",
    };
    let kind = match kind.as_str() {
        "a" => "an aggregate",
        "w" => "a window function",
        "p" => "a procedure",
        _ => "a function",
    };
    let parallel = match parallel.as_str() {
        "s" => "parallel safe",
        "r" => "parallel restricted",
        _ => "parallel unsafe",
    };
    let rights = if definer { format!("SECURITY DEFINER of \"{owner}\"") } else { "SECURITY INVOKER".to_owned() };
    let leak_proof = if leak_proof { "leak-proof" } else { "not leak-proof" };
    let described = format!("{signature} is {kind} in {language}: {volatility}, {rights}, {leak_proof}, {parallel}");
    let mut findings = Vec::new();
    if definer {
        let whose = if superuser { "a superuser's rights" } else { "its owner's rights" };
        findings.push(found(Gravity::Warning, "function_definer", described).hint(format!(
            "it runs with {whose} whoever calls it: let it read nothing but its arguments, or make it SECURITY INVOKER"
        )));
    } else if volatility == "volatile" {
        findings.push(
            found(Gravity::Warning, "function_volatile", described)
                .hint("it may do anything that the account may; mark it IMMUTABLE or STABLE if it only computes"),
        );
    } else {
        findings.push(
            found(Gravity::Info, "function", described)
                .hint("it runs with the account's rights; allow what reads nothing but its arguments"),
        );
    }
    if !row.try_get::<_, bool>(11)? {
        let message = format!("the account may not execute {signature}");
        findings.push(
            found(Gravity::Warning, "function_execute", message)
                .hint("grant USAGE on its schema and EXECUTE on it, or take it off the list"),
        );
    }
    Ok(findings)
}
