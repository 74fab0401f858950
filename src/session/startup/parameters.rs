//! What a client asks for in its StartupMessage, checked and taken apart.

use crate::error::{ClientError, ErrorKind, sqlstate};

/// The most parameters that are looked at, those of `options` included.
const MAX_PARAMETERS: usize = 100;

/// Prefix of names that are about the protocol, not the session.
const PROTOCOL_OPTION: &str = "_pq_.";

/// A StartupMessage, taken apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) user: String,
    pub(super) database: String,
    pub(super) application: String,
    /// Names in lower case; where one is there twice, the last one counts.
    pub(super) settings: Vec<(String, String)>,
    /// Protocol options that were not understood.
    pub(super) unknown_options: Vec<String>,
}

impl Wanted {
    /// Sorts the parameters. On an error `self` holds what was understood up to there, for the audit record.
    pub(super) fn read(&mut self, parameters: Vec<(String, String)>) -> Result<(), ClientError> {
        let mut from_options = vec![];
        let mut direct = vec![];
        let mut error = None;
        if parameters.len() > MAX_PARAMETERS {
            return Err(too_many());
        }
        for (name, value) in parameters {
            match name.as_str() {
                "user" => self.user = value,
                "database" => self.database = value,
                "replication" if wants_replication(&value) => error = Some(replication()),
                "replication" => (),
                "options" => match split_options(&value) {
                    Ok(settings) => from_options.extend(settings),
                    Err(wrong) => error = Some(wrong),
                },
                _ if name.starts_with(PROTOCOL_OPTION) => self.unknown_options.push(name),
                _ => direct.push((name.to_ascii_lowercase(), value)),
            }
        }
        if self.user.is_empty() {
            return Err(no_user());
        }
        if self.database.is_empty() {
            self.database.clone_from(&self.user);
        }
        if let Some(error) = error {
            return Err(error);
        }
        // As in Postgres, a parameter of its own wins over one in options.
        for (name, value) in from_options.into_iter().chain(direct) {
            self.set(name, value)?;
        }
        if self.settings.len() > MAX_PARAMETERS { Err(too_many()) } else { Ok(()) }
    }

    fn set(&mut self, name: String, value: String) -> Result<(), ClientError> {
        let value = match name.as_str() {
            "client_encoding" => utf8_encoding(&value)?,
            "application_name" => {
                self.application = printable(&value);
                self.application.clone()
            }
            _ => value,
        };
        self.settings.retain(|(known, _)| *known != name);
        self.settings.push((name, value));
        Ok(())
    }
}

fn fatal(sqlstate: crate::error::SqlState, message: impl Into<String>) -> ClientError {
    ClientError::fatal(ErrorKind::Client, sqlstate, message)
}

fn no_user() -> ClientError {
    fatal(sqlstate::INVALID_AUTHORIZATION_SPECIFICATION, "no PostgreSQL user name specified in startup packet")
        .with_hint("Give a user name, for example with psql -U NAME.")
}

fn replication() -> ClientError {
    fatal(sqlstate::FEATURE_NOT_SUPPORTED, "replication connections are not supported")
        .with_hint("pgveil answers queries over published data products; replicate from the warehouse itself.")
}

fn too_many() -> ClientError {
    fatal(sqlstate::PROGRAM_LIMIT_EXCEEDED, "too many startup parameters")
        .with_hint(format!("At most {MAX_PARAMETERS} are accepted."))
}

/// `database` and every spelling of true. What is neither true nor false is for replication as well: it is no query session.
fn wants_replication(value: &str) -> bool {
    !matches!(value.to_ascii_lowercase().as_str(), "false" | "off" | "no" | "0" | "f" | "n")
}

/// pgveil speaks UTF-8 and nothing else; Postgres ignores case and what is neither letter nor digit in an encoding's name.
fn utf8_encoding(value: &str) -> Result<String, ClientError> {
    let name: String = value.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
    if matches!(name.as_str(), "utf8" | "unicode") {
        return Ok("UTF8".to_owned());
    }
    Err(fatal(
        sqlstate::INVALID_PARAMETER_VALUE,
        format!("invalid value for parameter \"client_encoding\": \"{}\"", shown(value)),
    )
    .with_hint("pgveil speaks UTF8 only; set client_encoding (PGCLIENTENCODING for libpq) to UTF8."))
}

/// An application's name as Postgres shows it: at most 63 bytes, what is not printable ASCII as `?`.
fn printable(name: &str) -> String {
    let printable = |c: char| if c.is_ascii_graphic() || c == ' ' { c } else { '?' };
    name.chars().take(crate::names::MAX_IDENTIFIER_BYTES).map(printable).collect()
}

/// A client's own text in an error message, bounded.
pub(super) fn shown(text: &str) -> String {
    text.chars().take(crate::names::MAX_IDENTIFIER_BYTES).collect()
}

/// Takes `options` apart: `-c name=value`, `-cname=value`, `--name=value`.
fn split_options(options: &str) -> Result<Vec<(String, String)>, ClientError> {
    let mut settings = vec![];
    let mut words = words(options).into_iter();
    while let Some(word) = words.next() {
        let assignment = match word.strip_prefix("-c").or_else(|| word.strip_prefix("--")) {
            Some("") if word == "-c" => words.next().ok_or_else(|| wrong_option(&word))?,
            Some(assignment) if !assignment.is_empty() => assignment.to_owned(),
            _ => return Err(wrong_option(&word)),
        };
        let (name, value) = assignment.split_once('=').ok_or_else(|| wrong_option(&assignment))?;
        // A dash in a long option's name stands for an underscore.
        settings.push((name.replace('-', "_").to_ascii_lowercase(), value.to_owned()));
    }
    Ok(settings)
}

