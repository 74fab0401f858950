//! Functions and casts over names and OIDs of the catalogs, as if only what is visible existed. Each has a template in
//! `functions/`: `$1` is an argument, `lookup.X` what pgveil knows, and the rest is as in the templates of relations.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use crate::names::quote_identifier;
use crate::sql::{Word, WordKind};

use super::domain::Domain;
use super::lookup::{self, Path};
use super::overlay::Expander;
use super::template::{From, Piece, placed};
use super::visible::Visible;

/// A template of `functions/`.
#[derive(Debug)]
pub struct Function {
    piece: Piece,
    /// An argument stands inside of a subquery, whose names it must not meet.
    nested: bool,
    /// It has a FROM clause of its own.
    rooted: bool,
}

macro_rules! functions {
    ($($name:ident),* $(,)?) => {
        pub(super) const TEXTS: &[(&str, &str)] =
            &[$((stringify!($name), include_str!(concat!("functions/", stringify!($name), ".sql")))),*];
    };
}

functions! {
    col_description_2,
    format_type_2,
    has_any_column_privilege_2,
    has_any_column_privilege_3,
    has_column_privilege_3,
    has_column_privilege_4,
    has_database_privilege_2,
    has_database_privilege_3,
    has_foreign_data_wrapper_privilege_2,
    has_foreign_data_wrapper_privilege_3,
    has_function_privilege_2,
    has_function_privilege_3,
    has_language_privilege_2,
    has_language_privilege_3,
    has_schema_privilege_2,
    has_schema_privilege_3,
    has_sequence_privilege_2,
    has_sequence_privilege_3,
    has_server_privilege_2,
    has_server_privilege_3,
    has_table_privilege_2,
    has_table_privilege_3,
    has_tablespace_privilege_2,
    has_tablespace_privilege_3,
    has_type_privilege_2,
    has_type_privilege_3,
    obj_description_1,
    obj_description_2,
    pg_collation_is_visible_1,
    pg_column_is_updatable_3,
    pg_conversion_is_visible_1,
    pg_database_size_1,
    pg_describe_object_3,
    pg_function_is_visible_1,
    pg_get_constraintdef_1,
    pg_get_constraintdef_2,
    pg_get_expr_2,
    pg_get_expr_3,
    pg_get_function_arg_default_2,
    pg_get_function_arguments_1,
    pg_get_function_identity_arguments_1,
    pg_get_function_result_1,
    pg_get_function_sqlbody_1,
    pg_get_functiondef_1,
    pg_get_indexdef_1,
    pg_get_indexdef_3,
    pg_get_partition_constraintdef_1,
    pg_get_partkeydef_1,
    pg_get_ruledef_1,
    pg_get_ruledef_2,
    pg_get_serial_sequence_2,
    pg_get_statisticsobjdef_1,
    pg_get_statisticsobjdef_columns_1,
    pg_get_triggerdef_1,
    pg_get_triggerdef_2,
    pg_get_userbyid_1,
    pg_get_viewdef_1,
    pg_get_viewdef_2,
    pg_has_role_2,
    pg_has_role_3,
    pg_indexes_size_1,
    pg_opclass_is_visible_1,
    pg_operator_is_visible_1,
    pg_opfamily_is_visible_1,
    pg_partition_ancestors_1,
    pg_partition_root_1,
    pg_relation_filenode_1,
    pg_relation_filepath_1,
    pg_relation_is_publishable_1,
    pg_relation_is_updatable_2,
    pg_relation_size_1,
    pg_relation_size_2,
    pg_stat_get_dead_tuples_1,
    pg_stat_get_live_tuples_1,
    pg_stat_get_numscans_1,
    pg_statistics_obj_is_visible_1,
    pg_table_is_visible_1,
    pg_table_size_1,
    pg_tablespace_location_1,
    pg_tablespace_size_1,
    pg_total_relation_size_1,
    pg_ts_config_is_visible_1,
    pg_ts_dict_is_visible_1,
    pg_ts_parser_is_visible_1,
    pg_ts_template_is_visible_1,
    pg_type_is_visible_1,
    regclass_output,
    regcollation_output,
    regconfig_output,
    regdictionary_output,
    regnamespace_output,
    regoper_output,
    regoperator_output,
    regproc_output,
    regprocedure_output,
    regrole_output,
    regtype_output,
    row_security_active_1,
    shobj_description_2,
    to_regclass_1,
    to_regnamespace_1,
    to_regrole_1,
    to_regtype_1,
}

static READ: LazyLock<BTreeMap<&'static str, Function>> = LazyLock::new(|| {
    // A test reads them all.
    TEXTS.iter().filter_map(|(name, text)| Some((*name, Function::read(text)?))).collect()
});

/// The template of a function with so many arguments.
pub fn function(name: &str, arguments: usize) -> Option<&'static Function> {
    READ.get(format!("{name}_{arguments}").as_str())
}

/// Whether there is a template for some number of arguments.
pub fn knows_function(name: &str) -> bool {
    let of = |key: &&str| {
        key.strip_prefix(name).and_then(|rest| rest.strip_prefix('_')).is_some_and(|n| n.parse::<u8>().is_ok())
    };
    READ.keys().any(|key| of(&key))
}

