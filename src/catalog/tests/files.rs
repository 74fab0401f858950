//! The rules over all files, and the directory.

use super::*;

#[test]
fn keys_of_later_issues_are_counted_over_all_files() {
    let text = format!("{PRODUCT}[sla]\navailability = 99.5\n[[sources]]\nx = 1\n[[caveats]]\n[[changelog]]\n");
    let other = text.replace("marketing.orders", "marketing.others");
    let (_, warnings) = compile_all(&[&text, &other], &rules()).unwrap();
    let expected = ["[[caveats]]", "[[changelog]]", "[[sources]]", "[sla] availability"];
    let told = told(&warnings);
    assert_eq!(told.len(), expected.len(), "{told:#?}");
    for name in expected {
        let end = format!("{name} is accepted, but not yet in force (in 2 places, this is the first)");
        assert!(told.iter().any(|t| t.ends_with(&end)), "{name}: {told:#?}");
    }
}

#[test]
fn two_products_cannot_have_one_name() {
    let other = PRODUCT.replace("marketing.orders", "marketing.others").replace("name = ", "relation = \"x\"\nname = ");
    let rules = CatalogRules { domains: BTreeMap::new(), ..rules() };
    assert!(compile_all(&[PRODUCT, &other], &rules).is_ok());

    let found = compile_all(&[PRODUCT, PRODUCT], &rules).unwrap_err();
    assert_eq!(
        told(&found),
        [
            "1:6 the product marketing.orders is defined at c/1.toml:1 too",
            "1:6 the product marketing.orders is defined at c/0.toml:1 too",
        ]
    );
    let flat = |id: &str, domain: &str| PRODUCT.replace("marketing.orders", id).replace("\"marketing\"", domain);
    let (first, second) = (flat("a-b.c", "\"a-b\""), flat("a.b_c", "\"a\""));
    let found = compile_all(&[&first, &second], &rules).unwrap_err();
    assert_eq!(
        told(&found),
        [
            "1:6 the flat name a_b_c is defined at c/1.toml:1 too",
            "1:6 the flat name a_b_c is defined at c/0.toml:1 too"
        ]
    );
    // In two warehouses no client can take one for the other.
    let warehouses = ["w", "v"].map(|n| (WarehouseName::new(n), "public".to_owned()));
    let two = CatalogRules { warehouses: Some(BTreeMap::from(warehouses)), ..rules };
    let at = |text: &str, w: &str| text.replacen("version = 1", &format!("version = 1\nwarehouse = \"{w}\""), 1);
    assert!(compile_all(&[&at(&first, "w"), &at(&second, "v")], &two).is_ok());
    let found = told(&compile_all(&[&first], &two).unwrap_err());
    assert_told(&found, "1:1 \"warehouse\" is missing | write one of \"v\", \"w\"");
}

#[test]
fn products_are_found_by_what_clients_write() {
    let rules = CatalogRules { domains: BTreeMap::new(), ..rules() };
    let dashed = PRODUCT.replace("marketing.orders", "growth-team.orders").replace("\"marketing\"", "\"growth-team\"");
    let (catalog, _) = compile_all(&[PRODUCT, &dashed], &rules).unwrap();
    let warehouse = WarehouseName::new("w");
    let qualified = |schema, table| catalog.by_qualified_name(&warehouse, schema, table).map(|p| p.id.to_string());
    assert_eq!(qualified("marketing", "orders").as_deref(), Some("marketing.orders"));
    assert_eq!(qualified("growth-team", "orders").as_deref(), Some("growth-team.orders"));
    assert_eq!(qualified("growth_team", "orders").as_deref(), Some("growth-team.orders"));
    for (schema, table) in [("growth", "team_orders"), ("Marketing", "orders"), ("", "orders"), ("public", "orders")] {
        assert_eq!(qualified(schema, table), None, "{schema}.{table}");
    }
    let flat = |table| catalog.by_flat_name(&warehouse, table).map(|p| p.id.to_string());
    assert_eq!(flat("growth_team_orders").as_deref(), Some("growth-team.orders"));
    assert_eq!(flat("orders"), None);
    assert_eq!(catalog.by_flat_name(&WarehouseName::new("v"), "marketing_orders"), None);
}

#[test]
fn a_column_that_is_personal_in_one_product_alone_is_reported() {
    let rules = CatalogRules { require_pii: Vec::new(), ..rules() };
    let other = PRODUCT
        .replace("marketing.orders", "marketing.mails")
        .replace("version = 1", "version = 1\nrelation = \"marketing_orders\"")
        .replace("pii = true\n", "");
    let (_, warnings) = compile_all(&[PRODUCT, &other], &rules).unwrap();
    assert_eq!(
        told(&warnings),
        [
            "16:10 public.marketing_orders.email is PII in marketing.orders and not in marketing.mails | mark it in both, or \
          say why it is none with pii_exempt"
        ]
    );
}

