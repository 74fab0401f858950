//! What was sent to the warehouse and is not answered yet, and what the client is told when the answers come. No I/O:
//! frames go in, bytes for the client and an [`Effect`] come out.
//!
//! Rows do not come through here: a [`RowRelay`] takes them past it. Answers of the warehouse that pgveil asked for itself
//! (settings, statements that are re-created) are swallowed below, in `upstream`.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use crate::audit::Ticket;
use crate::error::{ClientError, Notice, SqlState, sqlstate};
use crate::govern::cache::Decided;
use crate::govern::permit::Permit;
use crate::sql::Origin;
use crate::sql::statement::ExplainFormat;
use crate::statement::errors::{self, Statement};
use crate::upstream::RowRelay;
use crate::wire::answer::{self, Report, tag};
use crate::wire::{TransactionStatus, backend};

use super::records::settle_ticket;
use super::run::{Ending, Run, Unexpected, Way, describe_rows};

/// One answer that is to come.
#[derive(Debug)]
pub(super) enum Expect {
    /// One frame for the client: ParseComplete, BindComplete, CloseComplete.
    One { made: Made, guarded: bool, ticket: Option<Ticket>, asked: Option<Box<Asked>> },
    /// One frame for nobody.
    Nothing,
    /// The answer to Describe.
    Description(Description),
    /// The rows of a statement or portal, and its end.
    Run(Box<Run>),
    /// A statement of pgveil's own (COMMIT, SAVEPOINT): CommandComplete, for the session itself.
    Control { guarded: bool, asked: Option<Box<Asked>> },
    /// ReadyForQuery; `told`: the client gets it.
    Ready { told: bool },
}

/// What was asked, for saying where in the client's text the warehouse sees a mistake.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    /// The statement's own text.
    pub text: Arc<str>,
    /// Characters of the client's text before it.
    pub offset: usize,
    /// Type OIDs that the client named.
    pub types: Vec<u32>,
    /// What was sent for it.
    pub permit: Arc<Permit>,
    /// Characters that were sent before the permit's SQL.
    pub preface: usize,
}

impl Asked {
    /// A statement that was decided with these types.
    pub(super) fn new(decided: &Decided, types: &[u32], permit: &Arc<Permit>) -> Self {
        Self {
            text: Arc::clone(&decided.text),
            offset: decided.offset,
            types: types.to_vec(),
            permit: Arc::clone(permit),
            preface: 0,
        }
    }
}

/// Where in a statement's own text stands what the SQL that was sent for it has at this position.
pub(super) type Locate<'a> = dyn Fn(&Asked, usize) -> Option<Origin> + 'a;

/// What a message made that must be unmade when the warehouse refuses it, or has skipped it because of an error before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Made {
    Nothing,
    Statement(String),
    Portal(String),
}

/// How the answer to Describe is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Description {
    /// A ParameterDescription comes first, and is the client's.
    pub parameters: bool,
    /// It is an EXPLAIN: the warehouse describes JSON, the client asked for this.
    pub explain: Option<ExplainFormat>,
    /// A NoData is not the client's (several statements in one Query).
    pub quiet: bool,
    /// An error of the warehouse is not shown in its words.
    pub guarded: bool,
    /// All columns are told as binary: FETCH describes its cursor, whose own columns are text.
    pub binary: bool,
    /// The columns are not told but kept, see [`Exchange::take_captured`].
    pub captured: bool,
}

/// What the session has to do after a frame.
#[derive(Debug)]
pub(super) enum Effect {
    None,
    /// A run has ended.
    Ended(Box<Run>, Ending),
    /// An error: these were skipped with the failed one, and what they made does not exist. `run`: what was failed or
    /// skipped while it was to run. Until the Ready of its pipeline nothing of it will be answered.
    Failed {
        error: SqlState,
        runs: Vec<Run>,
        unmade: Vec<Made>,
        synced: bool,
    },
    /// A control statement has ended with this tag.
    Controlled(String),
    /// A control statement has failed; nobody was told yet.
    ControlFailed(ClientError),
    /// ReadyForQuery.
    Ready {
        status: TransactionStatus,
        told: bool,
    },
}

