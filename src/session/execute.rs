//! Execute: a portal runs, in the warehouse or here.

use std::sync::Arc;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::error::{ClientError, ErrorKind, sqlstate};
use crate::govern::decide::{Decision, Plan};
use crate::govern::permit::Permit;
use crate::upstream::Connection;
use crate::wire::backend;
use crate::wire::frontend::Execute;

use super::drive::Trouble;
use super::exchange::{Expect, Made};
use super::extended::no_portal;
use super::local::changed;
use super::portals::Prepared;
use super::records::Pending;
use super::run::{Run, Way};
use super::{End, Session};

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Session<S> {
    /// An Execute of a cursor of SQL.
    pub(super) async fn execute_cursor(&mut self, name: &str, max_rows: u32) -> Result<(), Trouble> {
        let permit = self.current_cursor(name).await?;
        let Some(cursor) = self.cursors.get(name) else { return Err(no_portal(name).into()) };
        let (prepared, sent) = (Arc::clone(&cursor.prepared), cursor.sent);
        self.checkout(&permit).await?;
        self.enqueue(|connection| connection.execute(name, i32::try_from(max_rows).unwrap_or(i32::MAX)))?;
        let run = Run::new(Way::Cursor(name.to_owned()), permit, false, sent, self.taken);
        let place = self.exchange.push(Expect::Run(Box::new(run)));
        self.pending.push(Pending { place, prepared, parse: false });
        Ok(())
    }

    /// Execute
    pub(super) async fn execute(&mut self, execute: &Execute<'_>) -> Result<(), End> {
        self.begin_message()?;
        let result = self.try_execute(execute).await;
        self.or_refuse(result).await
    }

    pub(super) async fn try_execute(&mut self, execute: &Execute<'_>) -> Result<(), Trouble> {
        let name = execute.portal;
        self.check_open_portal(name).await?;
        let Some(portal) = self.portals.get(name) else {
            return match self.cursors.contains_key(name) {
                true => self.execute_cursor(name, execute.max_rows).await,
                false => Err(no_portal(name).into()),
            };
        };
        let (prepared, sent, ended) = (Arc::clone(&portal.prepared), portal.sent, portal.ended);
        if let Some(Plan::Declare { .. }) = prepared.plan()
            && let Some(decided) = prepared.decided.first()
        {
            let run = |connection: &mut Connection, _: &Permit| connection.execute(name, 0);
            return self.declare(&prepared.text, &prepared.decided, decided, run, false).await;
        }
        match prepared.permit() {
            Some(permit) if !ended => {
                self.execute_upstream(name, &prepared, permit, sent, execute.max_rows)?;
                Ok(())
            }
            Some(_) => {
                // The row cap has ended it: there is nothing more of it.
                let mut out = BytesMut::new();
                backend::command_complete(&mut out, "SELECT 0");
                self.answer_in_order(out.freeze(), Made::Nothing);
                Ok(())
            }
            None => {
                self.settle().await?;
                if self.skipping {
                    return Ok(());
                }
                self.execute_local_portal(name, &prepared, ended).await
            }
        }
    }

    pub(super) fn execute_upstream(
        &mut self,
        name: &str,
        prepared: &Arc<Prepared>,
        permit: &Arc<Permit>,
        sent: u64,
        max_rows: u32,
    ) -> Result<(), Trouble> {
        let max_rows = i32::try_from(max_rows).unwrap_or(i32::MAX);
        self.enqueue(|connection| connection.execute(name, max_rows))?;
        let way = Way::Portal(name.to_owned());
        let mut run = Run::new(way, Arc::clone(permit), prepared.copy_header(), sent, self.taken);
        run.notices = self.notices_of(permit);
        let place = self.exchange.push(Expect::Run(Box::new(run)));
        self.pending.push(Pending { place, prepared: Arc::clone(prepared), parse: false });
        Ok(())
    }

    pub(super) async fn execute_local_portal(
        &mut self,
        name: &str,
        prepared: &Arc<Prepared>,
        ended: bool,
    ) -> Result<(), Trouble> {
        if matches!(prepared.plan(), Some(Plan::Empty)) {
            backend::empty_query(&mut self.outbox);
            return Ok(());
        }
        if ended {
            return Err(ClientError::new(
                ErrorKind::Client,
                sqlstate::OBJECT_NOT_IN_PREREQUISITE_STATE,
                format!("portal \"{name}\" cannot be run"),
            )
            .into());
        }
        let formats = self.portals.get_mut(name).map(|portal| {
            portal.ended = true;
            portal.formats.clone()
        });
        Ok(self.execute_locally(prepared, formats.unwrap_or_default()).await?)
    }

    /// An open portal of before a reload goes on only if it would be allowed in the same way now.
    pub(super) async fn check_open_portal(&mut self, name: &str) -> Result<(), Trouble> {
        let Some(portal) = self.portals.get(name) else { return Ok(()) };
        let prepared = Arc::clone(&portal.prepared);
        let Some(before) = prepared.permit().filter(|_| prepared.epoch != self.epoch) else { return Ok(()) };
        let now = self.decide(&prepared.text, &prepared.types).ok();
        let permit = now.as_ref().and_then(|decided| match &decided.first()?.decision {
            Decision::Allow(Plan::Upstream(permit) | Plan::Declare { permit, .. }) => Some(permit),
            Decision::Allow(Plan::Prepare { permit, .. }) if prepared.by_sql => Some(permit),
            _ => None,
        });
        match (permit, &now) {
            (Some(permit), Some(decided)) if permit.sql == before.sql => {
                let text = Arc::clone(&prepared.text);
                let (types, by_sql, epoch) = (prepared.types.clone(), prepared.by_sql, self.epoch);
                let read_under = prepared.read_under.clone();
                let decided = Arc::clone(decided);
                if let Some(portal) = self.portals.get_mut(name) {
                    portal.prepared = Arc::new(Prepared { text, types, by_sql, decided, epoch, read_under });
                }
                Ok(())
            }
            _ => {
                self.settle().await?;
                self.portals.remove(name);
                Err(changed("portal", name).into())
            }
        }
    }
}
