//! The shape of a warehouse's DSN. A message about it never shows any part of it: it may hold a password.

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

#[cfg(test)]
mod tests {
    use super::check;

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
