//! The service account: what it lacks, and where it is wider than the catalog.

use std::collections::BTreeSet;

use tokio_postgres::{Client, Error};

use crate::catalog::Catalog;
use crate::names::{RelationName, WarehouseName, quote_identifier};

use super::{Finding, Gravity};

/// How many names a finding lists.
const LISTED: usize = 10;

pub(super) struct Account<'a> {
    pub warehouse: &'a WarehouseName,
    pub client: &'a Client,
    pub extension_schemas: &'a [String],
}

/// Attributes of the role itself.
const ATTRIBUTES: &str = "
SELECT rolname::text, rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls
FROM pg_roles WHERE rolname = current_user";

/// Roles that it is a member of, at any depth.
const MEMBERSHIPS: &str = "
SELECT rolname::text FROM pg_roles
WHERE rolname <> current_user AND pg_has_role(current_user, oid, 'MEMBER') ORDER BY 1";

/// Relations outside the system schemas that it can reach. The columns: schema, name, may read, may write, owns.
const RELATIONS: &str = "
SELECT n.nspname::text, c.relname::text,
       has_schema_privilege(n.oid, 'USAGE') AND has_any_column_privilege(c.oid, 'SELECT'),
       has_table_privilege(c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER')
         OR has_any_column_privilege(c.oid, 'INSERT, UPDATE, REFERENCES'),
       pg_has_role(c.relowner, 'USAGE')
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname NOT IN ('pg_catalog', 'information_schema')
  AND n.nspname !~ '^pg_(toast|temp)'
ORDER BY 1, 2";

/// Schemas that it may create objects in, and the database.
const CREATE: &str = "
SELECT 'schema ' || quote_ident(nspname) FROM pg_namespace
WHERE has_schema_privilege(oid, 'CREATE') AND nspname !~ '^pg_temp'
UNION ALL
SELECT 'database ' || quote_ident(current_database()) WHERE has_database_privilege(current_database(), 'CREATE')
ORDER BY 1";

/// Who but its owner may create objects in a schema.
const WRITERS: &str = "
SELECT n.nspname::text, string_agg(COALESCE(quote_ident(r.rolname), 'PUBLIC'), ', ')
FROM pg_namespace n CROSS JOIN LATERAL aclexplode(n.nspacl) a LEFT JOIN pg_roles r ON r.oid = a.grantee
WHERE n.nspname = ANY ($1) AND a.privilege_type = 'CREATE' AND a.grantee <> n.nspowner
GROUP BY 1 ORDER BY 1";

/// What it lacks on the columns of contracts. The parameters run in parallel: schema, relation, column.
const LACKING: &str = "
SELECT n.nspname::text, c.relname::text, has_schema_privilege(n.oid, 'USAGE'),
       bool_and(has_column_privilege(c.oid, a.attnum, 'SELECT'))
FROM unnest($1::text[], $2::text[], $3::text[]) AS w(schema_name, relation_name, column_name)
JOIN pg_namespace n ON n.nspname = w.schema_name
JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = w.relation_name AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = w.column_name AND a.attnum > 0 AND NOT a.attisdropped
GROUP BY n.oid, n.nspname, c.oid, c.relname ORDER BY 1, 2";

impl Account<'_> {
    /// Findings, and the GRANTs that it lacks.
    pub async fn check(&self, catalog: &Catalog) -> Result<(Vec<Finding>, Vec<String>), Error> {
        let mut findings = Vec::new();
        let attributes = self.client.query_one(ATTRIBUTES, &[]).await?;
        let account: String = attributes.try_get(0)?;
        let superuser: bool = attributes.try_get(1)?;
        if superuser {
            findings.push(
                self.found(Gravity::Error, "account_superuser", format!("the account \"{account}\" is a superuser"))
                    .hint(format!(
                        "create an account of its own: CREATE ROLE pgveil LOGIN PASSWORD '…', and what \
                         `pgveil check --warehouse --grants` prints; not \"{account}\""
                    )),
            );
        } else {
            self.attributes(&account, &attributes, &mut findings)?;
            self.memberships(&account, &mut findings).await?;
            self.reach(&account, catalog, &mut findings).await?;
            self.creation(&account, &mut findings).await?;
        }
        self.extensions(&mut findings).await?;
        let grants = self.lacking(&account, catalog, &mut findings).await?;
        Ok((findings, grants))
    }

    fn found(&self, level: Gravity, code: &'static str, message: String) -> Finding {
        Finding::new(level, self.warehouse, code, message)
    }

    fn attributes(&self, account: &str, row: &tokio_postgres::Row, findings: &mut Vec<Finding>) -> Result<(), Error> {
        for (column, attribute) in [(2, "CREATEROLE"), (3, "CREATEDB"), (4, "REPLICATION"), (5, "BYPASSRLS")] {
            if row.try_get(column)? {
                let finding = self.found(
                    Gravity::Error,
                    "account_attribute",
                    format!("the account \"{account}\" has the attribute {attribute}"),
                );
                findings.push(finding.hint(format!("ALTER ROLE {} NO{attribute}", quote_identifier(account))));
            }
        }
        Ok(())
    }

    async fn memberships(&self, account: &str, findings: &mut Vec<Finding>) -> Result<(), Error> {
        for row in self.client.query(MEMBERSHIPS, &[]).await? {
            let role: String = row.try_get(0)?;
            let predefined = role.starts_with("pg_");
            let level = if predefined { Gravity::Error } else { Gravity::Warning };
            let finding =
                self.found(level, "account_member", format!("the account \"{account}\" is a member of \"{role}\""));
            findings.push(finding.hint(format!(
                "grant what it needs directly: REVOKE {} FROM {}",
                quote_identifier(&role),
                quote_identifier(account)
            )));
        }
        Ok(())
    }

    async fn reach(&self, account: &str, catalog: &Catalog, findings: &mut Vec<Finding>) -> Result<(), Error> {
        let published: BTreeSet<&RelationName> =
            catalog.iter().filter(|p| p.warehouse == *self.warehouse).map(|p| &p.relation).collect();
        let (mut readable, mut writable, mut owned) = (Vec::new(), Vec::new(), Vec::new());
        for row in self.client.query(RELATIONS, &[]).await? {
            let relation = RelationName { schema: row.try_get(0)?, name: row.try_get(1)? };
            let (reads, writes, owns): (bool, bool, bool) = (row.try_get(2)?, row.try_get(3)?, row.try_get(4)?);
            if owns {
                owned.push(relation.clone());
            } else if writes {
                writable.push(relation.clone());
            }
            if reads && !published.contains(&relation) {
                readable.push(relation);
            }
        }
        let from = quote_identifier(account);
        for (level, code, what, relations, hint) in [
            (Gravity::Error, "account_owns", "owns", owned, "ALTER TABLE … OWNER TO the team's own role".to_owned()),
            (
                Gravity::Error,
                "account_writes",
                "may write",
                writable,
                format!("REVOKE INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER ON … FROM {from} (or PUBLIC)"),
            ),
            (
                Gravity::Warning,
                "account_reads",
                "may read, without a product that publishes them,",
                readable,
                format!("REVOKE SELECT ON … FROM {from} (or PUBLIC)"),
            ),
        ] {
            if !relations.is_empty() {
                let message = format!("the account \"{account}\" {what} {}", listed(&relations));
                findings.push(self.found(level, code, message).hint(hint));
            }
        }
        Ok(())
    }

    async fn creation(&self, account: &str, findings: &mut Vec<Finding>) -> Result<(), Error> {
        for row in self.client.query(CREATE, &[]).await? {
            let place: String = row.try_get(0)?;
            let message = format!("the account \"{account}\" may create objects in {place}");
            findings.push(
                self.found(Gravity::Error, "account_creates", message)
                    .hint(format!("REVOKE CREATE ON {place} FROM {} (or PUBLIC)", quote_identifier(account))),
            );
        }
        Ok(())
    }

    /// Names are looked up there: whoever may create objects in such a schema can put a function under pgveil's statements.
    async fn extensions(&self, findings: &mut Vec<Finding>) -> Result<(), Error> {
        let schemas: Vec<&str> = self.extension_schemas.iter().map(String::as_str).collect();
        for row in self.client.query(WRITERS, &[&schemas]).await? {
            let (schema, writers): (String, String) = (row.try_get(0)?, row.try_get(1)?);
            let message =
                format!("in the extension schema \"{schema}\" not only its owner may create objects: {writers}");
            findings.push(
                self.found(Gravity::Error, "extension_schema", message)
                    .hint(format!("REVOKE CREATE ON SCHEMA {} FROM {writers}", quote_identifier(&schema))),
            );
        }
        Ok(())
    }

    async fn lacking(
        &self,
        account: &str,
        catalog: &Catalog,
        findings: &mut Vec<Finding>,
    ) -> Result<Vec<String>, Error> {
        let products: Vec<_> = catalog.iter().filter(|p| p.warehouse == *self.warehouse).collect();
        let wanted: Vec<(&str, &str, &str)> = products
            .iter()
            .flat_map(|product| {
                let relation = &product.relation;
                product.columns.iter().map(move |c| (relation.schema.as_str(), relation.name.as_str(), c.name.as_str()))
            })
            .collect();
        let schemas: Vec<&str> = wanted.iter().map(|w| w.0).collect();
        let names: Vec<&str> = wanted.iter().map(|w| w.1).collect();
        let columns: Vec<&str> = wanted.iter().map(|w| w.2).collect();
        let to = quote_identifier(account);
        let mut grants = BTreeSet::new();
        for row in self.client.query(LACKING, &[&schemas, &names, &columns]).await? {
            let relation = RelationName { schema: row.try_get(0)?, name: row.try_get(1)? };
            let (usage, select): (bool, bool) = (row.try_get(2)?, row.try_get(3)?);
            let mut lacks = Vec::new();
            if !usage {
                // The number puts schemas before relations in what is printed.
                lacks.push((0, format!("GRANT USAGE ON SCHEMA {} TO {to};", quote_identifier(&relation.schema))));
            }
            if !select {
                lacks.push((1, format!("GRANT SELECT ON {} TO {to};", relation.to_sql())));
            }
            if lacks.is_empty() {
                continue;
            }
            let what = if select { "use its schema" } else { "read it" };
            let mut finding = self.found(
                Gravity::Error,
                "grant_missing",
                format!("the account \"{account}\" may not read {relation}: it cannot {what}"),
            );
            if let Some(product) = products.iter().find(|product| product.relation == relation) {
                finding.product = Some(product.id.clone());
                finding.file = Some(product.file.clone());
            }
            let statements: Vec<&str> = lacks.iter().map(|(_, statement)| statement.as_str()).collect();
            findings.push(finding.hint(statements.join(" ")));
            grants.extend(lacks);
        }
        Ok(grants.into_iter().map(|(_, statement)| statement).collect())
    }
}

fn listed(relations: &[RelationName]) -> String {
    let mut names: Vec<String> = relations.iter().take(LISTED).map(ToString::to_string).collect();
    if relations.len() > LISTED {
        names.push(format!("and {} more", relations.len() - LISTED));
    }
    names.join(", ")
}
