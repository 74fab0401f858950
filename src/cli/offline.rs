//! What commands that serve nobody share: the facts that a running pgveil has stored.

use std::io;
use std::process::ExitCode;

use jiff::tz::TimeZone;

use crate::config::ServerConfig;
use crate::document::Unset;
use crate::govern::breach::Breaches;
use crate::govern::facts::Facts;
use crate::reload::candidate;
use crate::sources;
use crate::state::Store;

use super::explain::{self, ExplainArgs};

/// What was known of the warehouses when pgveil last served, read without touching the store. Says so when that is nothing.
pub(super) async fn stored_facts(server: &ServerConfig) -> Facts {
    let stored = match Store::peek_url(&server.state).await {
        Ok(Some(store)) => store.facts().await,
        Ok(None) => Ok(Facts::default()),
        Err(error) => Err(error),
    };
    let facts = stored.unwrap_or_else(|error| {
        eprintln!("pgveil: {error}");
        Facts::default()
    });
    if facts.relations.is_empty() {
        eprintln!(
            "pgveil: nothing is known of the warehouse's tables yet, so types are not checked; pgveil serve stores what it \
             learns, and pgveil check --warehouse asks now"
        );
    }
    facts
}

/// `pgveil explain`.
pub(super) async fn explain(args: &ExplainArgs) -> ExitCode {
    let sources = match sources::load(&args.config, Unset::Warning) {
        Ok((sources, _)) => sources,
        Err(findings) => return wrong(&findings),
    };
    let facts = stored_facts(&sources.server).await;
    let snapshot = match candidate::build(&sources, &facts, &Breaches::default(), 0).await {
        Ok((snapshot, _)) => snapshot,
        Err(findings) => return wrong(&findings),
    };
    let today = jiff::Timestamp::now().to_zoned(TimeZone::UTC).date();
    // Trees of the largest allowed statements need a deep stack, and this thread has a small one.
    let explained = crate::sql::with_deep_stack(|| explain::run(args, &snapshot, today, &mut io::stdout().lock()));
    explained.unwrap_or(ExitCode::FAILURE)
}

fn wrong(findings: &crate::error::Diagnostics) -> ExitCode {
    eprintln!("{findings}");
    ExitCode::from(2)
}
