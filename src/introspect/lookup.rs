//! What functions over names and OIDs look up: one jsonb object each, cut down to the keys that can be asked for.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::names::{quote_identifier, quote_literal};

use super::domain::Domain;
use super::oids::{ARRAY_TYPE, ROW_TYPE};
use super::overlay::Overlays;
use super::visible::{ShownProduct, Visible, quoted};

/// Which schemas a name without one is looked for in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Path {
    /// Names of schemas, the first first; `None`: every domain, where only one relation has the name.
    pub schemas: Option<Vec<String>>,
}

impl Path {
    /// The relation of a name as a client writes it, in parts that are exact.
    pub fn relation(&self, visible: &Visible, overlays: &Overlays, schema: Option<&str>, name: &str) -> Option<u32> {
        let system = |schema: &str| overlays.get(schema, name).map(|overlay| overlay.oid).filter(|oid| *oid != 0);
        let of_product = |product: &ShownProduct| {
            let key = product.keys().into_iter().find(|key| key.name == name).map(|key| key.index);
            if product.name == name { Some(product.oid) } else { key }
        };
        match schema {
            None => {
                let product = || self.product(visible, name).map(|product| product.oid);
                system("pg_catalog").or_else(product)
            }
            Some(schema) => system(schema)
                .or_else(|| visible.products.iter().filter(|product| product.schema == schema).find_map(of_product)),
        }
    }
    /// The product that a name without a schema means.
    pub fn product<'v>(&self, visible: &'v Visible, name: &str) -> Option<&'v ShownProduct> {
        let mut named = visible.products.iter().filter(|product| product.name == name);
        match &self.schemas {
            None => match (named.next(), named.next()) {
                (Some(one), None) => Some(one),
                _ => None,
            },
            Some(path) => path.iter().find_map(|schema| named.clone().find(|product| product.schema == *schema)),
        }
    }
    fn finds(&self, visible: &Visible, product: &ShownProduct) -> bool {
        self.product(visible, &product.name).is_some_and(|found| found.oid == product.oid)
    }
}

/// A value of an object.
enum Value {
    Text(String),
    Truth(bool),
    Texts(BTreeMap<String, String>),
}

/// A lookup as a literal; `None`: there is no such lookup.
pub(super) fn literal(
    name: &str,
    visible: &Visible,
    overlays: &Overlays,
    path: &Path,
    keys: &Domain,
) -> Option<String> {
    let object = object(name, visible, overlays, path)?;
    let mut json = String::from("{");
    for (key, value) in object.into_iter().filter(|(key, _)| keys.has(key)) {
        if json.len() > 1 {
            json.push_str(", ");
        }
        text(&key, &mut json);
        json.push_str(": ");
        match value {
            Value::Text(value) => text(&value, &mut json),
            Value::Truth(value) => json.push_str(if value { "true" } else { "false" }),
            Value::Texts(values) => {
                json.push('{');
                for (at, (key, value)) in values.into_iter().enumerate() {
                    if at > 0 {
                        json.push_str(", ");
                    }
                    text(&key, &mut json);
                    json.push_str(": ");
                    text(&value, &mut json);
                }
                json.push('}');
            }
        }
    }
    json.push('}');
    Some(format!("CAST({} AS pg_catalog.jsonb)", quote_literal(&json)))
}