/// The order of what is to come.
#[derive(Debug, Default)]
pub(super) struct Exchange {
    queue: VecDeque<Expect>,
    /// How many were ever taken from the front.
    taken: u64,
    /// The client has an error for what is answered up to the next Ready.
    discarding: bool,
    scratch: BytesMut,
    captured: Option<Bytes>,
}

/// A place in the order that stays valid while the queue moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place(u64);

impl Exchange {
    /// Nothing is outstanding.
    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// How much is outstanding.
    pub(super) fn len(&self) -> usize {
        self.queue.len()
    }

    /// Whether Sync was sent behind all that is outstanding, so that the warehouse answers it without being asked again.
    pub(super) fn ends_with_ready(&self) -> bool {
        matches!(self.queue.back(), Some(Expect::Ready { .. }))
    }

    /// Adds what comes last.
    pub(super) fn push(&mut self, expect: Expect) -> Place {
        self.queue.push_back(expect);
        Place(self.taken + self.queue.len() as u64 - 1)
    }

    /// Gives what was put at a place the ticket of its record.
    pub(super) fn attach(&mut self, place: Place, given: Ticket) {
        let index = place.0.checked_sub(self.taken).and_then(|index| usize::try_from(index).ok());
        match index.and_then(|index| self.queue.get_mut(index)) {
            Some(Expect::Run(run)) => run.ticket = Some(given),
            Some(Expect::One { ticket, .. }) => *ticket = Some(given),
            _ => {}
        }
    }

    /// The run whose answer comes next.
    pub(super) fn current(&mut self) -> Option<&mut Run> {
        match self.queue.front_mut() {
            Some(Expect::Run(run)) => Some(run),
            _ => None,
        }
    }

    /// The first run that is outstanding.
    pub(super) fn first_run(&self) -> Option<&Run> {
        self.queue.iter().find_map(|expect| match expect {
            Expect::Run(run) => Some(&**run),
            _ => None,
        })
    }

    /// Rows of a portal or cursor went to the client: what is enqueued of the same may tell that much less. False when
    /// another portal of the name is on its way.
    pub(super) fn spend(&mut self, way: &Way, rows: u64) -> bool {
        for expect in &mut self.queue {
            match expect {
                Expect::Run(run) if run.way == *way => run.relay.spend(rows),
                Expect::One { made: Made::Portal(bound), .. } => {
                    if matches!(way, Way::Portal(name) if name == bound) {
                        return false;
                    }
                }
                Expect::Run(_)
                | Expect::One { .. }
                | Expect::Nothing
                | Expect::Description(_)
                | Expect::Control { .. }
                | Expect::Ready { .. } => {}
            }
        }
        true
    }

    /// The columns that a captured Description told.
    pub(super) fn take_captured(&mut self) -> Option<Bytes> {
        self.captured.take()
    }

    /// Whether the next answer is a control statement's.
    pub(super) fn is_control(&self) -> bool {
        matches!(self.queue.front(), Some(Expect::Control { .. }))
    }

    /// What the warehouse answers up to the next Ready is for nobody: the client has an error in its place. Whether that
    /// Ready is expected already.
    pub(super) fn discard_to_ready(&mut self, nothing: impl Fn() -> RowRelay) -> bool {
        self.discarding = true;
        for expect in &mut self.queue {
            match expect {
                Expect::Run(run) => {
                    run.relay = nothing();
                    run.notices.clear();
                }
                Expect::Ready { .. } => return true,
                Expect::One { .. } | Expect::Nothing | Expect::Description(_) | Expect::Control { .. } => {}
            }
        }
        false
    }

    fn take(&mut self) -> Option<Expect> {
        let front = self.queue.pop_front()?;
        self.taken += 1;
        Some(front)
    }

