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
    pg_catalog.pg_attribute,
    pg_catalog.pg_class,
    pg_catalog.pg_namespace,
    pg_catalog.pg_type,
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
