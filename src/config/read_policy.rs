//! `policy.toml`, or a directory of such files read as one: documents -> [`Policy`].

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::document::{Document, Entry, Examined, Place, Secrecy, SourceFile, Substitution, Table, Text, Value};
use crate::error::{Diagnostic, Diagnostics};
use crate::names::{
    CertificateName, ColumnPattern, DomainName, MAX_IDENTIFIER_BYTES, ProductId, ProductPattern, RoleName, UserName,
};

use super::policy::{
    Attribute, Domain, Governance, Group, OnMaxRows, Policy, Role, RoleLimits, ScramVerifier, Token, User,
};
use super::server::SecretString;
use super::verifier::is_hex;

/// A compiled policy with what the catalog has yet to confirm.
#[derive(Debug)]
pub struct ParsedPolicy {
    /// The policy.
    pub policy: Policy,
    /// Every pattern on products and columns, with its place.
    pub patterns: Vec<PatternUse>,
}

/// A pattern of a role.
#[derive(Debug)]
pub struct PatternUse {
    /// What it covers.
    pub pattern: Pattern,
    /// A warning at its place, yet without words.
    pub place: Diagnostic,
}

/// A pattern on products or on columns.
#[derive(Debug)]
pub enum Pattern {
    /// Of `products`, `discover` and `drafts`; a table of `[domains]` counts as `DOMAIN.*`.
    Products(ProductPattern),
    /// Of `unmask`.
    Columns(ColumnPattern),
}

/// Compiles the texts of the policy's files as one. The error holds all findings of all files.
pub fn parse_policy(
    files: &[SourceFile],
    substitution: Substitution<'_>,
) -> Result<(ParsedPolicy, Diagnostics), Diagnostics> {
    examine_policy(files, substitution).accept()
}

/// Compiles as much of the policy as can be made out.
pub fn examine_policy(files: &[SourceFile], substitution: Substitution<'_>) -> Examined<ParsedPolicy> {
    let documents: Vec<_> =
        files.iter().map(|file| Document::parse(file, Secrecy::HoldsSecrets, substitution)).collect();
    let mut patterns = Vec::new();
    let policy = policy(Table::root(&documents), &mut patterns);
    let broken = documents.iter().any(Document::is_broken);
    let mut findings = Diagnostics::default();
    for document in documents {
        findings.extend(document.finish());
    }
    Examined { value: ParsedPolicy { policy, patterns }, findings, broken }
}

fn policy(mut root: Table<'_>, patterns: &mut Vec<PatternUse>) -> Policy {
    let defaults = root.table("defaults").map(|mut table| {
        let limits = limits(&mut table);
        table.finish();
        limits
    });
    let governance = root.table("governance").map(governance);
    let domains = root.named("domains").into_iter().filter_map(|entry| domain(entry, patterns)).collect();
    let functions = root.table("functions").map(functions);
    let roles: BTreeMap<_, _> = root.named("roles").into_iter().map(|entry| role(entry, patterns)).collect();
    let names = Names { roles: roles.keys().cloned().collect() };
    let groups: BTreeMap<String, Group> = root.named("groups").into_iter().map(|entry| group(entry, &names)).collect();
    let users = root.named("users");
    let token_owners = token_owners(&mut root);
    let users: BTreeMap<_, _> = users.into_iter().map(|entry| user(entry, &names, &groups, &token_owners)).collect();
    let tokens = tokens(root.named("tokens"), &users);
    root.finish();
    Policy {
        defaults: defaults.unwrap_or_default(),
        governance: governance.unwrap_or_default(),
        domains,
        functions: functions.unwrap_or_default(),
        roles,
        users,
        tokens,
    }
}

fn limits(table: &mut Table<'_>) -> RoleLimits {
    let timeout = |v: Value<'_>| v.duration(Duration::ZERO);
    RoleLimits {
        max_rows: rows(table.take("max_rows")),
        copy_max_rows: rows(table.take("copy_max_rows")),
        on_max_rows: table
            .take("on_max_rows")
            .and_then(|v| v.choice(&[("cut", OnMaxRows::Cut), ("error", OnMaxRows::Error)])),
        statement_timeout: table.take("statement_timeout").and_then(timeout),
        idle_in_transaction_timeout: table.take("idle_in_transaction_timeout").and_then(timeout),
        max_concurrent: table.take("max_concurrent").and_then(|v| v.integer(0..=1_000_000)),
        queue_timeout: table.take("queue_timeout").and_then(timeout),
    }
}

