//! Describe: what a statement or portal takes and gives.

use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};

use crate::govern::decide::Plan;
use crate::govern::permit::Permit;
use crate::sql::statement::SessionStatement;
use crate::wire::backend::{self, Field};
use crate::wire::frontend::Target;

use super::drive::Trouble;
use super::exchange::{Description, Expect};
use super::extended::{Use, no_portal};
use super::local::{boolean, columns};
use super::portals::Prepared;
use super::run::is_guarded;
use super::{End, Session};

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Session<S> {
    /// Describe
    pub(super) async fn describe(&mut self, target: Target<'_>) -> Result<(), End> {
        self.begin_message()?;
        let result = match target {
            Target::Statement(name) => self.describe_statement(name).await,
            Target::Portal(name) => self.describe_portal(name).await,
        };
        self.or_refuse(result).await
    }

    pub(super) async fn describe_statement(&mut self, name: &str) -> Result<(), Trouble> {
        let prepared = self.current_statement(name).await?;
        match prepared.permit() {
            Some(permit) => {
                if self.exchange.is_empty() {
                    self.check_not_failed(&prepared.text).await?;
                }
                self.checkout(permit).await?;
                let statement = self.on_lease(&prepared, permit, Use::of(name, false))?;
                self.enqueue(|connection| connection.describe_statement(&statement))?;
                self.expect_description(permit, true);
                Ok(())
            }
            None => self.describe_locally(&prepared, true, false).await,
        }
    }

    pub(super) async fn describe_portal(&mut self, name: &str) -> Result<(), Trouble> {
        let Some(portal) = self.portals.get(name) else { return self.describe_cursor(name) };
        let (prepared, binary) = (Arc::clone(&portal.prepared), portal.binary);
        match prepared.permit() {
            Some(permit) => {
                self.enqueue(|connection| connection.describe_portal(name))?;
                self.expect_description(permit, false);
                Ok(())
            }
            None => self.describe_locally(&prepared, false, binary).await,
        }
    }

    /// A cursor of SQL is a portal too.
    pub(super) fn describe_cursor(&mut self, name: &str) -> Result<(), Trouble> {
        let permit = self.cursors.get(name).and_then(|cursor| cursor.prepared.permit().map(Arc::clone));
        let Some(permit) = permit else { return Err(no_portal(name).into()) };
        self.enqueue(|connection| connection.describe_portal(name))?;
        self.expect_description(&permit, false);
        Ok(())
    }

    pub(super) fn expect_description(&mut self, permit: &Permit, parameters: bool) {
        let explain = permit.explain.as_ref().map(|shape| shape.format);
        let guarded = is_guarded(permit);
        let description = Description { parameters, explain, guarded, ..Description::default() };
        self.exchange.push(Expect::Description(description));
    }

    /// The description of a statement that pgveil answers itself; a FETCH has that of its cursor.
    pub(super) async fn describe_locally(
        &mut self,
        prepared: &Arc<Prepared>,
        statement: bool,
        binary: bool,
    ) -> Result<(), Trouble> {
        self.settle().await?;
        if self.skipping {
            return Ok(());
        }
        if statement {
            backend::parameter_description(&mut self.outbox, &[]);
        }
        match prepared.plan() {
            Some(Plan::Session(SessionStatement::Fetch { moving: false, cursor, .. }))
                if self.cursors.contains_key(cursor) && self.lease.is_some() =>
            {
                let cursor = cursor.clone();
                self.enqueue(|connection| connection.describe_portal(&cursor))?;
                let description = Description { guarded: true, binary, ..Description::default() };
                self.exchange.push(Expect::Description(description));
            }
            Some(Plan::Execute { name, .. }) => {
                let executed = self.current_statement(name).await?;
                match executed.permit() {
                    Some(permit) => {
                        self.checkout(permit).await?;
                        let name = self.on_lease(&executed, permit, Use::Named)?;
                        self.enqueue(|connection| connection.describe_statement(&name))?;
                        self.expect_description(permit, false);
                    }
                    None => backend::no_data(&mut self.outbox),
                }
            }
            Some(Plan::Session(session)) => {
                let mut fields = columns(session);
                for field in &mut fields {
                    field.format = i16::from(binary);
                }
                match fields.is_empty() {
                    true => backend::no_data(&mut self.outbox),
                    false => backend::row_description(&mut self.outbox, &fields),
                }
            }
            Some(Plan::Signal(signal)) => {
                let field = Field { format: i16::from(binary), ..boolean(&signal.column) };
                backend::row_description(&mut self.outbox, &[field]);
            }
            _ => backend::no_data(&mut self.outbox),
        }
        Ok(())
    }
}