/// The template of what a value of a reg* type shows as a text.
pub fn output_of(type_name: &str) -> Option<&'static Function> {
    READ.get(format!("{type_name}_output").as_str())
}

/// An argument of a call.
#[derive(Clone, Debug)]
pub struct Argument {
    /// It as SQL.
    pub text: String,
    /// A literal or parameter, which meets no name.
    pub constant: bool,
    /// What it may be.
    pub domain: Domain,
}

/// What looks names up.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// Templates and maps.
    pub expander: Expander<'a>,
    /// What the subject may see.
    pub visible: &'a Visible,
    /// Where names without a schema are looked for.
    pub path: &'a Path,
}

impl Function {
    fn read(text: &str) -> Option<Self> {
        let bare: String = text.lines().filter(|line| !line.starts_with("--")).collect::<Vec<_>>().join("\n");
        let piece = Piece::new(bare.trim().trim_end_matches(';').to_owned()).ok()?;
        if !piece.words.first()?.is_name("select") {
            return None;
        }
        let (mut depth, mut inside) = (0_usize, Vec::new());
        let (mut nested, mut rooted) = (false, false);
        for (at, word) in piece.words.iter().enumerate() {
            match &word.kind {
                WordKind::Sign(sign) if sign == "(" => {
                    depth += 1;
                    if piece.words.get(at + 1).is_some_and(|next| next.is_name("select")) {
                        inside.push(depth);
                    }
                }
                WordKind::Sign(sign) if sign == ")" => {
                    inside.retain(|level| *level < depth);
                    depth = depth.saturating_sub(1);
                }
                WordKind::Parameter(_) => nested |= !inside.is_empty(),
                WordKind::Name(name) if name == "from" && depth == 0 => rooted = true,
                _ => {}
            }
        }
        Some(Self { piece, nested: nested || rooted, rooted })
    }

    /// The expression that takes the place of a call.
    pub fn call(&self, arguments: &[Argument], asked: &Asked<'_>) -> String {
        let apart = self.nested && arguments.iter().any(|argument| !argument.constant);
        let keys = arguments.first().map(|argument| &argument.domain);
        let mut out = String::new();
        let words = &self.piece.words;
        let mut end = words.first().map_or(0, |select| select.range.end);
        for (at, word) in words.iter().enumerate().skip(1) {
            let replaced = match (&word.kind, words.get(at + 1), words.get(at + 2)) {
                (WordKind::Parameter(n), _, _) => {
                    let argument = n.checked_sub(1).and_then(|n| arguments.get(n));
                    argument.map(|argument| match apart && !argument.constant {
                        true => (format!("\"pgveil a\".\"a{n}\""), word),
                        false => (format!("({})", argument.text), word),
                    })
                }
                (WordKind::Name(schema), Some(dot), Some(name)) if schema == "lookup" && dot.is_sign(".") => {
                    let keys = if self.asks_by_first(at + 3) { keys } else { None };
                    let found = name.name().and_then(|own| {
                        let keys = keys.unwrap_or(&Domain::Any);
                        lookup::literal(own, asked.visible, asked.expander.overlays, asked.path, keys)
                    });
                    found.map(|found| (found, name))
                }
                _ => None,
            };
            if let Some((text, last)) = replaced {
                out.push_str(self.piece.text.get(end..word.range.start).unwrap_or_default());
                out.push_str(&text);
                end = last.range.end;
            }
        }
        out.push_str(self.piece.text.get(end..).unwrap_or_default());
        let out = match Piece::new(out) {
            Ok(piece) if reads(&piece.words) => asked.expander.text(&piece, BTreeMap::new()),
            Ok(piece) => piece.text,
            Err(_) => "NULL".to_owned(),
        };
        let out = if self.rooted { format!("(SELECT {})", out.trim()) } else { out.trim().to_owned() };
        if !apart {
            return format!("({out})");
        }
        let arguments = arguments.iter().zip(1..).filter(|(argument, _)| !argument.constant);
        let list: Vec<String> = arguments.map(|(argument, n)| format!("{} AS \"a{n}\"", argument.text)).collect();
        format!("(SELECT {out} FROM (SELECT {}) AS {})", list.join(", "), quote_identifier("pgveil a"))
    }

    /// Whether a lookup is asked for its first argument right behind: `->> ($1)`, `? ($1)`, `#>> ARRAY[($1)`.
    fn asks_by_first(&self, at: usize) -> bool {
        let rest = self.piece.words.get(at..at + 6).unwrap_or_default();
        rest.iter().find_map(|word| match word.kind {
            WordKind::Parameter(n) => Some(n == 1),
            _ => None,
        }) == Some(true)
    }
}

/// Whether it reads a map or an overlay.
fn reads(words: &[Word]) -> bool {
    (0..words.len())
        .any(|at| placed(words.get(at..).unwrap_or_default()).is_some_and(|placed| placed.what != From::Real))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_listed_and_reads() {
        let directory = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/introspect/functions");
        let files = std::fs::read_dir(directory).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
        let mut files: Vec<String> = files.filter_map(|file| file.strip_suffix(".sql").map(str::to_owned)).collect();
        files.sort();
        let listed: Vec<&str> = TEXTS.iter().map(|(name, _)| *name).collect();
        assert_eq!(files, listed);
        for (name, text) in TEXTS {
            assert!(Function::read(text).is_some(), "{name}");
        }
    }
}
