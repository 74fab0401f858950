//! `pgveil hash-password`: a password becomes the verifier that policy.toml holds.

use std::io::{self, BufRead, IsTerminal, Write};
use std::process::ExitCode;

use clap::Args;

/// Arguments of `pgveil hash-password`: none, since a password on a command line shows in the list of processes.
#[derive(Clone, Debug, Args)]
pub struct HashPasswordArgs {}

/// Reads a password from the terminal, without showing it, or one line of standard input, and prints its verifier.
pub fn run(_: &HashPasswordArgs) -> ExitCode {
    let password = if io::stdin().is_terminal() { from_terminal() } else { from_line(&mut io::stdin().lock()) };
    let verifier = password.and_then(|password| verifier(&password));
    match verifier.and_then(|verifier| writeln!(io::stdout().lock(), "{verifier}")) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("pgveil: {error}");
            ExitCode::FAILURE
        }
    }
}

fn from_terminal() -> io::Result<String> {
    let password = rpassword::prompt_password("Password: ")?;
    if rpassword::prompt_password("Again: ")? != password {
        return Err(io::Error::other("the two passwords differ"));
    }
    Ok(password)
}

fn from_line(input: &mut impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    input.read_line(&mut line)?;
    Ok(line.strip_suffix('\n').map(|l| l.strip_suffix('\r').unwrap_or(l)).unwrap_or(&line).to_owned())
}

/// Postgres' own format, so that a verifier can be taken over from `pg_authid` too.
pub(super) fn verifier(password: &str) -> io::Result<String> {
    if password.is_empty() {
        return Err(io::Error::other("the password is empty"));
    }
    if password.contains('\0') {
        return Err(io::Error::other("the password holds a zero byte, which no client can send"));
    }
    Ok(postgres_protocol::password::scram_sha_256(password.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ScramVerifier;

    #[test]
    fn one_line_is_the_password() {
        for (input, password) in [("a b\n", "a b"), ("a\r\n", "a"), ("a", "a"), ("a\nb\n", "a"), (" a \n", " a ")] {
            assert_eq!(from_line(&mut input.as_bytes()).unwrap(), password, "{input:?}");
        }
    }

    #[test]
    fn the_verifier_is_one_that_policy_takes() {
        let verifier = verifier("correct horse").unwrap();
        assert!(ScramVerifier::parse(&verifier).is_ok());
        assert!(!verifier.contains("correct"));
    }

    #[test]
    fn nothing_is_no_password() {
        assert!(verifier("").is_err());
        assert!(verifier("a\0b").is_err());
    }
}