/// A JSON string.
fn text(value: &str, out: &mut String) {
    out.push('"');
    for c in value.chars() {
        match c {
            '"' | '\\' => {
                out.push('\\');
                out.push(c);
            }
            c if c < ' ' => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

fn object(name: &str, visible: &Visible, overlays: &Overlays, path: &Path) -> Option<BTreeMap<String, Value>> {
    let products = || visible.products.iter();
    let keys = || products().flat_map(ShownProduct::keys);
    let schemas = || visible.schemas.iter();
    let of_text = |key: u32, value: String| (key.to_string(), Value::Text(value));
    Some(match name {
        "relation_names" => products()
            .flat_map(|product| {
                let found = path.finds(visible, product);
                let written = move |name: &str| match found {
                    true => quoted(name),
                    false => format!("{}.{}", quoted(&product.schema), quoted(name)),
                };
                let own = of_text(product.oid, written(&product.name));
                let indexes = product.keys().into_iter().map(|key| of_text(key.index, written(&key.name)));
                std::iter::once(own).chain(indexes.collect::<Vec<_>>())
            })
            .collect(),
        "relations" => relations(visible, overlays, path),
        "schema_names" => schemas().map(|schema| of_text(schema.oid, quoted(&schema.name))).collect(),
        "schemas" => {
            let own = schemas().map(|schema| (schema.oid, schema.name.as_str()));
            let of_warehouse = overlays.iter().filter(|overlay| overlay.schema_oid != 0);
            let all = own.chain(of_warehouse.map(|overlay| (overlay.schema_oid, overlay.schema)));
            all.flat_map(|(oid, name)| [of_text(oid, oid.to_string()), (quoted(name), Value::Text(oid.to_string()))])
                .collect()
        }
        "types" => visible
            .types
            .iter()
            .map(|(oid, name)| of_text(*oid, quoted(name)))
            .chain(products().flat_map(|product| {
                let own = if path.finds(visible, product) { quoted(&product.name) } else { product.written() };
                [of_text(product.oid + ARRAY_TYPE, format!("{own}[]")), of_text(product.oid + ROW_TYPE, own)]
            }))
            .collect(),
        "session" => {
            let session = &visible.session;
            [
                ("usename", session.user.clone()),
                ("useroid", session.user_oid.to_string()),
                ("datname", session.database.clone()),
                ("datoid", session.database_oid.to_string()),
            ]
            .map(|(key, value)| (key.to_owned(), Value::Text(value)))
            .into()
        }
        "type_oids" => {
            let of_columns = visible.types.iter().flat_map(|(oid, name)| {
                let bare = quoted(name);
                [format!("public.{bare}"), bare].map(|name| (name, Value::Text(oid.to_string())))
            });
            let rows = products().map(|product| (product.written(), Value::Text((product.oid + ROW_TYPE).to_string())));
            rows.chain(of_columns).collect()
        }
        "index_definitions" => keys().map(|key| of_text(key.index, key.index_definition())).collect(),
        "constraint_definitions" => keys().map(|key| of_text(key.constraint, key.definition())).collect(),
        "index_columns" => keys()
            .map(|key| {
                let columns = key.columns().zip(1..).map(|(column, n)| (i32::to_string(&n), quoted(&column.name)));
                (key.index.to_string(), Value::Texts(columns.collect()))
            })
            .collect(),
        "product_descriptions" => products().map(|product| of_text(product.oid, product.description.clone())).collect(),
        "schema_descriptions" => schemas().map(|schema| of_text(schema.oid, schema.description.clone())).collect(),
        "column_descriptions" => products()
            .map(|product| {
                let columns = product.columns.iter().zip(1..).filter(|(column, _)| !column.description.is_empty());
                let columns = columns.map(|(column, n)| (i32::to_string(&n), column.description.clone()));
                (product.oid.to_string(), Value::Texts(columns.collect()))
            })
            .collect(),
        "visible_relations" => products()
            .flat_map(|product| {
                let found = path.finds(visible, product);
                let oids = std::iter::once(product.oid).chain(product.keys().into_iter().map(|key| key.index));
                oids.map(move |oid| (oid.to_string(), Value::Truth(found))).collect::<Vec<_>>()
            })
            .collect(),
        "visible_types" => visible
            .types
            .keys()
            .map(|oid| (oid.to_string(), Value::Truth(true)))
            .chain(products().flat_map(|product| {
                let found = path.finds(visible, product);
                [ROW_TYPE, ARRAY_TYPE].map(|place| ((product.oid + place).to_string(), Value::Truth(found)))
            }))
            .collect(),
        _ => return None,
    })
}

fn relations(visible: &Visible, overlays: &Overlays, path: &Path) -> BTreeMap<String, Value> {
    let mut found = BTreeMap::new();
    for overlay in overlays.iter().filter(|overlay| overlay.oid != 0) {
        let oid = overlay.oid.to_string();
        let bare = (overlay.schema == "pg_catalog").then(|| overlay.name.to_owned());
        let names = [oid.clone(), format!("{}.{}", overlay.schema, overlay.name)].into_iter().chain(bare);
        found.extend(names.map(|name| (name, Value::Text(oid.clone()))));
    }
    for product in &visible.products {
        let oid = || Value::Text(product.oid.to_string());
        found.insert(product.oid.to_string(), oid());
        found.insert(product.written(), oid());
        // Tools that put names together quote every part.
        found.insert(format!("{}.{}", quote_identifier(&product.schema), quote_identifier(&product.name)), oid());
        if path.finds(visible, product) {
            for name in [quoted(&product.name), quote_identifier(&product.name)] {
                found.entry(name).or_insert_with(oid);
            }
        }
        for key in product.keys() {
            let oid = || Value::Text(key.index.to_string());
            found.insert(key.index.to_string(), oid());
            found.insert(format!("{}.{}", quoted(&product.schema), quoted(&key.name)), oid());
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_one_json_string() {
        let mut json = String::new();
        text("a\"b\\c\nd", &mut json);
        assert_eq!(json, r#""a\"b\\c\u000ad""#);
    }
}
