//! What was sent to the warehouse and is not answered yet, and what the client is told when the answers come. No I/O:
//! frames go in, bytes for the client and an [`Effect`] come out.
//!
//! Rows do not come through here: a [`RowRelay`] takes them past it. Answers of the warehouse that pgveil asked for itself
//! (settings, statements that are re-created) are swallowed below, in `upstream`.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use tokio::time::Instant;

use crate::audit::Ticket;
use crate::config::OnMaxRows;
use crate::error::{ClientError, ErrorKind, Notice, SqlState, sqlstate};
use crate::govern::cache::Decided;
use crate::govern::permit::{Permit, RowCap};
use crate::sql::Origin;
use crate::sql::statement::ExplainFormat;
use crate::statement::errors::{self, Statement};
use crate::upstream::{CopyCounting, RowRelay, hide_origins};
use crate::wire::answer::{self, Report, tag};
use crate::wire::{TransactionStatus, backend};

use super::records::settle_ticket;

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

/// How a statement was asked to run, for its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// By its text.
    Text,
    /// As a portal of this name.
    Portal(String),
    /// FETCH from this cursor; how far it goes is counted by the cursor.
    Cursor(String),
}

/// A statement that runs.
#[derive(Debug)]
pub(super) struct Run {
    pub way: Way,
    pub permit: Option<Arc<Permit>>,
    pub relay: RowRelay,
    /// HEADER of COPY: its first message is no row.
    pub copy_header: bool,
    /// Describe has told the columns; a RowDescription is not told again.
    pub described: bool,
    /// Said before the first byte of the answer.
    pub notices: Vec<Notice>,
    /// The JSON of an EXPLAIN as it comes.
    pub explain: Option<Vec<u8>>,
    pub ticket: Option<Ticket>,
    pub started: Instant,
    /// The statement, where its text was sent with it.
    pub asked: Option<Asked>,
}

impl Run {
    /// A run of a permit with what is left of its row cap.
    pub(super) fn new(way: Way, permit: Arc<Permit>, copy_header: bool, before: u64, started: Instant) -> Self {
        let limit = permit.row_cap.as_ref().map(|cap| cap.limit.saturating_sub(before));
        let stop = permit.row_cap.as_ref().is_some_and(|cap| !cap.in_sql);
        let relay = RowRelay::rows(limit, stop, is_guarded(&permit));
        let explain = permit.explain.is_some().then(Vec::new);
        Self {
            way,
            relay,
            copy_header,
            described: false,
            notices: Vec::new(),
            explain,
            ticket: None,
            started,
            permit: Some(permit),
            asked: None,
        }
    }

    fn cap(&self) -> Option<&RowCap> {
        self.permit.as_ref()?.row_cap.as_ref()
    }

    fn guarded(&self) -> bool {
        self.permit.as_deref().is_none_or(is_guarded)
    }
}

