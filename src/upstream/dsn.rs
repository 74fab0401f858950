//! Where a warehouse is and how to get in: a DSN, read.

use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use tokio_postgres::config::{Config, Host, SslMode as ConfigSslMode};

use crate::config::{SecretString, WarehouseConfig};

/// libpq's sslmode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SslMode {
    /// No TLS.
    Disable,
    /// TLS when the warehouse offers it; its certificate is not looked at.
    Prefer,
    /// TLS; the certificate is looked at only when `sslrootcert` is given.
    Require,
    /// TLS with a certificate of a trusted authority.
    VerifyCa,
    /// TLS with a certificate of a trusted authority for this very host.
    VerifyFull,
}

/// Which authorities are trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Roots {
    /// The system's.
    System,
    /// Those of a PEM file.
    File(PathBuf),
}

/// One place where the warehouse may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A name or address and a port; `address` spares the look-up of the name.
    Tcp { host: String, address: Option<IpAddr>, port: u16 },
    /// A socket file.
    Unix(PathBuf),
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Tcp { host, port, .. } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp { host, port, .. } => write!(f, "{host}:{port}"),
            Self::Unix(path) => write!(f, "{}", path.display()),
        }
    }
}

/// A DSN, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dsn {
    /// Tried in this order; at least one.
    pub places: Vec<Place>,
    /// The account.
    pub user: String,
    /// The database.
    pub database: String,
    /// The password, of the configuration or the DSN.
    pub password: Option<SecretString>,
    /// How much TLS.
    pub ssl: SslMode,
    /// `sslrootcert`; `None`: the system's where they are needed.
    pub roots: Option<Roots>,
    /// From the first byte to the end of authentication.
    pub connect_timeout: Duration,
}

/// The default of `connect_timeout`.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

const PARAMETERS: &[&str] =
    &["host", "hostaddr", "port", "user", "dbname", "password", "sslmode", "sslrootcert", "connect_timeout"];

const FORM: &str = "write postgres://USER@HOST:PORT/DATABASE?sslmode=…, with the characters @ : / ? # % and spaces \
                    percent-encoded, and the password in `password`";

impl Dsn {
    /// Reads the DSN of a warehouse. The error says what is wrong with it and never repeats a part that may be secret.
    pub fn read(config: &WarehouseConfig) -> Result<Self, String> {
        let mut dsn = Self::parse(config.dsn.expose())?;
        if config.password.is_some() {
            dsn.password.clone_from(&config.password);
        }
        Ok(dsn)
    }

    fn parse(text: &str) -> Result<Self, String> {
        if !text.starts_with("postgres://") && !text.starts_with("postgresql://") {
            return Err(format!("the DSN does not begin with postgres://; {FORM}"));
        }
        let own = OwnParameters::take(text)?;
        // The library's errors repeat parts of the text.
        let config = Config::from_str(&own.rest).map_err(|_| format!("the DSN cannot be read; {FORM}"))?;
        let user = config.get_user().ok_or("the DSN names no user; write postgres://USER@HOST/DATABASE")?.to_owned();
        let password = match config.get_password() {
            None => None,
            Some(bytes) => {
                let text = std::str::from_utf8(bytes).map_err(|_| "the DSN's password is not UTF-8")?;
                Some(SecretString::new(text))
            }
        };
        let ssl = own.ssl.unwrap_or(match config.get_ssl_mode() {
            ConfigSslMode::Disable => SslMode::Disable,
            ConfigSslMode::Require => SslMode::Require,
            _ => SslMode::Prefer,
        });
        Ok(Self {
            places: places(&config)?,
            database: config.get_dbname().unwrap_or(&user).to_owned(),
            user,
            password,
            ssl,
            roots: own.roots,
            connect_timeout: config.get_connect_timeout().copied().unwrap_or(CONNECT_TIMEOUT),
        })
    }

    /// The account and the place, for logs.
    pub fn label(&self) -> String {
        let place = self.places.first().map(ToString::to_string).unwrap_or_default();
        format!("{}@{place}/{}", self.user, self.database)
    }
}

fn places(config: &Config) -> Result<Vec<Place>, String> {
    let ports = config.get_ports();
    let port = |n: usize| ports.get(n).or(ports.first()).copied().unwrap_or(5432);
    let addresses = config.get_hostaddrs();
    let mut places: Vec<Place> = config
        .get_hosts()
        .iter()
        .enumerate()
        .map(|(n, host)| match host {
            Host::Tcp(host) => Place::Tcp { host: host.clone(), address: addresses.get(n).copied(), port: port(n) },
            Host::Unix(directory) => Place::Unix(directory.join(format!(".s.PGSQL.{}", port(n)))),
        })
        .collect();
    if places.is_empty() {
        places = addresses
            .iter()
            .enumerate()
            .map(|(n, address)| Place::Tcp { host: address.to_string(), address: Some(*address), port: port(n) })
            .collect();
    }
    if places.is_empty() {
        return Err("the DSN names no host; write postgres://USER@HOST/DATABASE, or host=/run/postgresql as a \
                    parameter for a socket directory"
            .to_owned());
    }
    Ok(places)
}