    /// The error of the front, told or not: takes everything up to the next Ready.
    pub(super) fn fail(&mut self, error: SqlState) -> Effect {
        let mut runs = Vec::new();
        let mut unmade = Vec::new();
        loop {
            match self.queue.front() {
                None => return Effect::Failed { error, runs, unmade, synced: false },
                Some(Expect::Ready { .. }) => return Effect::Failed { error, runs, unmade, synced: true },
                Some(_) => {}
            }
            match self.take() {
                Some(Expect::Run(run)) => runs.push(*run),
                Some(Expect::One { made, ticket, .. }) => {
                    if let Some(ticket) = ticket {
                        settle_ticket(ticket, 0, Some(error));
                    }
                    if made != Made::Nothing {
                        unmade.push(made);
                    }
                }
                _ => {}
            }
        }
    }

    /// Takes a Ready from the front: what it promised is told by other means, because the connection is gone.
    pub(super) fn take_ready(&mut self) -> Option<bool> {
        match self.queue.front() {
            Some(Expect::Ready { told }) => {
                let told = *told;
                self.take();
                Some(told)
            }
            _ => None,
        }
    }

    /// The statement that an error of the warehouse speaks of.
    fn asked(&self) -> Option<&Asked> {
        match self.queue.front()? {
            Expect::Run(run) => run.asked.as_ref(),
            Expect::Control { asked, .. } | Expect::One { asked, .. } => asked.as_deref(),
            Expect::Description(_) | Expect::Nothing | Expect::Ready { .. } => self.first_run()?.asked.as_ref(),
        }
    }

    /// Whether a CancelRequest explains an error, and how the client is told.
    fn error(
        &mut self,
        body: &[u8],
        interrupted: Option<&ClientError>,
        locate: &Locate<'_>,
        out: &mut BytesMut,
    ) -> Result<Effect, Unexpected> {
        let report = Report::parse(body).map_err(|_| Unexpected("a malformed error"))?;
        let guarded = match self.queue.front() {
            Some(Expect::Run(run)) => run.guarded(),
            Some(Expect::Control { guarded, .. }) => *guarded,
            Some(Expect::One { guarded, .. }) => *guarded,
            Some(Expect::Description(description)) => description.guarded,
            Some(Expect::Nothing | Expect::Ready { .. }) | None => self.first_run().is_none_or(Run::guarded),
        };
        let error = match interrupted {
            Some(cause) if report.sqlstate() == Some(sqlstate::QUERY_CANCELED) => cause.clone(),
            _ => {
                let asked = self.asked();
                let origin = errors::position(&report)
                    .zip(asked)
                    .and_then(|(position, asked)| Some((locate(asked, position.checked_sub(asked.preface)?)?, asked)))
                    .map(|(origin, asked)| Origin { position: origin.position + asked.offset, ..origin });
                let products = asked.map(|asked| &*asked.permit.products).unwrap_or_default();
                errors::from_warehouse(&report, &Statement { guarded, products, origin })
            }
        };
        if matches!(self.queue.front(), Some(Expect::Control { .. })) {
            self.take();
            return Ok(Effect::ControlFailed(error));
        }
        backend::error(out, &error);
        Ok(self.fail(error.sqlstate))
    }

    /// Takes one frame of the warehouse. `interrupted`: why the session has cancelled what runs, if it has.
    pub(super) fn answer(
        &mut self,
        frame_tag: u8,
        raw: &[u8],
        interrupted: Option<&ClientError>,
        locate: &Locate<'_>,
        out: &mut BytesMut,
    ) -> Result<Effect, Unexpected> {
        if !self.discarding || matches!(self.queue.front(), Some(Expect::Ready { .. })) {
            self.discarding = false;
            return self.answer_to(frame_tag, raw, interrupted, locate, out);
        }
        let mut scratch = std::mem::take(&mut self.scratch);
        let effect = self.answer_to(frame_tag, raw, interrupted, locate, &mut scratch);
        scratch.clear();
        self.scratch = scratch;
        effect
    }