/// Bounded so that `max_rows + 1` is a number of Postgres' own.
fn rows(value: Option<Value<'_>>) -> Option<u64> {
    value.and_then(|v| v.integer(0..=i64::MAX - 1)).and_then(|n| u64::try_from(n).ok())
}

fn governance(mut table: Table<'_>) -> Governance {
    let require_pii = table.take("require_pii").and_then(Value::texts).unwrap_or_default();
    let column_names = table.take("column_names").and_then(Value::filled_text).filter(|t| t.known);
    let column_names = column_names.and_then(|text| match regex_lite::Regex::new(&text.value) {
        Ok(_) => Some(text.value),
        Err(error) => {
            text.place.error(format!("\"{}\" is not a regular expression: {error}", text.shown()));
            None
        }
    });
    table.finish();
    Governance { require_pii: require_pii.into_iter().filter_map(filled).collect(), column_names }
}

fn filled(text: Text<'_>) -> Option<String> {
    if text.known && text.value.trim().is_empty() {
        text.place.error("an empty string means nothing here");
        return None;
    }
    text.known.then_some(text.value)
}

fn domain(entry: Entry<'_>, uses: &mut Vec<PatternUse>) -> Option<(DomainName, Domain)> {
    let name = DomainName::new(entry.name);
    // A name that no domain can have would bound nothing, in silence.
    if let Some(pattern) = ProductPattern::parse(&format!("{}.*", entry.name)).filter(|_| is_domain(entry.name)) {
        uses.push(PatternUse { pattern: Pattern::Products(pattern), place: entry.place.note() });
    } else {
        entry.place.error_with_hint(
            format!("\"{}\" cannot be a domain", entry.name),
            "a domain has lower-case letters, digits and dashes, and begins with a letter",
        );
    }
    let mut table = entry.value.table()?;
    let texts = table.need("relations").and_then(Value::texts).unwrap_or_default();
    table.finish();
    let mut relations = Vec::new();
    for text in texts.into_iter().filter(|t| t.known) {
        let parts = text.value.split_once('.');
        if text.value == "*" || parts.is_some_and(|(schema, relation)| !schema.is_empty() && !relation.is_empty()) {
            relations.push(text.value);
        } else {
            let message = format!("\"{}\" is no pattern on relations", text.shown());
            text.place.error_with_hint(
                message,
                "write SCHEMA.TABLE, where * stands for any characters: \"public.marketing_*\"",
            );
        }
    }
    Some((name, Domain { relations }))
}

fn is_domain(name: &str) -> bool {
    ProductId::parse(&format!("{name}.x")).is_some()
}

fn functions(mut table: Table<'_>) -> Vec<String> {
    let texts = table.take("allow").and_then(Value::texts).unwrap_or_default();
    table.finish();
    let mut allowed = Vec::new();
    for text in texts.into_iter().filter(|t| t.known) {
        let hint = match text.value.split_once('.') {
            Some(("pg_catalog" | "information_schema", _)) => {
                "pgveil itself decides which functions of Postgres may be called"
            }
            Some((schema, name)) if !schema.is_empty() && !name.is_empty() && !name.contains(['(', ')', '*', ' ']) => {
                allowed.push(text.value);
                continue;
            }
            _ => "write SCHEMA.FUNCTION, without arguments",
        };
        text.place.error_with_hint(format!("\"{}\" cannot be allowed as a function", text.shown()), hint);
    }
    allowed
}

fn role(entry: Entry<'_>, patterns: &mut Vec<PatternUse>) -> (RoleName, Role) {
    let name = RoleName::new(entry.name);
    if entry.name.is_empty() {
        entry.place.error("a role needs a name");
    }
    let mut role = Role {
        products: Vec::new(),
        unmask: Vec::new(),
        discover: ProductPattern::parse("*").into_iter().collect(),
        drafts: Vec::new(),
        copy_out: true,
        explain: true,
        limits: RoleLimits::default(),
    };
    let Some(mut table) = entry.value.table() else { return (name, role) };
    role.products = product_patterns(table.take("products"), patterns).unwrap_or_default();
    role.unmask = column_patterns(table.take("unmask"), patterns).unwrap_or_default();
    if let Some(discover) = product_patterns(table.take("discover"), patterns) {
        role.discover = discover;
    }
    role.drafts = product_patterns(table.take("drafts"), patterns).unwrap_or_default();
    role.copy_out = table.take("copy_out").and_then(Value::boolean).unwrap_or(true);
    role.explain = table.take("explain").and_then(Value::boolean).unwrap_or(true);
    role.limits = limits(&mut table);
    table.finish();
    (name, role)
}

