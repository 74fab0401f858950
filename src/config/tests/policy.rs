//! policy.toml: one mistake each, as it is told.

use super::*;

#[test]
fn a_policy_is_compiled() {
    let text = "[defaults]\nmax_rows = 5\nstatement_timeout = \"0s\"\n[roles.a]\nproducts = [\"d.*\", \"d.p\", \"*\"]\n\
                unmask = [\"*\", \"d.*\", \"d.p.*\", \"d.p.c\", \"*.*.c\"]\nmax_concurrent = 2\n[roles.b]\ndiscover = []\n\
                [groups.g]\nroles = [\"b\", \"a\"]\n[users.u]\nroles = [\"b\"]\ngroups = [\"g\"]\nmax_rows = 7\n\
                certificate = \"CN=u,O=Example\"\nattributes = { one = \"x\", many = [\"y\", \"z\"] }\n";
    let (policy, warnings) = policy(text).unwrap();
    assert!(warnings.is_empty(), "{warnings}");
    let user = &policy.users["u"];
    assert_eq!(user.roles, [RoleName::new("a"), RoleName::new("b")]);
    assert_eq!(user.attributes["one"], Attribute::One("x".to_owned()));
    assert_eq!(user.attributes["many"], Attribute::Many(vec!["y".to_owned(), "z".to_owned()]));
    assert_eq!((policy.defaults.max_rows, user.limits.max_rows), (Some(5), Some(7)));
    assert_eq!(policy.defaults.statement_timeout, Some(std::time::Duration::ZERO));
    let (a, b) = (&policy.roles["a"], &policy.roles["b"]);
    assert_eq!((a.discover.len(), a.copy_out, a.limits.max_concurrent), (1, true, Some(2)));
    assert!(b.discover.is_empty() && b.products.is_empty());
}

#[test]
fn mistakes_in_the_policy() {
    let verifier_hint = "run `pgveil hash-password` and write what it prints";
    let products = "write \"*\", \"DOMAIN.*\" or \"DOMAIN.PRODUCT\"";
    let columns = "write \"*\", \"DOMAIN.*\", \"DOMAIN.PRODUCT.*\", \"DOMAIN.PRODUCT.COLUMN\" or \"*.*.COLUMN\"";
    for (text, expected) in [
        ("[roles.a]\nproducts = [\"a.b.c\"]", format!("2:13 \"a.b.c\" is no pattern on products | {products}")),
        ("[roles.a]\nproducts = [\"mark*\"]", format!("2:13 \"mark*\" is no pattern on products | {products}")),
        ("[roles.a]\nproducts = [\"d.*x\"]", format!("2:13 \"d.*x\" is no pattern on products | {products}")),
        ("[roles.a]\nproducts = [\"D.p\"]", format!("2:13 \"D.p\" is no pattern on products | {products}")),
        ("[roles.a]\ndrafts = [\"\"]", format!("2:11 \"\" is no pattern on products | {products}")),
        ("[roles.a]\nunmask = [\"d.p\"]", format!("2:11 \"d.p\" is no pattern on columns | {columns}")),
        ("[roles.a]\nunmask = [\"email\"]", format!("2:11 \"email\" is no pattern on columns | {columns}")),
        ("[roles.a]\ncopy_out = \"yes\"", "2:12 \"roles.a.copy_out\" must be true or false, not a string".to_owned()),
        ("[roles.a]\nmax_rows = -1", format!("2:12 \"roles.a.max_rows\" must be a whole number from 0 to {}", i64::MAX - 1)),
        ("[roles.a]\nproduct = []", "2:1 unknown key \"product\" in [roles.a] | did you mean \"products\"?".to_owned()),
        ("[roles.a]\n[groups.g]\nroles = [\"b\", \"aa\"]", "3:15 there is no role \"aa\" | did you mean \"a\"?".to_owned()),
        ("[users.u]\nroles = [\"analyst\"]", "2:10 there is no role \"analyst\"".to_owned()),
        (
            "[groups.growth]\n[users.u]\ngroups = [\"grwth\"]",
            "3:11 there is no group \"grwth\" | did you mean \"growth\"?".to_owned(),
        ),
        (
            "[users.u]\npassword = \"secret\"",
            format!("2:12 the password is not a SCRAM-SHA-256 verifier; plaintext is not accepted | {verifier_hint}"),
        ),
        (
            "[users.u]\npassword = \"SCRAM-SHA-256$1000:c2FsdA==$a:b\"",
            format!("2:12 the SCRAM-SHA-256 verifier must have 4096 to 10000000 iterations | {verifier_hint}"),
        ),
        (
            "[users.u]\ncertificate = \"superset\"",
            "2:15 \"superset\" is not a certificate subject | write it as in RFC 4514, such as \"CN=superset,O=Example\""
                .to_owned(),
        ),
        (
            "[users.u]\nattributes = { region = 3 }",
            "2:25 \"users.u.attributes.region\" must be a string or an array of strings, not an integer".to_owned(),
        ),
        (
            "[users.u]\nattributes = { \"a b\" = \"x\" }",
            "2:16 an attribute's name must begin with a letter and have letters, digits, _ and - alone | row filters \
             read it as {user.NAME}"
                .to_owned(),
        ),
        ("[users.u]\non_behalf_of = [\"x\"]", "2:17 there is no role \"x\"".to_owned()),
        (
            "[users.ana]\n[tokens.t]\nuser = \"anna\"\nsha256 = \"00\"",
            "3:8 there is no user \"anna\" | did you mean \"ana\"?".to_owned(),
        ),
        (
            "[users.u]\n[tokens.t]\nuser = \"u\"\nsha256 = \"00\"",
            "4:10 sha256 is not 64 hex digits | write the SHA-256 of the token: `printf %s \"$TOKEN\" | sha256sum`"
                .to_owned(),
        ),
        (
            "[users.u]\n[tokens.t]\nuser = \"u\"\nsha256 = \"00\"\nexpires = \"2027-01-31\"",
            "5:11 \"tokens.t.expires\" must be a date without quotes, such as 2027-01-31, not a string".to_owned(),
        ),
        (
            "[governance]\ncolumn_names = \"(\"",
            "2:16 \"(\" is not a regular expression: found open group without closing ')'".to_owned(),
        ),
        (
            "[domains.marketing]\nrelations = [\"marketing\"]",
            "2:14 \"marketing\" is no pattern on relations | write SCHEMA.TABLE, where * stands for any characters: \
             \"public.marketing_*\""
                .to_owned(),
        ),
        (
            "[domains.growth_team]\nrelations = []",
            "1:10 \"growth_team\" cannot be a domain | a domain has lower-case letters, digits and dashes, and begins with \
             a letter"
                .to_owned(),
        ),
        ("[domains.marketing]", "1:1 \"relations\" in [domains.marketing] is missing".to_owned()),
        (
            "[functions]\nallow = [\"upper\"]",
            "2:10 \"upper\" cannot be allowed as a function | write SCHEMA.FUNCTION, without arguments".to_owned(),
        ),
        (
            "[functions]\nallow = [\"pg_catalog.pg_read_file\"]",
            "2:10 \"pg_catalog.pg_read_file\" cannot be allowed as a function | pgveil itself decides which functions of \
             Postgres may be called"
                .to_owned(),
        ),
    ] {
        let told = policy_mistakes(text);
        assert!(told.contains(&expected), "{text}\n  expected: {expected}\n  told: {told:#?}");
    }
}

