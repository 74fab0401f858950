//! The governed relations. A file that is not listed here is not served; a test holds the list against the directory.

/// A file of `relations/`.
pub(super) struct Template {
    pub(super) schema: &'static str,
    pub(super) name: &'static str,
    pub(super) text: &'static str,
}

macro_rules! templates {
    ($($schema:ident . $name:ident),* $(,)?) => {
        pub(super) const TEMPLATES: &[Template] = &[$(Template {
            schema: stringify!($schema),
            name: stringify!($name),
            text: include_str!(concat!("relations/", stringify!($schema), ".", stringify!($name), ".sql")),
        }),*];
    };
}

templates! {
    pg_catalog.pg_aggregate,
    pg_catalog.pg_am,
    pg_catalog.pg_amop,
    pg_catalog.pg_amproc,
    pg_catalog.pg_attrdef,
    pg_catalog.pg_attribute,
    pg_catalog.pg_auth_members,
    pg_catalog.pg_available_extension_versions,
    pg_catalog.pg_available_extensions,
    pg_catalog.pg_cast,
    pg_catalog.pg_class,
    pg_catalog.pg_collation,
    pg_catalog.pg_constraint,
    pg_catalog.pg_conversion,
    pg_catalog.pg_cursors,
    pg_catalog.pg_database,
    pg_catalog.pg_db_role_setting,
    pg_catalog.pg_default_acl,
    pg_catalog.pg_depend,
    pg_catalog.pg_description,
    pg_catalog.pg_enum,
    pg_catalog.pg_event_trigger,
    pg_catalog.pg_extension,
    pg_catalog.pg_foreign_data_wrapper,
    pg_catalog.pg_foreign_server,
    pg_catalog.pg_foreign_table,
    pg_catalog.pg_group,
    pg_catalog.pg_index,
    pg_catalog.pg_indexes,
    pg_catalog.pg_inherits,
    pg_catalog.pg_init_privs,
    pg_catalog.pg_language,
    pg_catalog.pg_largeobject,
    pg_catalog.pg_largeobject_metadata,
    pg_catalog.pg_locks,
    pg_catalog.pg_matviews,
    pg_catalog.pg_namespace,
    pg_catalog.pg_opclass,
    pg_catalog.pg_operator,
    pg_catalog.pg_opfamily,
    pg_catalog.pg_partitioned_table,
    pg_catalog.pg_policies,
    pg_catalog.pg_policy,
    pg_catalog.pg_prepared_statements,
    pg_catalog.pg_prepared_xacts,
    pg_catalog.pg_proc,
    pg_catalog.pg_publication,
    pg_catalog.pg_publication_namespace,
    pg_catalog.pg_publication_rel,
    pg_catalog.pg_publication_tables,
    pg_catalog.pg_range,
    pg_catalog.pg_replication_origin,
    pg_catalog.pg_replication_slots,
    pg_catalog.pg_rewrite,
    pg_catalog.pg_roles,
    pg_catalog.pg_rules,
    pg_catalog.pg_seclabel,
    pg_catalog.pg_seclabels,
    pg_catalog.pg_sequence,
    pg_catalog.pg_sequences,
    pg_catalog.pg_settings,
    pg_catalog.pg_shdepend,
    pg_catalog.pg_shdescription,
    pg_catalog.pg_shseclabel,
    pg_catalog.pg_stat_activity,
    pg_catalog.pg_stat_all_indexes,
    pg_catalog.pg_stat_all_tables,
    pg_catalog.pg_stat_archiver,
    pg_catalog.pg_stat_bgwriter,
    pg_catalog.pg_stat_database,
    pg_catalog.pg_stat_gssapi,
    pg_catalog.pg_stat_progress_analyze,
    pg_catalog.pg_stat_progress_cluster,
    pg_catalog.pg_stat_progress_copy,
    pg_catalog.pg_stat_progress_create_index,
    pg_catalog.pg_stat_progress_vacuum,
    pg_catalog.pg_stat_replication,
    pg_catalog.pg_stat_ssl,
    pg_catalog.pg_stat_subscription,
    pg_catalog.pg_stat_sys_indexes,
    pg_catalog.pg_stat_sys_tables,
    pg_catalog.pg_stat_user_functions,
    pg_catalog.pg_stat_user_indexes,
    pg_catalog.pg_stat_user_tables,
    pg_catalog.pg_stat_wal_receiver,
    pg_catalog.pg_stat_xact_all_tables,
    pg_catalog.pg_stat_xact_sys_tables,
    pg_catalog.pg_stat_xact_user_functions,
    pg_catalog.pg_stat_xact_user_tables,
    pg_catalog.pg_statio_all_indexes,
    pg_catalog.pg_statio_all_sequences,
    pg_catalog.pg_statio_all_tables,
    pg_catalog.pg_statio_sys_indexes,
    pg_catalog.pg_statio_sys_sequences,
    pg_catalog.pg_statio_sys_tables,
    pg_catalog.pg_statio_user_indexes,
    pg_catalog.pg_statio_user_sequences,
    pg_catalog.pg_statio_user_tables,
    pg_catalog.pg_statistic_ext,
    pg_catalog.pg_statistic_ext_data,
    pg_catalog.pg_stats,
    pg_catalog.pg_stats_ext,
    pg_catalog.pg_stats_ext_exprs,
    pg_catalog.pg_subscription,
    pg_catalog.pg_subscription_rel,
    pg_catalog.pg_tables,
    pg_catalog.pg_tablespace,
    pg_catalog.pg_timezone_abbrevs,
    pg_catalog.pg_timezone_names,
    pg_catalog.pg_transform,
    pg_catalog.pg_trigger,
    pg_catalog.pg_ts_config,
    pg_catalog.pg_ts_config_map,
    pg_catalog.pg_ts_dict,
    pg_catalog.pg_ts_parser,
    pg_catalog.pg_ts_template,
    pg_catalog.pg_type,
    pg_catalog.pg_user,
    pg_catalog.pg_user_mappings,
    pg_catalog.pg_views,
}

/// Schema and name of every relation that has a template and lies in the warehouse.
pub fn governed() -> impl Iterator<Item = (&'static str, &'static str)> {
    TEMPLATES.iter().filter(|template| template.schema != "pgveil").map(|template| (template.schema, template.name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_listed() {
        let directory = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/introspect/relations");
        let mut files: Vec<String> = std::fs::read_dir(directory)
            .unwrap()
            .map(|file| file.unwrap().file_name().into_string().unwrap())
            .filter(|file| file.ends_with(".sql"))
            .collect();
        files.sort();
        let mut listed: Vec<String> = TEMPLATES.iter().map(|t| format!("{}.{}.sql", t.schema, t.name)).collect();
        listed.sort();
        assert_eq!(files, listed);
    }
}
