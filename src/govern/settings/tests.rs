use super::*;

fn set(name: &str, text: &str) -> Result<String, String> {
    assign_text(name, text, None).map(|a| a.value).map_err(|r| format!("{} {}", r.sqlstate, r.message))
}

#[test]
fn values_are_shown_as_postgres_shows_them() {
    // Each pair was taken from PostgreSQL 15.
    for (name, text, shown) in [
        ("statement_timeout", "90s", "90s"),
        ("statement_timeout", "1.5s", "1500ms"),
        ("statement_timeout", " 3 min ", "3min"),
        ("statement_timeout", "3600000", "1h"),
        ("statement_timeout", "1d", "1d"),
        ("statement_timeout", "100us", "0"),
        ("lock_timeout", "1e3", "1s"),
        ("datestyle", "german", "German, DMY"),
        ("datestyle", "iso, ymd", "ISO, YMD"),
        ("datestyle", "sql,euro", "SQL, DMY"),
        ("datestyle", "european", "ISO, DMY"),
        ("datestyle", "postgres", "Postgres, MDY"),
        ("timezone", "utc", "UTC"),
        ("timezone", "europe/berlin", "Europe/Berlin"),
        ("timezone", "5", "<+05>-05"),
        ("timezone", "-7.5", "<-07:30>+07:30"),
        ("timezone", "+02:30", "+02:30"),
        ("timezone", "PST8PDT", "PST8PDT"),
        ("timezone", "<x>-3", "<X>-3"),
        ("bytea_output", "HEX", "hex"),
        ("extra_float_digits", "2.6", "3"),
        ("jit", "yes", "on"),
        ("jit", "of", "off"),
        ("search_path", "", ""),
        ("search_path", "a, \"B c\"", "a, \"B c\""),
        ("client_encoding", "utf-8", "UTF8"),
        ("client_encoding", "'utf-8'", "UTF8"),
        ("default_transaction_isolation", "Serializable", "serializable"),
        ("application_name", "aäb", "a??b"),
        ("intervalstyle", "ISO_8601", "iso_8601"),
        ("role", "none", "none"),
    ] {
        assert_eq!(set(name, text).as_deref(), Ok(shown), "{name} = {text}");
    }
}

#[test]
fn what_postgres_refuses_is_refused_in_its_words() {
    for (name, text, error) in [
        (
            "statement_timeout",
            "-1",
            "22023 -1 ms is outside the valid range for parameter \"statement_timeout\" (0 .. 2147483647)",
        ),
        ("statement_timeout", "5 parsecs", "22023 invalid value for parameter \"statement_timeout\": \"5 parsecs\""),
        ("statement_timeout", "abc", "22023 invalid value for parameter \"statement_timeout\": \"abc\""),
        ("datestyle", "bogus", "22023 invalid value for parameter \"DateStyle\": \"bogus\""),
        ("datestyle", "iso, sql", "22023 invalid value for parameter \"DateStyle\": \"iso, sql\""),
        ("timezone", "bogus", "22023 invalid value for parameter \"TimeZone\": \"bogus\""),
        ("timezone", "local", "22023 invalid value for parameter \"TimeZone\": \"local\""),
        ("bytea_output", "x", "22023 invalid value for parameter \"bytea_output\": \"x\""),
        (
            "extra_float_digits",
            "5",
            "22023 5 is outside the valid range for parameter \"extra_float_digits\" (-15 .. 3)",
        ),
        ("jit", "o", "22023 parameter \"jit\" requires a Boolean value"),
        ("server_version", "x", "55P02 parameter \"server_version\" cannot be changed"),
        ("is_superuser", "off", "55P02 parameter \"is_superuser\" cannot be changed"),
        ("bogus", "1", "42704 unrecognized configuration parameter \"bogus\""),
        ("work_mem", "1GB", "42501 parameter \"work_mem\" may not be changed"),
        ("debug_print_plan", "on", "42501 parameter \"debug_print_plan\" may not be changed"),
        ("client_encoding", "latin1", "42501 parameter \"client_encoding\" may not be changed"),
        ("standard_conforming_strings", "off", "42501 parameter \"standard_conforming_strings\" may not be changed"),
        ("role", "postgres", "42501 parameter \"role\" may not be changed"),
        ("pgveil.ko", "00", "42501 parameter \"pgveil.ko\" is not allowed"),
    ] {
        assert_eq!(set(name, text), Err(error.to_owned()), "{name} = {text}");
    }
}

#[test]
fn items_of_set_are_names_already() {
    let set = |name, items: &[&str]| {
        let items: Vec<String> = items.iter().map(|item| (*item).to_owned()).collect();
        assign(name, &items, Some("German, DMY")).map(|a| a.value).map_err(|r| r.message)
    };
    assert_eq!(set("search_path", &["a, b"]).unwrap(), "\"a, b\"");
    assert_eq!(set("search_path", &[""]).unwrap(), "\"\"");
    assert_eq!(set("DATESTYLE", &["iso"]).unwrap(), "ISO, DMY");
    assert_eq!(set("DATESTYLE", &["iso", "mdy"]).unwrap(), "ISO, MDY");
    assert!(set("statement_timeout", &["1", "2"]).is_err());
}

#[test]
fn the_key_of_the_hash_mask_cannot_be_read() {
    for name in ["pgveil.ki", "pgveil.ko", "PGVEIL.KO"] {
        assert_eq!(readable(name).unwrap_err().sqlstate, sqlstate::UNDEFINED_OBJECT, "{name}");
    }
    assert_eq!(readable("data_directory").unwrap_err().sqlstate, sqlstate::INSUFFICIENT_PRIVILEGE);
    assert_eq!(readable("Transaction Isolation Level").unwrap().name, "transaction_isolation");
}

#[test]
fn the_list_is_in_order_and_every_default_is_a_value() {
    let names: Vec<String> = all().iter().map(|s| s.name.to_ascii_lowercase()).collect();
    assert!(names.is_sorted());
    for setting in all() {
        let shown = value::canonical(setting, setting.default, None);
        assert_eq!(shown.as_deref(), Ok(setting.default), "{}", setting.name);
    }
}

#[test]
fn a_timeout_above_the_limit_is_lowered_and_said_so() {
    use std::time::Duration;
    let limit = Some(Duration::from_secs(30));
    assert_eq!(clamp_timeout("10s", limit), ("10s".to_owned(), None));
    for above in ["0", "1min"] {
        let (value, notice) = clamp_timeout(above, limit);
        assert_eq!(value, "30s");
        assert!(notice.unwrap().message.contains("30s"));
    }
    assert_eq!(clamp_timeout("0", None), ("0".to_owned(), None));
}
