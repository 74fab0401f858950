//! A draft product from a real table.

use std::fmt::Write;

use tokio_postgres::Client;

use super::files::quote;
use crate::names::{ProductId, quote_identifier};

/// The relation that the draft is made of: a table before a view, `public` before other schemas, then by name.
pub(super) const FIRST_RELATION: &str = "
    SELECT c.oid, n.nspname::text, c.relname::text, pg_catalog.obj_description(c.oid, 'pg_class')
      FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind IN ('r', 'p', 'v', 'm') AND NOT c.relispartition
       AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
       AND pg_catalog.has_schema_privilege(n.oid, 'USAGE') AND pg_catalog.has_table_privilege(c.oid, 'SELECT')
     ORDER BY c.relkind IN ('v', 'm'), n.nspname <> 'public', n.nspname, c.relname
     LIMIT 1";

const COLUMNS: &str = "
    SELECT a.attname::text, coalesce(b.typname, t.typname)::text, coalesce(b.typtype, t.typtype)::text,
           coalesce(b.typcategory, t.typcategory)::text, a.attnotnull OR t.typnotnull,
           pg_catalog.col_description(a.attrelid, a.attnum)
      FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
      LEFT JOIN pg_catalog.pg_type b ON t.typtype = 'd' AND b.oid = t.typbasetype
     WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped
     ORDER BY a.attnum";

/// A relation of the warehouse.
pub(super) struct Table {
    pub(super) id: ProductId,
    pub(super) schema: String,
    pub(super) name: String,
    pub(super) comment: Option<String>,
    pub(super) columns: Vec<Column>,
}

/// One of its columns; a domain shows its base type.
pub(super) struct Column {
    pub(super) name: String,
    pub(super) type_name: String,
    pub(super) type_kind: String,
    pub(super) category: String,
    pub(super) not_null: bool,
    pub(super) comment: Option<String>,
}

/// Reads a relation's columns.
pub(super) async fn columns(client: &Client, oid: u32) -> Result<Vec<Column>, tokio_postgres::Error> {
    let rows = client.query(COLUMNS, &[&oid]).await?;
    rows.iter()
        .map(|row| {
            Ok(Column {
                name: row.try_get(0)?,
                type_name: row.try_get(1)?,
                type_kind: row.try_get(2)?,
                category: row.try_get(3)?,
                not_null: row.try_get(4)?,
                comment: row.try_get(5)?,
            })
        })
        .collect()
}

/// `main.NAME`, with what an id cannot hold replaced.
pub(super) fn product_id(relation: &str) -> Option<ProductId> {
    let plain = |c: char| if c.is_ascii_lowercase() || c.is_ascii_digit() { c } else { '_' };
    // Short enough for the flat name, `main_NAME`, within Postgres' 63 bytes.
    let name: String = relation.to_ascii_lowercase().chars().map(plain).take(50).collect();
    let name = name.trim_start_matches(|c: char| !c.is_ascii_lowercase());
    ProductId::parse(&format!("main.{}", if name.is_empty() { "first_product" } else { name }))
}

impl Table {
    /// As a product file names it.
    pub(super) fn relation(&self) -> String {
        let part = |name: &str| {
            let plain = name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
                && name.bytes().next().is_some_and(|b| !b.is_ascii_digit());
            if plain { name.to_owned() } else { quote_identifier(name) }
        };
        format!("{}.{}", part(&self.schema), part(&self.name))
    }
}

impl Column {
    /// The contract's type, when there is one.
    fn contract_type(&self) -> Option<&'static str> {
        if self.type_kind == "e" {
            return Some("string");
        }
        if self.category == "A" {
            return Some("array");
        }
        Some(match self.type_name.as_str() {
            "text" | "varchar" | "bpchar" | "citext" => "string",
            "int2" | "int4" | "int8" => "integer",
            "float4" | "float8" => "float",
            "numeric" => "decimal",
            "bool" => "boolean",
            "timestamp" | "timestamptz" => "timestamp",
            "date" => "date",
            "time" | "timetz" => "time",
            "json" | "jsonb" => "json",
            "uuid" => "uuid",
            "bytea" => "bytes",
            "interval" => "interval",
            _ => return None,
        })
    }
    /// Whether the name sounds personal. A wrong guess costs one word in the file; a missed one costs more.
    fn sounds_personal(&self) -> bool {
        let name = self.name.to_ascii_lowercase();
        [
            "email",
            "mail",
            "phone",
            "mobile",
            "first_name",
            "last_name",
            "full_name",
            "surname",
            "birth",
            "address",
            "street",
            "postcode",
            "zip",
            "ip_addr",
            "ssn",
            "passport",
            "iban",
            "card",
            "tax_id",
            "user_name",
            "username",
            "customer_name",
            "firstname",
            "lastname",
        ]
        .iter()
        .any(|word| name.contains(word))
    }
}

/// The product file.
pub(super) fn product(table: &Table) -> String {
    let id = &table.id;
    let description = table.comment.as_deref().filter(|c| !c.trim().is_empty()).unwrap_or("What does it hold?");
    let mut text = format!(
        "# A draft: only roles whose `drafts` cover it may query it. Describe it, mark what is personal, name its owner,\n\
         # then write status = \"published\". Every key stands in docs/catalog.md.\n\
         id = \"{id}\"\n\
         domain = \"{}\"\n\
         name = {}\n\
         description = {}\n\
         version = 1\n\
         status = \"draft\"\n\
         relation = {}\n\
         \n\
         [owner]\n\
         team = \"Data\"\n\
         contact = \"data@example.com\"         # denials tell people to ask here\n",
        id.domain(),
        quote(&table.name),
        quote(description),
        quote(&table.relation()),
    );
    for column in &table.columns {
        entry(column, &mut text);
    }
    text
}

fn entry(column: &Column, text: &mut String) {
    let Some(contract_type) = column.contract_type() else {
        let comment = format!("{} has the type {}, for which there is no contract type", column.name, column.type_name);
        let _ = write!(text, "\n# {}\n", comment.replace(char::is_control, " "));
        return;
    };
    let _ = write!(text, "\n[[schema]]\ncolumn = {}\ntype = \"{contract_type}\"\n", quote(&column.name));
    if let Some(comment) = column.comment.as_deref().filter(|c| !c.trim().is_empty()) {
        let _ = writeln!(text, "description = {}", quote(comment));
    }
    if column.sounds_personal() {
        text.push_str("pii = true                             # by its name; masked for every role without `unmask`\n");
    }
    if column.not_null {
        text.push_str("nullable = false\n");
    }
}