/// Whether a product that it reads is masked, filtered or fenced.
pub(super) fn is_guarded(permit: &Permit) -> bool {
    permit.guarded()
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

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// It is complete.
    Complete,
    /// The portal has more rows.
    Suspended,
    /// The row cap is reached and the policy wants an error; the client has it.
    OverCap,
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

/// A RowDescription without where the columns come from; an EXPLAIN's in the format that the client asked for.
fn describe_rows(
    explain: Option<ExplainFormat>,
    binary: bool,
    raw: &[u8],
    out: &mut BytesMut,
) -> Result<(), Unexpected> {
    const TEXT: u32 = 25;
    const JSON: u32 = 114;
    const XML: u32 = 142;
    if binary {
        let malformed = |_| Unexpected("a malformed RowDescription");
        let mut fields = answer::row_description(crate::wire::body(raw)).map_err(malformed)?;
        for field in &mut fields {
            (field.table_oid, field.column, field.format) = (0, 0, 1);
        }
        backend::row_description(out, &fields);
        return Ok(());
    }
    let Some(format) = explain else {
        return hide_origins(raw, out).map_err(|_| Unexpected("a malformed RowDescription"));
    };
    let asked =
        answer::row_description(crate::wire::body(raw)).map_err(|_| Unexpected("a malformed RowDescription"))?;
    let mut field = backend::Field::text("QUERY PLAN");
    field.format = asked.first().map_or(0, |field| field.format);
    field.type_oid = match format {
        ExplainFormat::Text | ExplainFormat::Yaml => TEXT,
        ExplainFormat::Json => JSON,
        ExplainFormat::Xml => XML,
    };
    backend::row_description(out, &[field]);
    Ok(())
}

impl Run {
    /// Takes a frame that is no row; `Some`: the run has ended.
    fn answer(&mut self, frame_tag: u8, raw: &[u8], out: &mut BytesMut) -> Result<Option<Ending>, Unexpected> {
        self.say_notices(out);
        match frame_tag {
            tag::ROW_DESCRIPTION if self.described => Ok(None),
            tag::ROW_DESCRIPTION => {
                let format = self.permit.as_ref().and_then(|permit| permit.explain.as_ref()).map(|shape| shape.format);
                describe_rows(format, false, raw, out)?;
                Ok(None)
            }
            tag::DATA_ROW => {
                // Only an EXPLAIN's rows come here.
                if let Some(json) = &mut self.explain {
                    json.extend_from_slice(raw.get(11..).unwrap_or_default());
                }
                Ok(None)
            }
            tag::COPY_OUT_RESPONSE => {
                let limit = self.cap().map(|cap| cap.limit);
                let binary = raw.get(5).is_some_and(|format| *format == 1);
                let counting = CopyCounting { binary, header: self.copy_header };
                self.relay = RowRelay::copy(limit, counting, self.guarded());
                out.extend_from_slice(raw);
                Ok(None)
            }
            tag::COPY_DONE => {
                out.extend_from_slice(raw);
                Ok(None)
            }
            tag::EMPTY_QUERY_RESPONSE => {
                out.extend_from_slice(raw);
                Ok(Some(Ending::Complete))
            }
            tag::COMMAND_COMPLETE => self.complete(raw, out).map(Some),
            tag::PORTAL_SUSPENDED => {
                if self.relay.withheld() > 0 {
                    return Ok(Some(self.cut("SELECT", out)));
                }
                out.extend_from_slice(raw);
                Ok(Some(Ending::Suspended))
            }
            _ => Err(Unexpected("an answer that does not belong to a result")),
        }
    }

    /// What has to be said before the first byte of the answer.
    pub(super) fn say_notices(&mut self, out: &mut BytesMut) {
        for notice in self.notices.drain(..) {
            backend::notice(out, &notice);
        }
    }

    fn complete(&mut self, raw: &[u8], out: &mut BytesMut) -> Result<Ending, Unexpected> {
        if let (Some(json), Some(shape)) =
            (self.explain.take(), self.permit.as_ref().and_then(|permit| permit.explain.as_ref()))
        {
            let json = std::str::from_utf8(&json).map_err(|_| Unexpected("a plan that is not UTF-8"))?;
            let lines =
                crate::govern::explain::render(json, shape).map_err(|_| Unexpected("a plan of unknown form"))?;
            for line in &lines {
                backend::data_row(out, &[Some(line.as_bytes())]);
            }
            backend::command_complete(out, "EXPLAIN");
            return Ok(Ending::Complete);
        }
        if self.relay.withheld() == 0 {
            out.extend_from_slice(raw);
            return Ok(Ending::Complete);
        }
        let tag = answer::command_tag(crate::wire::body(raw)).map_err(|_| Unexpected("a malformed command tag"))?;
        let verb = tag.split(' ').next().unwrap_or("SELECT").to_owned();
        Ok(self.cut(&verb, out))
    }

    /// The end of a result that the row cap has cut.
    fn cut(&mut self, verb: &str, out: &mut BytesMut) -> Ending {
        let Some(cap) = self.cap() else { return Ending::Complete };
        if cap.on_max_rows == OnMaxRows::Error {
            backend::error(out, &over_cap(cap));
            return Ending::OverCap;
        }
        backend::notice(out, &cut_notice(cap));
        backend::command_complete(out, &format!("{verb} {}", self.relay.sent()));
        Ending::Complete
    }
}

/// The notice of a result that was cut.
pub(super) fn cut_notice(cap: &RowCap) -> Notice {
    Notice::new(format!("result cut at {} rows ({} of {})", cap.limit, cap.setting, cap.source))
        .with_hint(what_to_do_at_the_cap(cap))
}

fn over_cap(cap: &RowCap) -> ClientError {
    ClientError::new(
        ErrorKind::Limit,
        sqlstate::PROGRAM_LIMIT_EXCEEDED,
        format!("result has more than {} rows ({} of {})", cap.limit, cap.setting, cap.source),
    )
    .with_detail("The rows that were sent are not the whole result.")
    .with_hint(what_to_do_at_the_cap(cap))
}

fn what_to_do_at_the_cap(cap: &RowCap) -> String {
    format!(
        "Narrow the question, aggregate, or add a LIMIT of your own; the owner of the policy can raise {}.",
        cap.setting
    )
}

/// The warehouse has sent what does not fit what was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unexpected(pub &'static str);

#[cfg(test)]
mod tests;
