//! Query: a text of one or more statements.

use std::sync::{Arc, OnceLock};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::runtime::{Handle, RuntimeFlavor};

use crate::audit::Ticket;
use crate::govern::cache::{Decided, DecidedText};
use crate::govern::decide::{Decision, Plan};
use crate::govern::permit::Permit;
use crate::statement::{Asking, Rejection};
use crate::upstream::{Connection, UpstreamError};
use crate::wire::backend;

use super::drive::Trouble;
use super::exchange::{Asked, Description, Expect};
use super::local::{Form, bind_rest};
use super::portals::{Cursor, Prepared};
use super::records::settle_ticket;
use super::run::{Run, Way, is_guarded};
use super::settings::Simulation;
use super::{End, Session};

/// Parameter formats, values and result formats of a Bind without any: everything is text.
const NO_PARAMETERS: &[u8] = &[0, 0, 0, 0, 0, 0];

/// A text of more bytes may take milliseconds to decide.
const LONG_TEXT: usize = 8 * 1024;

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Session<S> {
    /// Takes a Query.
    pub(super) async fn query(&mut self, text: &str) -> Result<(), End> {
        self.settle().await?;
        if self.skipping {
            return Ok(());
        }
        self.begin_message()?;
        // As in Postgres, a Query forgets the unnamed statement.
        self.statements.remove("");
        let decided = match self.decide(text, &[]) {
            Ok(decided) => decided,
            Err(rejection) => {
                self.record_denial(text, &rejection).await;
                self.refuse(rejection.denial.error).await?;
                self.tell_ready();
                return Ok(());
            }
        };
        let outcome = match &*decided {
            [one] => self.query_one(text, one, &decided).await,
            _ => self.query_many(&decided).await,
        };
        match outcome {
            Ok(()) => Ok(()),
            Err(Trouble::End(end)) => Err(end),
            Err(Trouble::Refused(error)) => {
                self.refuse(error).await?;
                self.tell_ready();
                self.release();
                Ok(())
            }
        }
    }

    /// Starts a message: cancels of before do not concern it, and it is decided under what holds now.
    pub(super) fn begin_message(&mut self) -> Result<(), End> {
        if self.exchange.is_empty() {
            self.registration.forget_cancel();
        }
        self.refresh()
    }

    /// Decides a text, remembered or anew.
    pub(super) fn decide(&self, text: &str, types: &[u32]) -> Result<DecidedText, Box<Rejection>> {
        let asking = Asking { snapshot: &self.snapshot, surroundings: &self.surroundings, id: self.surroundings_id };
        let decide = || {
            asking.decide(text, types, || Simulation {
                settings: self.settings.clone(),
                transaction: self.transaction.clone(),
                pid: self.registration.pid(),
            })
        };
        // Others' messages must not wait for a long text.
        let many = |runtime: Handle| runtime.runtime_flavor() == RuntimeFlavor::MultiThread;
        if text.len() > LONG_TEXT && Handle::try_current().is_ok_and(many) {
            tokio::task::block_in_place(decide)
        } else {
            decide()
        }
    }

    async fn query_one(&mut self, text: &str, decided: &Decided, whole: &DecidedText) -> Result<(), Trouble> {
        let Decision::Allow(plan) = &decided.decision else { return Ok(()) };
        match plan {
            Plan::Empty => {
                backend::empty_query(&mut self.outbox);
                self.tell_ready();
                Ok(())
            }
            Plan::Upstream(permit) => {
                self.check_not_failed(text).await?;
                let copy_header = decided.copy_header;
                self.send_text(text, decided, permit, copy_header, |connection, permit| connection.query(permit)).await
            }
            Plan::Declare { .. } => {
                self.declare(text, whole, decided, |connection, permit| connection.query(permit), true).await?;
                self.tell_ready();
                self.release();
                Ok(())
            }
            Plan::Prepare { .. } | Plan::Execute { .. } | Plan::Session(_) | Plan::Signal(_) => {
                self.answer_locally(text, whole, decided, Form::Simple { last: true }).await?;
                if self.exchange.is_empty() {
                    self.tell_ready();
                    self.release();
                }
                Ok(())
            }
        }
    }

    /// Sends one statement by its text; the answers go to the client as they come.
    async fn send_text(
        &mut self,
        text: &str,
        decided: &Decided,
        permit: &Arc<Permit>,
        copy_header: bool,
        enqueue: impl FnOnce(&mut Connection, &Permit) -> Result<(), UpstreamError>,
    ) -> Result<(), Trouble> {
        let ticket = self.record_permit(text, decided, Some(permit)).await?;
        if let Err(trouble) = self.checkout(permit).await {
            return Err(fail_ticket(ticket, trouble));
        }
        if let Err(error) = self.enqueue(|connection| enqueue(connection, permit)) {
            return Err(fail_ticket(ticket, error));
        }
        self.unnamed = None;
        let mut run = Run::new(Way::Text, Arc::clone(permit), copy_header, 0, self.taken);
        run.notices = self.notices_of(permit);
        run.ticket = Some(ticket);
        run.asked = Some(Asked::new(decided, &[], permit));
        self.exchange.push(Expect::Run(Box::new(run)));
        self.exchange.push(Expect::Ready { told: true });
        self.next_deadline();
        Ok(())
    }

    /// DECLARE: runs, and is waited for, since FETCH asks for what it made.
    pub(super) async fn declare(
        &mut self,
        text: &str,
        whole: &DecidedText,
        decided: &Decided,
        enqueue: impl FnOnce(&mut Connection, &Permit) -> Result<(), UpstreamError>,
        by_text: bool,
    ) -> Result<(), Trouble> {
        let Decision::Allow(Plan::Declare { name, hold, permit }) = &decided.decision else { return Ok(()) };
        self.check_not_failed(text).await?;
        let ticket = self.record_permit(text, decided, Some(permit)).await?;
        if let Err(trouble) = self.checkout(permit).await {
            return Err(fail_ticket(ticket, trouble));
        }
        if let Err(error) = self.enqueue(|connection| enqueue(connection, permit)) {
            return Err(fail_ticket(ticket, error));
        }
        self.unnamed = None;
        let mut run = Run::new(Way::Text, Arc::clone(permit), false, 0, self.taken);
        run.notices = self.notices_of(permit);
        run.ticket = Some(ticket);
        run.asked = Some(Asked::new(decided, &[], permit));
        self.exchange.push(Expect::Run(Box::new(run)));
        if by_text {
            self.exchange.push(Expect::Ready { told: false });
        }
        self.next_deadline();
        let prepared = Prepared {
            text: Arc::from(text),
            types: Vec::new(),
            by_sql: false,
            decided: Arc::clone(whole),
            epoch: self.epoch,
            read_under: OnceLock::new(),
        };
        let cursor = Cursor { prepared: Arc::new(prepared), sent: 0, hold: *hold, young: self.transaction.is_open() };
        // It is there before the answer is, so that the lease of one WITH HOLD is not given back when that comes.
        let before = self.cursors.insert(name.clone(), cursor);
        self.script_failed = false;
        self.settle().await?;
        if self.script_failed && self.lease.is_some() {
            match before {
                Some(before) => drop(self.cursors.insert(name.clone(), before)),
                None => drop(self.cursors.remove(name)),
            }
            self.release();
        }
        Ok(())
    }

    /// Several statements: one after the other in one implicit transaction, as in Postgres; the first error ends them all.
    async fn query_many(&mut self, decided: &DecidedText) -> Result<(), Trouble> {
        self.in_script = true;
        self.script_failed = false;
        let result = match self.run_script(decided).await {
            Ok(()) => Ok(()),
            Err(Trouble::End(end)) => Err(end),
            // While it is still a script: what was sent of it has no Sync of the client to wait for.
            Err(Trouble::Refused(error)) => {
                self.script_failed = true;
                self.refuse(error).await
            }
        };
        self.in_script = false;
        result?;
        if !std::mem::take(&mut self.script_failed) && !self.transaction.is_open() {
            self.settings.end_of_transaction(true);
        }
        if self.lease.as_ref().is_some_and(|lease| lease.in_pipeline()) {
            self.enqueue(Connection::sync)?;
            self.exchange.push(Expect::Ready { told: true });
        } else {
            self.tell_ready();
            self.release();
        }
        Ok(())
    }

    async fn run_script(&mut self, decided: &DecidedText) -> Result<(), Trouble> {
        for one in decided.iter() {
            let Decision::Allow(plan) = &one.decision else { continue };
            let text = &*one.text;
            match plan {
                Plan::Empty => {}
                Plan::Upstream(permit) => {
                    self.check_not_failed(text).await?;
                    self.run_in_script(text, one, permit).await?;
                }
                Plan::Declare { .. } => {
                    let whole: DecidedText = Arc::new([one.clone()]);
                    self.declare(text, &whole, one, |connection, permit| connection.query(permit), true).await?;
                }
                Plan::Prepare { .. } | Plan::Execute { .. } | Plan::Session(_) | Plan::Signal(_) => {
                    let whole: DecidedText = Arc::new([one.clone()]);
                    self.settings.begin_implicit();
                    self.answer_locally(text, &whole, one, Form::Simple { last: false }).await?;
                }
            }
            self.settle().await?;
            if self.script_failed {
                return Ok(());
            }
        }
        Ok(())
    }

    /// One statement of several: through the extended protocol, without a Sync, so that the transaction goes on.
    async fn run_in_script(&mut self, text: &str, decided: &Decided, permit: &Arc<Permit>) -> Result<(), Trouble> {
        let ticket = self.record_permit(text, decided, Some(permit)).await?;
        if let Err(trouble) = self.checkout(permit).await {
            return Err(fail_ticket(ticket, trouble));
        }
        self.unnamed = None;
        let enqueued = self.enqueue(|connection| {
            let name = connection.parse_unnamed(permit, &[])?;
            connection.bind("", &name, &bind_rest(NO_PARAMETERS)?)?;
            connection.describe_portal("")?;
            connection.execute("", 0)
        });
        if let Err(trouble) = enqueued {
            return Err(fail_ticket(ticket, trouble));
        }
        let mut run = Run::new(Way::Text, Arc::clone(permit), decided.copy_header, 0, self.taken);
        run.notices = self.notices_of(permit);
        run.ticket = Some(ticket);
        run.asked = Some(Asked::new(decided, &[], permit));
        self.exchange.push(Expect::Nothing);
        self.exchange.push(Expect::Nothing);
        let guarded = is_guarded(permit);
        let explain = permit.explain.as_ref().map(|shape| shape.format);
        self.exchange.push(Expect::Description(Description {
            explain,
            quiet: true,
            guarded,
            ..Description::default()
        }));
        self.exchange.push(Expect::Run(Box::new(run)));
        self.next_deadline();
        Ok(())
    }
}

/// Writes down that a statement has failed before it was sent.
pub(super) fn fail_ticket(ticket: Ticket, trouble: Trouble) -> Trouble {
    match &trouble {
        Trouble::Refused(error) | Trouble::End(End::Fatal(error)) => settle_ticket(ticket, 0, Some(error.sqlstate)),
        Trouble::End(End::Closed) => drop(ticket),
    }
    trouble
}
