//! Lists of names, as `search_path` holds them.

use crate::names::{fold_identifier, quote_identifier};

/// The names as SHOW gives them: quoted where they have to be.
pub fn join_names(names: &[String]) -> String {
    let shown = |name: &String| {
        let plain = name.bytes().next().is_some_and(|b| b.is_ascii_lowercase() || b == b'_')
            && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
        if plain { name.clone() } else { quote_identifier(name) }
    };
    names.iter().map(shown).collect::<Vec<_>>().join(", ")
}

/// The exact names of a list like `a, "B c"`; `None`: it is no list. An empty text is an empty list.
pub fn split_names(text: &str) -> Option<Vec<String>> {
    let mut names = Vec::new();
    let mut rest = text.trim();
    if rest.is_empty() {
        return Some(names);
    }
    loop {
        let (name, after) = first_name(rest)?;
        names.push(name);
        let after = after.trim_start();
        if after.is_empty() {
            return Some(names);
        }
        rest = after.strip_prefix(',')?.trim_start();
    }
}

fn first_name(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([',', ' ', '\t', '\n']).unwrap_or(text.len());
        let (name, after) = (text.get(..end)?, text.get(end..)?);
        return (!name.is_empty() && !name.contains('"')).then(|| (fold_identifier(name, false), after));
    };
    let mut name = String::new();
    let mut rest = quoted;
    loop {
        let end = rest.find('"')?;
        name.push_str(rest.get(..end)?);
        rest = rest.get(end + 1..)?;
        match rest.strip_prefix('"') {
            Some(more) => {
                name.push('"');
                rest = more;
            }
            None => return Some((fold_identifier(&name, true), rest)),
        }
    }
}
