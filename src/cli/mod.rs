//! Arguments -> command. One file a command; each has its arguments and a `run` that returns the exit code.

pub mod audit_verify;
pub mod check;
pub mod check_warehouse;
pub mod contract;
pub mod demo;
pub mod explain;
pub mod hash_password;
pub mod init;
mod offline;
pub mod serve;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// A governance proxy that speaks the Postgres wire protocol.
///
/// pgveil stands between the people who ask and the warehouse that answers: every statement is checked against the catalog
/// of data products, rewritten so that it sees only what its role may see, bounded, and recorded.
#[derive(Debug, Parser)]
#[command(name = "pgveil", version, propagate_version = true, arg_required_else_help = true)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serves clients: the proxy itself.
    Serve(serve::ServeArgs),
    /// Starts a warehouse with data and the proxy in front of it.
    Demo(demo::DemoArgs),
    /// Writes a configuration for one's own warehouse.
    Init(init::InitArgs),
    /// Reads every file and prints each error with its place.
    Check(check::CheckArgs),
    /// Shows what would be decided about a statement, and why, without running anything.
    Explain(explain::ExplainArgs),
    /// Runs the checks of data products.
    Contract(contract::ContractArgs),
    /// Turns a password into the verifier that policy.toml holds.
    HashPassword(hash_password::HashPasswordArgs),
    /// Looks after audit logs.
    Audit(audit_verify::AuditArgs),
}

/// Runs the command that the process' arguments name. Bad usage exits with 2.
pub fn run() -> ExitCode {
    match Arguments::parse().command {
        Command::Serve(args) => serve::run(&args),
        Command::Demo(args) => demo::run(&args),
        Command::Init(args) => in_runtime(init::run(&args)),
        Command::Check(args) => in_runtime(check::run(&args)),
        Command::Explain(args) => in_runtime(offline::explain(&args)),
        Command::Contract(args) => in_runtime(contract::run(&args)),
        Command::HashPassword(args) => hash_password::run(&args),
        Command::Audit(args) => audit_verify::run(&args),
    }
}

/// For commands that talk to a warehouse.
fn in_runtime(command: impl Future<Output = ExitCode>) -> ExitCode {
    match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(command),
        Err(error) => {
            eprintln!("pgveil: cannot start: {error}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_arguments_are_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn every_command_explains_itself() {
        fn check(command: &clap::Command) {
            for sub in command.get_subcommands().filter(|c| c.get_name() != "help") {
                let about = sub.get_about().map(ToString::to_string).unwrap_or_default();
                // clap takes the full stop away.
                assert!(about.contains(' ') && about.starts_with(char::is_uppercase), "{}: {about:?}", sub.get_name());
                for argument in sub.get_arguments().filter(|a| !matches!(a.get_id().as_str(), "help" | "version")) {
                    assert!(argument.get_help().is_some(), "{} {}", sub.get_name(), argument.get_id());
                }
                check(sub);
            }
        }
        let mut command = Arguments::command();
        command.build();
        check(&command);
    }

    #[test]
    fn bad_usage_exits_with_2() {
        for bad in [&["pgveil", "srve"][..], &["pgveil", "audit", "verify"], &["pgveil", "serve", "--config"]] {
            assert_eq!(Arguments::try_parse_from(bad).unwrap_err().exit_code(), 2, "{bad:?}");
        }
    }
}