fn product_patterns(value: Option<Value<'_>>, uses: &mut Vec<PatternUse>) -> Option<Vec<ProductPattern>> {
    let mut patterns = Vec::new();
    for text in value?.texts()?.into_iter().filter(|t| t.known) {
        let two_parts = text.value == "*" || text.value.split('.').count() == 2;
        match ProductPattern::parse(&text.value).filter(|_| two_parts && well_formed(&text.value)) {
            Some(pattern) => {
                uses.push(PatternUse { pattern: Pattern::Products(pattern.clone()), place: text.place.note() });
                patterns.push(pattern);
            }
            None => text.place.error_with_hint(
                format!("\"{}\" is no pattern on products", text.shown()),
                "write \"*\", \"DOMAIN.*\" or \"DOMAIN.PRODUCT\"",
            ),
        }
    }
    Some(patterns)
}

fn column_patterns(value: Option<Value<'_>>, uses: &mut Vec<PatternUse>) -> Option<Vec<ColumnPattern>> {
    let mut patterns = Vec::new();
    for text in value?.texts()?.into_iter().filter(|t| t.known) {
        // `d.p` could be meant as a product or as a column of any product: it must say which.
        let clear = match text.value.split('.').count() {
            1 => text.value == "*",
            2 => text.value.ends_with(".*"),
            _ => true,
        };
        let products = text.value.rsplitn(2, '.').last().unwrap_or_default();
        match ColumnPattern::parse(&text.value).filter(|_| clear && well_formed(products)) {
            Some(pattern) => {
                uses.push(PatternUse { pattern: Pattern::Columns(pattern.clone()), place: text.place.note() });
                patterns.push(pattern);
            }
            None => text.place.error_with_hint(
                format!("\"{}\" is no pattern on columns", text.shown()),
                "write \"*\", \"DOMAIN.*\", \"DOMAIN.PRODUCT.*\", \"DOMAIN.PRODUCT.COLUMN\" or \"*.*.COLUMN\"",
            ),
        }
    }
    Some(patterns)
}

/// Whether each part is `*` alone or could be a domain or product.
fn well_formed(pattern: &str) -> bool {
    let name = |part: &str| {
        part.bytes().next().is_some_and(|b| b.is_ascii_lowercase())
            && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-')
    };
    pattern.split('.').all(|part| part == "*" || name(part))
}

struct Names {
    roles: BTreeSet<RoleName>,
}

impl Names {
    fn roles(&self, value: Option<Value<'_>>) -> Vec<RoleName> {
        let texts = value.and_then(Value::texts).unwrap_or_default();
        let known = |text: &Text<'_>| {
            let found = !text.known || self.roles.contains(text.value.as_str());
            if !found {
                let names = self.roles.iter().map(RoleName::as_str);
                text.place.error_with_nearest(format!("there is no role \"{}\"", text.shown()), &text.value, names);
            }
            found && text.known
        };
        texts.into_iter().filter(known).map(|text| RoleName::new(text.value)).collect()
    }
}

fn group(entry: Entry<'_>, names: &Names) -> (String, Group) {
    let mut group = Group::default();
    if let Some(mut table) = entry.value.table() {
        group.roles = names.roles(table.take("roles"));
        table.finish();
    }
    (entry.name.to_owned(), group)
}

fn user(
    entry: Entry<'_>,
    names: &Names,
    groups: &BTreeMap<String, Group>,
    token_owners: &BTreeSet<String>,
) -> (UserName, User) {
    let mut user = User {
        password: None,
        certificate: None,
        roles: Vec::new(),
        attributes: BTreeMap::new(),
        on_behalf_of: Vec::new(),
        limits: RoleLimits::default(),
    };
    let name = UserName::new(entry.name);
    if entry.name.is_empty() || entry.name.len() > MAX_IDENTIFIER_BYTES || entry.name.contains('\0') {
        entry.place.error(format!("a user's name must have 1 to {MAX_IDENTIFIER_BYTES} bytes"));
    }
    let Some(mut table) = entry.value.table() else { return (name, user) };
    if !table.has("password") && !table.has("certificate") && !token_owners.contains(entry.name) {
        let hint = "add password (see `pgveil hash-password`) or certificate".to_owned();
        entry.place.warn(format!("user \"{}\" has no way to log in", entry.name), Some(hint));
    }
    user.password = table.take("password").and_then(verifier);
    user.certificate = table.take("certificate").and_then(certificate);
    user.roles = names.roles(table.take("roles"));
    for text in table.take("groups").and_then(Value::texts).unwrap_or_default().into_iter().filter(|t| t.known) {
        match groups.get(&text.value) {
            Some(group) => user.roles.extend(group.roles.iter().cloned()),
            None => text.place.error_with_nearest(
                format!("there is no group \"{}\"", text.shown()),
                &text.value,
                groups.keys().map(String::as_str),
            ),
        }
    }
    user.roles.sort();
    user.roles.dedup();
    user.attributes = table.named("attributes").into_iter().filter_map(attribute).collect();
    user.on_behalf_of = names.roles(table.take_later("on_behalf_of"));
    user.limits = limits(&mut table);
    table.finish();
    (name, user)
}

