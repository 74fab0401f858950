use super::*;

fn product(id: &str, status: Status, sunset: Option<Date>) -> Arc<Product> {
    use crate::catalog::{CatalogRules, Deprecation};
    use crate::document::{Environment, SourceFile};
    use crate::names::WarehouseName;
    let domain = id.split('.').next().unwrap();
    let text = format!(
        "id = \"{id}\"\ndomain = \"{domain}\"\nname = \"N\"\nversion = 1\nstatus = \"published\"\n\
         [owner]\nteam = \"T\"\ncontact = \"t@example.com\"\n[[schema]]\ncolumn = \"id\"\ntype = \"integer\"\n"
    );
    let rules = CatalogRules {
        warehouses: Some([(WarehouseName::new("w"), "public".to_owned())].into()),
        ..CatalogRules::default()
    };
    let files = [SourceFile::new("p.toml", text)];
    let (catalog, _) = crate::catalog::compile(&files, &rules, &Environment, Unset::Error).unwrap();
    let read = Product::clone(catalog.iter().next().unwrap());
    let deprecation = (status == Status::Deprecated).then(|| Deprecation { sunset, ..Deprecation::default() });
    Arc::new(Product { status, deprecation, ..read })
}

#[test]
fn who_names_nothing_means_what_serves() {
    let today = jiff::civil::date(2026, 1, 10);
    let catalog = Catalog::new([
        product("a.x", Status::Published, None),
        product("a.y", Status::Draft, None),
        product("b.x", Status::Deprecated, Some(jiff::civil::date(2026, 1, 11))),
        product("b.y", Status::Deprecated, Some(today)),
    ]);
    let ids = |named: &[&str]| {
        let named: Vec<String> = named.iter().map(|&name| name.to_owned()).collect();
        chosen(&catalog, &named, today).map(|found| found.iter().map(|p| p.id.to_string()).collect::<Vec<_>>())
    };
    assert_eq!(ids(&[]).unwrap(), ["a.x", "b.x"]);
    assert_eq!(ids(&["a.y", "a.x", "a.x"]).unwrap(), ["a.x", "a.y"]);
    assert_eq!(ids(&["b.*"]).unwrap(), ["b.x", "b.y"]);
    assert_eq!(ids(&["a.z"]).unwrap_err(), "there is no product \"a.z\"; did you mean \"a.x\"?");
    assert!(ids(&["no id"]).is_err());
}
