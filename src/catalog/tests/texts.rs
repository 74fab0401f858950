//! Findings as they are printed, and texts of any kind.

use proptest::prelude::*;

use super::*;

/// Golden: a dozen typical mistakes as they look on a terminal.
#[test]
fn findings_as_they_are_printed() {
    let text = PRODUCT
        .replace("status = \"published\"", "status = \"publishd\"")
        .replace("contact = \"data@example.com\"", "contact = \"#data\"")
        .replace("type = \"timestamp\"", "type = \"timestamp\"\nmask = \"last4\"");
    let printed = compile_all(&[&text], &rules()).unwrap_err().to_string();
    assert_eq!(
        printed,
        r##"error: "publishd" is no value of "status"
  --> c/0.toml:6:10
  |
6 | status = "publishd"
  |          ^^^^^^^^^^
  help: did you mean "published"?

error: "#data" is not an e-mail address
  --> c/0.toml:9:11
  |
9 | contact = "#data"
  |           ^^^^^^^
  help: denials name it so that people know whom to ask; write "team@example.com"

error: the mask "last4" does not suit a column of type timestamp
  --> c/0.toml:21:8
   |
21 | mask = "last4"
   |        ^^^^^^^
  help: "last4" is for strings; "null", { value = … } and { sql = … } suit every type"##
    );
}

fn fragment() -> impl Strategy<Value = String> {
    let key = prop::sample::select(vec![
        "id",
        "domain",
        "name",
        "version",
        "status",
        "published_at",
        "tags",
        "relation",
        "warehouse",
        "owner",
        "contact",
        "sla",
        "freshness",
        "availability",
        "column",
        "type",
        "pii",
        "mask",
        "bucket",
        "value",
        "params",
        "min",
        "max",
        "columns",
        "sql",
        "max_stale_hours",
        "roles",
        "except",
        "where",
        "deprecation",
        "replaced_by",
        "sunset",
        "contract",
        "interval",
        "cron",
        "meta",
    ]);
    let value = prop_oneof![
        Just("1".to_owned()),
        Just("1e300".to_owned()),
        Just("nan".to_owned()),
        Just("\"a.b\"".to_owned()),
        Just("\"\\\"é\\\".x\"".to_owned()),
        Just("\"1h\"".to_owned()),
        Just("2027-01-31".to_owned()),
        Just("9999-12-31T23:59:60.999999999999Z".to_owned()),
        Just("{ sql = \"x\", min = 3 }".to_owned()),
        Just("[\"a\", 3]".to_owned()),
        prop::sample::select(vec![
            "\"string\"",
            "\"integer\"",
            "\"date\"",
            "\"unique\"",
            "\"range\"",
            "\"freshness\"",
            "\"row_count\"",
            "\"year\"",
        ])
        .prop_map(str::to_owned),
        ".{0,8}",
    ];
    let line =
        (prop::collection::vec(key, 1..3), value).prop_map(|(keys, value)| format!("{} = {value}\n", keys.join(".")));
    let header = prop::sample::select(vec![
        "[owner]\n",
        "[sla]\n",
        "[[schema]]\n",
        "[[quality_checks]]\n",
        "[[row_filters]]\n",
        "[deprecation]\n",
        "[contract]\n",
        "[meta]\n",
    ])
    .prop_map(str::to_owned);
    prop::collection::vec(prop_oneof![3 => line, 2 => header], 0..16).prop_map(|parts| parts.concat())
}

proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(text in prop_oneof![".*", "[\\x00-\\x7f]{0,200}", fragment()], end in fragment()) {
        for text in [text, format!("{PRODUCT}{end}")] {
            for quarantine in [false, true] {
                let rules = CatalogRules { quarantine, ..rules() };
                let result = compile_all(&[&text, PRODUCT], &rules);
                prop_assert!(!quarantine || result.is_ok());
                if let Err(findings) = result {
                    let _ = findings.to_string();
                }
            }
        }
    }
}
