//! The whole catalog: every file, and the rules over all of them.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use super::product::{Catalog, Pii, Product};
use super::read::{Later, Read, Reader};
use super::rules::CatalogRules;
use crate::document::{
    Document, Environment, Place, Secrecy, SourceFile, Substitution, Unset, Variables, nearest, read_file, toml_files,
};
use crate::error::{Diagnostic, Diagnostics, Level, NOT_YET};
use crate::names::{ProductId, RelationName, WarehouseName};

/// Reads and compiles every product file below a directory, with this process' environment.
pub fn load(root: &Path, rules: &CatalogRules) -> Result<(Catalog, Diagnostics), Diagnostics> {
    let (files, unread) = read_files(root);
    // A directory that is not there is no single product's fault: nothing could be served.
    if unread.has_errors() && (files.is_empty() || !rules.quarantine) {
        let mut findings = unread;
        match compile(&files, rules, &Environment, Unset::Error) {
            Ok((_, warnings)) => findings.extend(warnings),
            Err(errors) => findings.extend(errors),
        }
        return Err(findings);
    }
    let (catalog, mut findings) = compile(&files, rules, &Environment, Unset::Error)?;
    unread.iter().for_each(|finding| findings.push(finding.clone().warning()));
    Ok((catalog, findings))
}

/// Reads the text of every `*.toml` below a directory, as far as that is possible, and says what was not.
pub fn read_files(root: &Path) -> (Vec<SourceFile>, Diagnostics) {
    let (paths, mut findings) = toml_files(root);
    if paths.is_empty() && findings.is_empty() {
        let message = "the catalog holds no product: there is no *.toml below this directory";
        findings.push(Diagnostic::whole_file(root, message).warning());
    }
    let mut files = Vec::with_capacity(paths.len());
    for path in paths {
        match read_file(&path) {
            Ok(file) => files.push(file),
            Err(unread) => findings.extend(unread),
        }
    }
    (files, findings)
}

/// Compiles the texts of product files. On success the findings are warnings; with `rules.quarantine` those of an invalid
/// file are too, and its product is withheld.
pub fn compile(
    files: &[SourceFile],
    rules: &CatalogRules,
    variables: &dyn Variables,
    unset: Unset,
) -> Result<(Catalog, Diagnostics), Diagnostics> {
    let substitution = Substitution { variables, unset, allowed: Some(&rules.env) };
    let documents: Vec<_> = files.iter().map(|file| Document::parse(file, Secrecy::Open, substitution)).collect();
    let later: Later = RefCell::default();
    let mut read: Vec<Read<'_>> =
        documents.iter().map(|document| Reader { document, rules, later: &later }.read()).collect();
    duplicate_ids(&read);
    duplicate_flat_names(&read);
    replacements(&read);
    pii_conflicts(&read);
    let products: Vec<Option<Product>> = read.iter_mut().map(|r| r.product.take()).collect();
    drop(read);

    let mut findings = Diagnostics::default();
    let mut valid = Vec::new();
    for (document, product) in documents.into_iter().zip(products) {
        let path = document.path();
        let found = document.finish();
        let invalid = found.has_errors();
        if invalid && rules.quarantine {
            let name =
                product.map_or_else(|| "the product of this file".to_owned(), |p| format!("the product {}", p.id));
            withhold(path, &name, found, &mut findings);
            continue;
        }
        findings.extend(found);
        valid.extend(product.filter(|_| !invalid).map(Arc::new));
    }
    for (name, (count, mut first)) in later.into_inner() {
        let files = if count == 1 { "1 place".to_owned() } else { format!("{count} places") };
        first.message = format!("{name}{NOT_YET} (in {files}, this is the first)");
        findings.push(first);
    }
    if findings.has_errors() { Err(findings) } else { Ok((Catalog::new(valid), findings)) }
}

