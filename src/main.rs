//! Arguments -> command.

fn main() -> std::process::ExitCode {
    pgveil::cli::run()
}