#[test]
fn warnings_of_a_policy() {
    let hash = "0".repeat(64);
    let text = format!(
        "[roles.a]\n[users.u]\non_behalf_of = [\"a\"]\n[users.v]\n[tokens.t]\nuser = \"v\"\nsha256 = \"{hash}\"\n"
    );
    let (policy, warnings) = policy(&text).unwrap();
    assert_eq!(policy.tokens["t"].sha256.expose(), hash);
    assert_eq!(
        told(&warnings),
        [
            "2:8 user \"u\" has no way to log in | add password (see `pgveil hash-password`) or certificate",
            "3:16 [users.u] on_behalf_of is accepted, but not yet in force",
        ]
    );
    let twice = format!("{text}[tokens.s]\nuser = \"v\"\nsha256 = \"{hash}\"\n");
    let findings = policy_mistakes(&twice);
    assert!(
        findings.iter().any(|f| f.contains("this token is defined at /etc/pgveil/policy.toml:10 too")),
        "{findings:?}"
    );
}

#[test]
fn a_policy_of_several_files_is_one() {
    let file = |name: &str, text: &str| SourceFile::new(format!("policy.d/{name}"), text);
    let files = [
        file("a.toml", "[defaults]\nmax_rows = 5\n[roles.a]\n"),
        file("b.toml", "[defaults]\nqueue_timeout = \"1s\"\n[users.u]\nroles = [\"a\"]\n"),
    ];
    let (parsed, _) = parse_policy(&files, Substitution::any(&nothing())).unwrap();
    assert_eq!(parsed.policy.defaults.max_rows, Some(5));
    assert_eq!(parsed.policy.users["u"].roles, [RoleName::new("a")]);

    let files = [
        file("a.toml", "[defaults]\nmax_rows = 5\n\n[roles.a]\n"),
        file("b.toml", "[roles.a]\n[defaults]\nmax_rows = 6\n"),
    ];
    let findings = parse_policy(&files, Substitution::any(&nothing())).unwrap_err();
    assert_eq!(
        told(&findings),
        [
            "1:8 [roles] a is already defined at policy.d/a.toml:4 | keep one of the two definitions",
            "3:1 [defaults] max_rows is already defined at policy.d/a.toml:2 | keep one of the two definitions",
        ]
    );
    assert!(findings.iter().all(|f| f.file == Path::new("policy.d/b.toml")));
}

#[test]
fn files_that_cannot_be_read_are_told() {
    let dir = tempfile::tempdir().unwrap();
    let missing = load_server(&dir.path().join("pgveil.toml")).unwrap_err();
    assert!(told(&missing)[0].starts_with("0:0 the file cannot be read: No such file"), "{missing}");
    let empty = load_policy(dir.path()).unwrap_err();
    assert!(told(&empty)[0].contains("holds no *.toml file"), "{empty}");
    std::fs::write(dir.path().join("p.toml"), b"a = 1\n\xff").unwrap();
    let binary = load_policy(dir.path()).unwrap_err();
    assert!(told(&binary)[0].contains("not UTF-8: byte 6, in line 2"), "{binary}");
}