/// The findings of an invalid file become warnings that say what they cost.
pub fn withhold(path: &Path, name: &str, found: Diagnostics, findings: &mut Diagnostics) {
    findings.push(Diagnostic::whole_file(path, format!("{name} is withheld: its file is invalid")).warning());
    for mut finding in found.iter().cloned() {
        finding.level = Level::Warning;
        findings.push(finding);
    }
}

fn ids<'r, 'd>(read: &'r [Read<'d>]) -> impl Iterator<Item = (&'r ProductId, &'r Place<'d>)> {
    read.iter().filter_map(|r| r.id.as_ref()).map(|(id, place)| (id, place))
}

/// Which of two files is the wrong one nobody can tell: both are told.
fn duplicate_ids(read: &[Read<'_>]) {
    let mut places: BTreeMap<&ProductId, Vec<&Place<'_>>> = BTreeMap::new();
    for (id, place) in ids(read) {
        places.entry(id).or_default().push(place);
    }
    for (id, places) in &places {
        tell_each(places, &format!("the product {id}"));
    }
}

fn duplicate_flat_names(read: &[Read<'_>]) {
    let mut names: BTreeMap<(&WarehouseName, String), BTreeMap<&ProductId, &Place<'_>>> = BTreeMap::new();
    for entry in read {
        if let (Some(product), Some((id, place))) = (&entry.product, &entry.id) {
            names.entry((&product.warehouse, id.flat_name())).or_default().insert(id, place);
        }
    }
    for ((_, name), places) in &names {
        let places: Vec<_> = places.values().copied().collect();
        tell_each(&places, &format!("the flat name {name}"));
    }
}

fn tell_each(places: &[&Place<'_>], what: &str) {
    for (n, place) in places.iter().enumerate() {
        let other = if n == 0 { places.get(1) } else { places.first() };
        if let Some(other) = other {
            place.error(format!("{what} is defined at {} too", other.file_and_line()));
        }
    }
}

fn replacements(read: &[Read<'_>]) {
    let known: BTreeSet<&ProductId> = ids(read).map(|(id, _)| id).collect();
    for (id, place) in read.iter().filter_map(|r| r.replaced_by.as_ref()) {
        if !known.contains(id) {
            let names: Vec<String> = known.iter().map(|id| id.to_string()).collect();
            let near = nearest(&id.to_string(), names.iter().map(String::as_str)).map(str::to_owned);
            match near {
                Some(near) => {
                    place.error_with_hint(format!("there is no product {id}"), format!("did you mean \"{near}\"?"));
                }
                None => place.error(format!("there is no product {id}")),
            }
        }
    }
}

/// Who marks a column as personal, and who does not.
#[derive(Default)]
struct Marks<'r, 'd> {
    personal: Option<(&'r ProductId, &'r Place<'d>)>,
    other: Option<(&'r ProductId, &'r Place<'d>)>,
}

/// One physical column that two products show, one as personal and one not: most likely one of them forgot.
fn pii_conflicts(read: &[Read<'_>]) {
    let mut columns: BTreeMap<(&WarehouseName, &RelationName, &str), Marks<'_, '_>> = BTreeMap::new();
    for entry in read {
        let (Some(product), Some(_)) = (&entry.product, &entry.relation) else { continue };
        for column in &product.columns {
            let Some(place) = entry.columns.get(&column.name) else { continue };
            let marks = columns.entry((&product.warehouse, &product.relation, &column.name)).or_default();
            let mark = match column.pii {
                Pii::Yes => &mut marks.personal,
                Pii::No | Pii::Exempt(_) => &mut marks.other,
            };
            mark.get_or_insert((&product.id, place));
        }
    }
    for ((_, relation, column), marks) in columns {
        if let (Some((personal, _)), Some((other, place))) = (marks.personal, marks.other) {
            let message = format!("{relation}.{column} is PII in {personal} and not in {other}");
            place.warn(message, Some("mark it in both, or say why it is none with pii_exempt".to_owned()));
        }
    }
}
