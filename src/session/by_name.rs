//! PREPARE and EXECUTE.

use std::sync::{Arc, OnceLock};

use tokio::io::{AsyncRead, AsyncWrite};

use crate::error::{ClientError, ErrorKind, sqlstate};
use crate::govern::cache::{Decided, DecidedText};
use crate::govern::permit::{Permit, PermitKind};
use crate::upstream::Connection;
use crate::wire::backend;

use super::Session;
use super::drive::Trouble;
use super::exchange::{Asked, Expect};
use super::local::{Form, statement_exists};
use super::portals::Prepared;
use super::records::settle_ticket;
use super::run::{Run, Way, is_guarded};
use super::simple::fail_ticket;

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Session<S> {
    /// PREPARE
    pub(super) async fn prepare(
        &mut self,
        text: &str,
        whole: &DecidedText,
        decided: &Decided,
        name: &str,
        types: &[String],
        permit: &Arc<Permit>,
    ) -> Result<(), Trouble> {
        self.check_not_failed(text).await?;
        if self.statements.contains_key(name) {
            return Err(statement_exists(name).into());
        }
        let ticket = self.record_permit(text, decided, Some(permit)).await?;
        if let Err(trouble) = self.prepare_upstream(decided, types, permit).await {
            return Err(fail_ticket(ticket, trouble));
        }
        settle_ticket(ticket, 0, None);
        let prepared = Prepared {
            text: Arc::from(text),
            types: Vec::new(),
            by_sql: true,
            decided: Arc::clone(whole),
            epoch: self.epoch,
            read_under: OnceLock::new(),
        };
        self.read_under(&prepared);
        self.statements.insert(name.to_owned(), Arc::new(prepared));
        backend::command_complete(&mut self.outbox, "PREPARE");
        Ok(())
    }

    pub(super) async fn prepare_upstream(
        &mut self,
        decided: &Decided,
        types: &[String],
        permit: &Arc<Permit>,
    ) -> Result<(), Trouble> {
        self.checkout(permit).await?;
        self.unnamed = None;
        let mut sent = None;
        self.enqueue(|connection| {
            sent = connection.prepare_by_sql(permit, types)?;
            Ok(())
        })?;
        if let Some(preface) = sent {
            let asked = Box::new(Asked { preface, ..Asked::new(decided, &[], permit) });
            self.await_control(is_guarded(permit), Some(asked)).await?;
        }
        Ok(())
    }

    /// EXECUTE
    pub(super) async fn execute_by_name(
        &mut self,
        text: &str,
        decided: &Decided,
        name: &str,
        arguments: &[String],
        form: &Form,
    ) -> Result<(), Trouble> {
        self.check_not_failed(text).await?;
        let prepared = self.current_statement(name).await?;
        let Some(permit) = prepared.permit().filter(|permit| runs_by_name(permit)) else {
            return Err(ClientError::new(
                ErrorKind::Client,
                sqlstate::FEATURE_NOT_SUPPORTED,
                format!("EXECUTE of the prepared statement \"{name}\" is not supported"),
            )
            .with_hint("Run it by the means by which it was prepared.")
            .into());
        };
        let types = if prepared.by_sql { prepared.type_names().to_vec() } else { type_names(&prepared.types) };
        let ticket = self.record_permit(text, decided, Some(permit)).await?;
        if let Err(trouble) = self.checkout(permit).await {
            return Err(fail_ticket(ticket, trouble));
        }
        self.unnamed = None;
        let read_under = self.read_under(&prepared);
        let execute = |connection: &mut Connection| connection.execute_by_sql(permit, &types, &read_under, arguments);
        if let Err(trouble) = self.enqueue(execute) {
            return Err(fail_ticket(ticket, trouble));
        }
        let run = Run::new(Way::Text, Arc::clone(permit), false, 0, self.taken);
        self.expect_run(run, permit, ticket, form);
        self.exchange.push(Expect::Ready { told: matches!(form, Form::Simple { last: true }) });
        self.next_deadline();
        Ok(())
    }
}

fn runs_by_name(permit: &Permit) -> bool {
    matches!(permit.kind, PermitKind::Query | PermitKind::Prepare)
}

/// Names of types that a client gave as OIDs; none when one of them has no name that is known here.
fn type_names(oids: &[u32]) -> Vec<String> {
    let name = |oid: &u32| match oid {
        0 => Some("unknown".to_owned()),
        oid => tokio_postgres::types::Type::from_oid(*oid)
            .map(|known| format!("pg_catalog.{}", crate::names::quote_identifier(known.name()))),
    };
    oids.iter().map(name).collect::<Option<_>>().unwrap_or_default()
}