fn wrong_option(word: &str) -> ClientError {
    fatal(sqlstate::SYNTAX_ERROR, format!("invalid command-line argument in startup options: {}", shown(word)))
        .with_hint("Settings are written as -c name=value or --name=value; a backslash escapes a blank.")
}

/// Words between white space; a backslash takes the next character as it is.
fn words(text: &str) -> Vec<String> {
    let mut words = vec![];
    let mut word = None::<String>;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            c if c.is_ascii_whitespace() => words.extend(word.take()),
            '\\' => word.get_or_insert_default().extend(chars.next()),
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(parameters: &[(&str, &str)]) -> Result<Wanted, ClientError> {
        let mut wanted = Wanted::default();
        wanted.read(parameters.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect())?;
        Ok(wanted)
    }

    fn setting(parameters: &[(&str, &str)], name: &str) -> Option<String> {
        let wanted = read(parameters).unwrap();
        wanted.settings.into_iter().find(|(n, _)| n == name).map(|(_, value)| value)
    }

    #[test]
    fn options_are_split_as_postgres_does() {
        for (options, expected) in [
            ("-c geqo=off", vec![("geqo", "off")]),
            ("-cgeqo=off", vec![("geqo", "off")]),
            ("--statement-timeout=5s", vec![("statement_timeout", "5s")]),
            (r"-c search_path=a,\ b  --DateStyle=ISO", vec![("search_path", "a, b"), ("datestyle", "ISO")]),
            (r"-c x=a\\b\=c", vec![("x", r"a\b=c")]),
            ("  ", vec![]),
            (r"-c y=\ ", vec![("y", " ")]),
            ("-c z=", vec![("z", "")]),
        ] {
            let expected: Vec<_> = expected.into_iter().map(|(n, v)| (n.to_owned(), v.to_owned())).collect();
            assert_eq!(split_options(options).unwrap(), expected, "{options}");
        }
        for wrong in ["-c", "-c geqo", "-d 5", "geqo=off", "--", "--geqo", "-B 64"] {
            let error = split_options(wrong).unwrap_err();
            assert_eq!(error.sqlstate, sqlstate::SYNTAX_ERROR, "{wrong}");
            assert!(error.hint.is_some());
        }
    }

    #[test]
    fn encodings_are_utf8_or_refused() {
        for good in ["UTF8", "utf-8", "'utf-8'", "Unicode", "UTF_8", "\"UTF8\""] {
            let value = setting(&[("user", "ana"), ("client_encoding", good)], "client_encoding");
            assert_eq!(value.as_deref(), Some("UTF8"), "{good}");
        }
        for bad in ["LATIN1", "SQL_ASCII", "", "utf16", "utf88"] {
            let error = read(&[("user", "ana"), ("client_encoding", bad)]).unwrap_err();
            assert_eq!(error.sqlstate, sqlstate::INVALID_PARAMETER_VALUE, "{bad}");
            assert!(error.hint.unwrap().contains("UTF8"));
        }
        assert!(read(&[("user", "ana"), ("options", "-c client_encoding=LATIN1")]).is_err());
    }

    #[test]
    fn user_database_and_application() {
        let wanted = read(&[("user", "ana"), ("application_name", "psql\u{7}é")]).unwrap();
        assert_eq!((wanted.database.as_str(), wanted.application.as_str()), ("ana", "psql??"));
        assert_eq!(read(&[("user", "ana"), ("database", "w")]).unwrap().database, "w");
        for nobody in [&[("database", "w")][..], &[("user", "")]] {
            assert_eq!(read(nobody).unwrap_err().sqlstate, sqlstate::INVALID_AUTHORIZATION_SPECIFICATION);
        }
        let long = "x".repeat(200);
        assert_eq!(read(&[("user", "ana"), ("application_name", &long)]).unwrap().application.len(), 63);
    }

    #[test]
    fn replication_is_refused_and_its_absence_is_not() {
        for on in ["true", "database", "1", "on", "yes", "x", ""] {
            let error = read(&[("user", "ana"), ("replication", on)]).unwrap_err();
            assert_eq!(error.sqlstate, sqlstate::FEATURE_NOT_SUPPORTED, "{on}");
        }
        for off in ["false", "off", "0", "No"] {
            assert!(read(&[("user", "ana"), ("replication", off)]).unwrap().settings.is_empty());
        }
    }

    #[test]
    fn own_parameters_win_and_repeats_count_once() {
        let both = [("DateStyle", "ISO"), ("user", "ana"), ("options", "-c datestyle=German -c geqo=on -c geqo=off")];
        assert_eq!(setting(&both, "datestyle").as_deref(), Some("ISO"));
        assert_eq!(setting(&both, "geqo").as_deref(), Some("off"));
        assert_eq!(read(&both).unwrap().settings.len(), 2);

        let wanted = read(&[("user", "ana"), ("_pq_.command_compression", "1")]).unwrap();
        assert_eq!(wanted.unknown_options, ["_pq_.command_compression"]);
        assert!(wanted.settings.is_empty());
    }

    #[test]
    fn their_number_is_limited() {
        let names: Vec<String> = (0..150).map(|n| format!("a.b{n}")).collect();
        let mut many: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "1")).collect();
        many.push(("user", "ana"));
        assert_eq!(read(&many).unwrap_err().sqlstate, sqlstate::PROGRAM_LIMIT_EXCEEDED);
        let options: String = (0..150).map(|n| format!("--a.b{n}=1 ")).collect();
        let error = read(&[("user", "ana"), ("options", &options)]).unwrap_err();
        assert_eq!(error.sqlstate, sqlstate::PROGRAM_LIMIT_EXCEEDED);
    }
}
