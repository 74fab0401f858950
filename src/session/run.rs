//! A statement that runs: how its rows are relayed, counted and ended.

use std::sync::Arc;

use bytes::BytesMut;
use tokio::time::Instant;

use crate::audit::Ticket;
use crate::config::OnMaxRows;
use crate::error::{ClientError, ErrorKind, Notice, sqlstate};
use crate::govern::permit::{Permit, RowCap};
use crate::sql::statement::ExplainFormat;
use crate::upstream::{CopyCounting, RowRelay, hide_origins};
use crate::wire::answer::{self, tag};
use crate::wire::backend;

use super::exchange::Asked;

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

    pub(super) fn cap(&self) -> Option<&RowCap> {
        self.permit.as_ref()?.row_cap.as_ref()
    }

    pub(super) fn guarded(&self) -> bool {
        self.permit.as_deref().is_none_or(is_guarded)
    }
}

/// Whether a product that it reads is masked, filtered or fenced.
pub(super) fn is_guarded(permit: &Permit) -> bool {
    permit.guarded()
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

/// A RowDescription without where the columns come from; an EXPLAIN's in the format that the client asked for.
pub(super) fn describe_rows(
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
    pub(super) fn answer(
        &mut self,
        frame_tag: u8,
        raw: &[u8],
        out: &mut BytesMut,
    ) -> Result<Option<Ending>, Unexpected> {
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