fn verifier(value: Value<'_>) -> Option<ScramVerifier> {
    let text = value.text().filter(|t| t.known)?;
    match ScramVerifier::parse(&text.value) {
        Ok(verifier) => Some(verifier),
        Err(error) => {
            let (message, hint) = error.explain();
            text.place.error_with_hint(message, hint);
            None
        }
    }
}

fn certificate(value: Value<'_>) -> Option<String> {
    let text = value.filled_text().filter(|t| t.known)?;
    if CertificateName::parse(&text.value).is_err() {
        text.place.error_with_hint(
            format!("\"{}\" is not a certificate subject", text.shown()),
            "write it as in RFC 4514, such as \"CN=superset,O=Example\"",
        );
        return None;
    }
    Some(text.value)
}

fn attribute(entry: Entry<'_>) -> Option<(String, Attribute)> {
    let well_named = entry.name.bytes().next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
        && entry.name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    if !well_named {
        entry.place.error_with_hint(
            "an attribute's name must begin with a letter and have letters, digits, _ and - alone",
            "row filters read it as {user.NAME}",
        );
    }
    let many = entry.value.raw().is_array();
    let texts = entry.value.text_or_texts()?;
    let mut values = texts.into_iter().map(|t| t.value);
    let attribute = if many { Attribute::Many(values.collect()) } else { Attribute::One(values.next()?) };
    Some((entry.name.to_owned(), attribute))
}

fn token_owners(root: &mut Table<'_>) -> BTreeSet<String> {
    let owner = |entry: Entry<'_>| match entry.value.raw() {
        toml::de::DeValue::Table(table) => table.get("user")?.get_ref().as_str().map(str::to_owned),
        _ => None,
    };
    let Some(tokens) = root.table("tokens") else { return BTreeSet::new() };
    tokens.entries().into_iter().filter_map(owner).collect()
}

fn tokens(entries: Vec<Entry<'_>>, users: &BTreeMap<UserName, User>) -> BTreeMap<String, Token> {
    let mut tokens = BTreeMap::new();
    let mut hashes: BTreeMap<String, Place<'_>> = BTreeMap::new();
    for entry in entries {
        let Some(mut table) = entry.value.table() else { continue };
        let user = table.need("user").and_then(Value::text).filter(|text| {
            let found = !text.known || users.contains_key(text.value.as_str());
            if !found {
                let names = users.keys().map(UserName::as_str);
                text.place.error_with_nearest(format!("there is no user \"{}\"", text.shown()), &text.value, names);
            }
            found
        });
        let sha256 = table.need("sha256").and_then(Value::text);
        let expires = table.take("expires").and_then(Value::date);
        table.finish();
        if let Some(text) = sha256.as_ref().filter(|t| t.known) {
            token_hash(text, &mut hashes);
        }
        if let (Some(user), Some(sha256)) = (user, sha256) {
            let sha256 = SecretString::new(sha256.value.to_ascii_lowercase());
            tokens.insert(entry.name.to_owned(), Token { user: UserName::new(user.value), sha256, expires });
        }
    }
    tokens
}

fn token_hash<'d>(text: &Text<'d>, hashes: &mut BTreeMap<String, Place<'d>>) {
    if text.value.len() != 64 || !is_hex(&text.value) {
        text.place.error_with_hint(
            "sha256 is not 64 hex digits",
            "write the SHA-256 of the token: `printf %s \"$TOKEN\" | sha256sum`",
        );
    } else if let Some(first) = hashes.insert(text.value.to_ascii_lowercase(), text.place.clone()) {
        text.place.error(format!("this token is defined at {} too", first.file_and_line()));
    }
}