/// What the library does not read as libpq does: sslmode with verification, and sslrootcert.
struct OwnParameters {
    ssl: Option<SslMode>,
    roots: Option<Roots>,
    rest: String,
}

impl OwnParameters {
    fn take(text: &str) -> Result<Self, String> {
        let (base, query) = text.split_once('?').unwrap_or((text, ""));
        let mut own = Self { ssl: None, roots: None, rest: base.to_owned() };
        let mut separator = '?';
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            match name {
                "sslmode" => own.ssl = Some(ssl_mode(value)?),
                "sslrootcert" => {
                    let path = percent_decode(value).ok_or("sslrootcert is not a percent-encoded path")?;
                    own.roots = Some(if path == "system" { Roots::System } else { Roots::File(path.into()) });
                }
                _ if PARAMETERS.contains(&name) => {
                    own.rest.push(separator);
                    separator = '&';
                    own.rest.push_str(pair);
                }
                // A `?` of an unencoded password makes a part of it look like a parameter: only a word is repeated.
                _ if name.len() < 32
                    && !query.contains('@')
                    && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_') =>
                {
                    return Err(format!(
                        "the DSN's parameter {name} is not known; known are {}",
                        PARAMETERS.join(", ")
                    ));
                }
                _ => return Err(format!("the DSN cannot be read; {FORM}")),
            }
        }
        Ok(own)
    }
}

fn ssl_mode(value: &str) -> Result<SslMode, String> {
    match value {
        "disable" => Ok(SslMode::Disable),
        "prefer" => Ok(SslMode::Prefer),
        "require" => Ok(SslMode::Require),
        "verify-ca" => Ok(SslMode::VerifyCa),
        "verify-full" => Ok(SslMode::VerifyFull),
        _ => Err("the DSN's sslmode is none of disable, prefer, require, verify-ca, verify-full".to_owned()),
    }
}

fn percent_decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digit = |b: u8| char::from(b).to_digit(16);
            let value = digit(rest.next()?)? * 16 + digit(rest.next()?)?;
            bytes.push(u8::try_from(value).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_read_with_libpqs_ssl_modes() {
        let dsn = Dsn::parse(
            "postgres://veil:p%40ss@wh.example:6543/analytics?sslmode=verify-full&sslrootcert=%2Fetc%2Fca.pem&connect_timeout=3",
        )
        .unwrap();
        assert_eq!(dsn.places, [Place::Tcp { host: "wh.example".into(), address: None, port: 6543 }]);
        assert_eq!((dsn.user.as_str(), dsn.database.as_str()), ("veil", "analytics"));
        assert_eq!(dsn.password.as_ref().map(SecretString::expose), Some("p@ss"));
        assert_eq!(dsn.ssl, SslMode::VerifyFull);
        assert_eq!(dsn.roots, Some(Roots::File("/etc/ca.pem".into())));
        assert_eq!(dsn.connect_timeout, Duration::from_secs(3));
    }

    #[test]
    fn sockets_and_defaults() {
        let dsn = Dsn::parse("postgres://u@%2Frun%2Fpostgresql/db").unwrap();
        assert_eq!(dsn.places, [Place::Unix("/run/postgresql/.s.PGSQL.5432".into())]);
        let dsn = Dsn::parse("postgresql://u@h").unwrap();
        assert_eq!((dsn.database.as_str(), dsn.ssl), ("u", SslMode::Prefer));
        let dsn = Dsn::parse("postgres://u@[::1]:5/db?sslmode=disable").unwrap();
        assert_eq!(dsn.places[0].to_string(), "[::1]:5");
    }

    #[test]
    fn errors_say_what_to_write_and_repeat_no_secret() {
        for (text, part) in [
            ("host=h user=u password=hunter2", "postgres://"),
            ("postgres://h/db", "names no user"),
            ("postgres:///db?user=u", "names no host"),
            ("postgres://u@h/db?sslmode=no", "verify-full"),
            ("postgres://u@h/db?options=-c%20x", "parameter options is not known"),
            ("postgres://u:hunter2?x@h/db", "percent-encoded"),
            ("postgres://u:hunter2@h:port/db", "percent-encoded"),
        ] {
            let error = Dsn::parse(text).unwrap_err();
            assert!(error.contains(part), "{text}: {error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}