#[test]
fn a_product_file_reads_no_secret() {
    let with_description = |text: &str| PRODUCT.replace("Every order.", text);
    let found = told(&compile_all(&[&with_description("${PATH}")], &rules()).unwrap_err());
    assert_told(
        &found,
        "4:16 this file may not use the variable PATH | add \"PATH\" to [catalog] env in pgveil.toml, or write $${ for a \
         literal ${",
    );
    let found = told(&compile_all(&[&with_description("${file:/etc/passwd}")], &rules()).unwrap_err());
    assert_told(
        &found,
        "4:16 this file may not read other files | write $${ for a literal ${; product files may use the variables of \
         [catalog] env alone",
    );
    let allowed = CatalogRules { env: vec!["PATH".to_owned()], ..rules() };
    let (catalog, _) = compile_all(&[&with_description("${PATH}")], &allowed).unwrap();
    assert_eq!(catalog.iter().next().unwrap().description, std::env::var("PATH").unwrap());
}

#[test]
fn quarantine_withholds_the_invalid_product_alone() {
    let rules = CatalogRules { quarantine: true, ..rules() };
    let bad = PRODUCT.replace("marketing.orders", "marketing.bad").replace("version = 1", "version = 0");
    let (catalog, warnings) = compile_all(&[PRODUCT, &bad], &rules).unwrap();
    assert_eq!(catalog.iter().map(|p| p.id.to_string()).collect::<Vec<_>>(), ["marketing.orders"]);
    assert!(warnings.iter().all(|w| w.level == Level::Warning));
    assert_eq!(
        told(&warnings),
        [
            "0:0 the product of this file is withheld: its file is invalid",
            "5:11 \"version\" must be a whole number from 1 to 2147483647",
        ]
    );
    // Which of two is the right one nobody knows.
    let (catalog, _) = compile_all(&[PRODUCT, PRODUCT], &rules).unwrap();
    assert!(catalog.is_empty());
}

#[test]
fn a_config_map_counts_each_file_once() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    std::fs::create_dir_all(root.join("..2025_01_01")).unwrap();
    std::fs::write(root.join("..2025_01_01/orders.toml"), PRODUCT).unwrap();
    std::os::unix::fs::symlink("..2025_01_01", root.join("..data")).unwrap();
    std::os::unix::fs::symlink("..data/orders.toml", root.join("orders.toml")).unwrap();
    std::os::unix::fs::symlink("orders.toml", root.join("again.toml")).unwrap();
    std::os::unix::fs::symlink(".", root.join("loop")).unwrap();
    std::fs::write(root.join(".hidden.toml"), "nonsense").unwrap();
    std::fs::write(root.join("orders.toml~"), "nonsense").unwrap();
    std::fs::create_dir(root.join("sub")).unwrap();
    let other = PRODUCT.replace("marketing.orders", "marketing.others");
    std::fs::write(root.join("sub/others.toml"), other).unwrap();

    let (files, findings) = read_files(root);
    let names: Vec<_> = files.iter().map(|f| f.path.strip_prefix(root).unwrap().to_owned()).collect();
    assert_eq!(names, [Path::new("again.toml"), Path::new("sub/others.toml")], "{findings}");
    let (catalog, _) = load(root, &rules()).unwrap();
    assert_eq!(catalog.len(), 2);
}

#[test]
fn what_cannot_be_read_refuses_or_is_withheld() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("orders.toml"), PRODUCT).unwrap();
    std::fs::write(dir.path().join("binary.toml"), b"\xff").unwrap();
    std::os::unix::fs::symlink("nowhere.toml", dir.path().join("gone.toml")).unwrap();
    let found = load(dir.path(), &rules()).unwrap_err();
    assert_eq!(found.iter().filter(|f| f.level == Level::Error).count(), 2, "{found}");
    let (catalog, warnings) = load(dir.path(), &CatalogRules { quarantine: true, ..rules() }).unwrap();
    assert_eq!((catalog.len(), warnings.iter().count()), (1, 2), "{warnings}");

    let missing = load(&dir.path().join("none"), &CatalogRules { quarantine: true, ..rules() }).unwrap_err();
    assert!(missing.has_errors());
    let empty = tempfile::tempdir().unwrap();
    let (catalog, _) = load(empty.path(), &rules()).unwrap();
    assert!(catalog.is_empty());
    let (_, warnings) = read_files(empty.path());
    assert!(told(&warnings)[0].contains("holds no product"), "{warnings}");
}
