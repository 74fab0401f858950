//! Cursors of SQL: FETCH, MOVE, CLOSE.

use std::sync::{Arc, OnceLock};

use tokio::io::{AsyncRead, AsyncWrite};

use crate::error::{ClientError, ErrorKind, sqlstate};
use crate::govern::cache::Decided;
use crate::govern::decide::{Decision, Plan};
use crate::govern::permit::Permit;
use crate::sql::statement::SessionStatement;
use crate::upstream::Control;

use super::Session;
use super::drive::Trouble;
use super::exchange::Expect;
use super::local::{Answer, Form, bind_rest, changed};
use super::portals::Prepared;
use super::run::{Run, Way};
use super::simple::fail_ticket;

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Session<S> {
    pub(super) async fn close_cursors(&mut self, name: Option<&str>) -> Result<Answer, Trouble> {
        match name {
            Some(name) => {
                if !self.cursors.contains_key(name) {
                    return Err(no_cursor(name).into());
                }
                self.control(&Control::CloseCursor(Some(name.to_owned())), None).await?;
                self.cursors.remove(name);
                Ok(Answer::tag("CLOSE CURSOR"))
            }
            None => {
                if !self.cursors.is_empty() {
                    self.control(&Control::CloseCursor(None), None).await?;
                    self.cursors.clear();
                }
                Ok(Answer::tag("CLOSE CURSOR ALL"))
            }
        }
    }

    /// FETCH and MOVE
    pub(super) async fn fetch(
        &mut self,
        text: &str,
        decided: &Decided,
        fetch: &SessionStatement,
        form: &Form,
    ) -> Result<(), Trouble> {
        let SessionStatement::Fetch { moving, cursor, direction } = fetch else { return Ok(()) };
        self.check_not_failed(text).await?;
        let (permit, sent, way) = self.fetched(cursor).await?;
        let control = Control::Fetch { moving: *moving, cursor: cursor.clone(), direction: *direction };
        let ticket = self.record_control(text, decided, &permit, &control).await?;
        if let Err(trouble) = self.checkout(&permit).await {
            return Err(fail_ticket(ticket, trouble));
        }
        self.unnamed = None;
        let enqueued = match form {
            Form::Simple { .. } => self.enqueue(|connection| connection.control(&control)),
            Form::Extended { formats } => self.enqueue(|connection| {
                let name = connection.parse_control(&control)?;
                let rest: Vec<u8> = [&[0, 0, 0, 0], &**formats].concat();
                connection.bind("", &name, &bind_rest(&rest)?)?;
                connection.execute("", 0)
            }),
        };
        if let Err(trouble) = enqueued {
            return Err(fail_ticket(ticket, trouble));
        }
        if matches!(form, Form::Extended { .. }) {
            self.exchange.push(Expect::Nothing);
            self.exchange.push(Expect::Nothing);
        }
        let run = Run::new(way, Arc::clone(&permit), false, sent, self.taken);
        self.expect_run(run, &permit, ticket, form);
        if let Form::Simple { last } = form {
            self.exchange.push(Expect::Ready { told: *last });
        }
        self.next_deadline();
        Ok(())
    }

    /// What FETCH takes from: a cursor, or a portal, which is one too. With how much of it the client has got.
    pub(super) async fn fetched(&mut self, name: &str) -> Result<(Arc<Permit>, u64, Way), Trouble> {
        if !self.cursors.contains_key(name) && self.portals.get(name).is_some_and(|portal| portal.on_lease) {
            self.check_open_portal(name).await?;
            if let Some(portal) = self.portals.get(name)
                && let Some(permit) = portal.prepared.permit()
            {
                return Ok((Arc::clone(permit), portal.sent, Way::Portal(name.to_owned())));
            }
        }
        let permit = self.current_cursor(name).await?;
        let sent = self.cursors.get(name).map_or(0, |cursor| cursor.sent);
        Ok((permit, sent, Way::Cursor(name.to_owned())))
    }

    /// The permit of a cursor, if it is still what would be decided now.
    pub(super) async fn current_cursor(&mut self, name: &str) -> Result<Arc<Permit>, Trouble> {
        let Some(cursor) = self.cursors.get(name) else { return Err(no_cursor(name).into()) };
        let prepared = Arc::clone(&cursor.prepared);
        let permit = |prepared: &Prepared| prepared.permit().map(Arc::clone).ok_or_else(|| no_cursor(name));
        let before = permit(&prepared)?;
        if prepared.epoch == self.epoch {
            return Ok(before);
        }
        let now = self.decide(&prepared.text, &[]).ok().and_then(|decided| match &decided.first()?.decision {
            Decision::Allow(Plan::Declare { permit, .. }) => Some((Arc::clone(&decided), Arc::clone(permit))),
            _ => None,
        });
        match now {
            Some((decided, permit)) if permit.sql == before.sql => {
                if let Some(cursor) = self.cursors.get_mut(name) {
                    let text = Arc::clone(&prepared.text);
                    let epoch = self.epoch;
                    let prepared = Prepared {
                        text,
                        types: Vec::new(),
                        by_sql: false,
                        decided,
                        epoch,
                        read_under: OnceLock::new(),
                    };
                    cursor.prepared = Arc::new(prepared);
                }
                Ok(permit)
            }
            _ => {
                self.close_cursors(Some(name)).await?;
                Err(changed("cursor", name).into())
            }
        }
    }
}

fn no_cursor(name: &str) -> ClientError {
    ClientError::new(ErrorKind::Client, sqlstate::INVALID_CURSOR_NAME, format!("cursor \"{name}\" does not exist"))
}