    fn answer_to(
        &mut self,
        frame_tag: u8,
        raw: &[u8],
        interrupted: Option<&ClientError>,
        locate: &Locate<'_>,
        out: &mut BytesMut,
    ) -> Result<Effect, Unexpected> {
        let body = crate::wire::body(raw);
        match frame_tag {
            tag::PARAMETER_STATUS | tag::NOTIFICATION_RESPONSE => return Ok(Effect::None),
            tag::NOTICE_RESPONSE => {
                self.notice(body, out);
                return Ok(Effect::None);
            }
            tag::ERROR_RESPONSE => return self.error(body, interrupted, locate, out),
            _ => {}
        }
        match self.queue.front_mut() {
            None => Err(Unexpected("an answer that nobody asked for")),
            Some(Expect::Run(run)) => match run.answer(frame_tag, raw, out)? {
                None => Ok(Effect::None),
                Some(ending) => match self.take() {
                    Some(Expect::Run(run)) => Ok(Effect::Ended(run, ending)),
                    _ => Err(Unexpected("no run")),
                },
            },
            Some(Expect::One { .. }) => {
                out.extend_from_slice(raw);
                if let Some(Expect::One { ticket: Some(ticket), .. }) = self.take() {
                    settle_ticket(ticket, 0, None);
                }
                Ok(Effect::None)
            }
            Some(Expect::Nothing) => {
                self.take();
                Ok(Effect::None)
            }
            Some(Expect::Description(description)) => {
                let last = if description.captured {
                    match frame_tag {
                        tag::ROW_DESCRIPTION => {
                            let mut told = BytesMut::new();
                            describe_rows(None, false, raw, &mut told)?;
                            self.captured = Some(told.freeze());
                            true
                        }
                        other => other == tag::NO_DATA,
                    }
                } else {
                    description.answer(frame_tag, raw, out)?
                };
                if last {
                    self.take();
                }
                Ok(Effect::None)
            }
            Some(Expect::Control { .. }) => self.control(frame_tag, body),
            Some(Expect::Ready { told }) => {
                let told = *told;
                if frame_tag != tag::READY_FOR_QUERY {
                    return Err(Unexpected("no ReadyForQuery where one is due"));
                }
                let status = answer::ready_status(body).map_err(|_| Unexpected("a malformed ReadyForQuery"))?;
                self.take();
                Ok(Effect::Ready { status, told })
            }
        }
    }

    fn control(&mut self, frame_tag: u8, body: &[u8]) -> Result<Effect, Unexpected> {
        self.take();
        match frame_tag {
            tag::COMMAND_COMPLETE => {
                let tag = answer::command_tag(body).map_err(|_| Unexpected("a malformed command tag"))?;
                Ok(Effect::Controlled(tag.to_owned()))
            }
            tag::EMPTY_QUERY_RESPONSE => Ok(Effect::Controlled(String::new())),
            _ => Err(Unexpected("no command tag where one is due")),
        }
    }

    /// Notices of the warehouse about a guarded statement could say what its errors may not.
    fn notice(&mut self, body: &[u8], out: &mut BytesMut) {
        let Ok(report) = Report::parse(body) else { return };
        let open = match self.queue.front() {
            Some(Expect::Run(run)) => !run.guarded(),
            _ => false,
        };
        if open {
            let mut notice = Notice::new(report.message());
            notice.sqlstate = report.sqlstate().unwrap_or(sqlstate::WARNING);
            backend::notice(out, &notice);
        }
    }
}

impl Description {
    /// Whether this was the last frame of the answer.
    fn answer(&mut self, frame_tag: u8, raw: &[u8], out: &mut BytesMut) -> Result<bool, Unexpected> {
        match frame_tag {
            tag::PARAMETER_DESCRIPTION => {
                if self.parameters {
                    out.extend_from_slice(raw);
                }
                Ok(false)
            }
            tag::NO_DATA => {
                if !self.quiet {
                    out.extend_from_slice(raw);
                }
                Ok(true)
            }
            tag::ROW_DESCRIPTION => {
                describe_rows(self.explain, self.binary, raw, out)?;
                Ok(true)
            }
            _ => Err(Unexpected("no description where one is due")),
        }
    }
}

#[cfg(test)]
mod tests;
