//! The shape of a warehouse's DSN. A message about it never shows any part of it: it may hold a password.

use std::path::Path;

/// Values of `sslmode`, as libpq has them, without `allow`, which prefers plaintext.
const SSL_MODES: [&str; 5] = ["disable", "prefer", "require", "verify-ca", "verify-full"];
/// Parameters of libpq about TLS that tokio-postgres leaves to its caller.
const TLS_PARAMETERS: [&str; 2] = ["sslmode", "sslrootcert"];

/// Checks `postgres://USER@HOST:PORT/DATABASE?…`. The error says what is wrong and what to write instead.
pub(super) fn check(dsn: &str) -> Result<(), (String, String)> {
    let form = "write postgres://USER@HOST:PORT/DATABASE?sslmode=verify-full".to_owned();
    if !dsn.starts_with("postgres://") && !dsn.starts_with("postgresql://") {
        return Err(("the DSN is not a postgres:// URL".to_owned(), form));
    }
    let (base, query) = dsn.split_once('?').unwrap_or((dsn, ""));
    let mut rest = Vec::new();
    for parameter in query.split('&').filter(|p| !p.is_empty()) {
        let (key, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        if key == "sslmode" && !SSL_MODES.contains(&value) {
            return Err((
                "the DSN's sslmode is not known".to_owned(),
                format!("write one of {}", SSL_MODES.join(", ")),
            ));
        }
        if !TLS_PARAMETERS.contains(&key) {
            rest.push(parameter);
        }
    }
    let plain = if rest.is_empty() { base.to_owned() } else { format!("{base}?{}", rest.join("&")) };
    let parsed: tokio_postgres::Config = plain
        .parse()
        .map_err(|_| ("the DSN cannot be read: its host, port or a parameter is wrong".to_owned(), form.clone()))?;
    if parsed.get_hosts().is_empty() && parsed.get_hostaddrs().is_empty() {
        return Err(("the DSN names no host".to_owned(), form));
    }
    if parsed.get_user().is_none_or(str::is_empty) {
        return Err(("the DSN names no user".to_owned(), form));
    }
    Ok(())
}

/// The DSN with a relative `sslrootcert` made absolute: it starts at the directory of the file that the DSN stands in.
pub(super) fn with_root_certificate_from(directory: &Path, dsn: &str) -> String {
    let Some((base, query)) = dsn.split_once('?') else { return dsn.to_owned() };
    let parameters: Vec<String> = query
        .split('&')
        .map(|parameter| match parameter.strip_prefix("sslrootcert=") {
            Some(path) if is_relative(path) => format!("sslrootcert={}/{path}", encoded(directory)),
            _ => parameter.to_owned(),
        })
        .collect();
    format!("{base}?{}", parameters.join("&"))
}

/// `system` is no file.
fn is_relative(path: &str) -> bool {
    let absolute = path.starts_with('/') || path.get(..3).is_some_and(|start| start.eq_ignore_ascii_case("%2f"));
    !path.is_empty() && path != "system" && !absolute
}

/// Every byte that could mean something in a URL as `%XX`.
fn encoded(path: &Path) -> String {
    let mut text = String::new();
    for byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' | b'~' => text.push(char::from(*byte)),
            other => text.push_str(&format!("%{other:02X}")),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{check, with_root_certificate_from};

    #[test]
    fn a_relative_root_certificate_starts_at_the_file() {
        let made = |query: &str| {
            let dsn = with_root_certificate_from(Path::new("/etc/pg veil"), &format!("postgres://u:p%3F@h/x{query}"));
            dsn.strip_prefix("postgres://u:p%3F@h/x").unwrap().to_owned()
        };
        assert_eq!(
            made("?sslmode=verify-full&sslrootcert=tls/ca%20.pem"),
            "?sslmode=verify-full&sslrootcert=/etc/pg%20veil/tls/ca%20.pem"
        );
        for stays in ["", "?", "?sslrootcert=system", "?sslrootcert=/a.pem&sslmode=prefer", "?sslrootcert=%2Fa.pem"] {
            assert_eq!(made(stays), stays);
        }
    }

    #[test]
    fn what_libpq_reads_is_read() {
        for good in [
            "postgres://pgveil@127.0.0.1:5432/analytics?sslmode=prefer",
            "postgresql://u:p%40ss@db.example.com/x?sslmode=verify-full&sslrootcert=/etc/ca.pem",
            "postgres://u@[::1]:5432/x",
            "postgres://u@h1,h2:5433/x?target_session_attrs=any&connect_timeout=5",
            "postgres://u@%2Frun%2Fpostgresql/x",
        ] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
    }

    #[test]
    fn mistakes_are_told_without_the_dsn() {
        for (bad, message) in [
            ("host=x user=hunter2", "not a postgres:// URL"),
            ("postgres://u:hunter2@h/x?sslmode=verify", "sslmode is not known"),
            ("postgres://u:hunter2@h:port/x", "cannot be read"),
            ("postgres://u:hunter2@h/x?colour=red", "cannot be read"),
            ("postgres://u:hunter2@h/x?sslmode=allow", "sslmode is not known"),
            ("postgres://h/x", "names no user"),
        ] {
            let (said, hint) = check(bad).unwrap_err();
            assert!(said.contains(message), "{bad}: {said}");
            assert!(!said.contains("hunter2") && !hint.contains("hunter2"), "{said} {hint}");
        }
    }
}
