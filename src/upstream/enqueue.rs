//! What can be sent to the warehouse: permits, typed constants, and messages that carry no SQL.

use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};

use crate::govern::permit::{Permit, PermitKind};
use crate::wire::{BindRest, TransactionStatus};

use super::connection::Connection;
use super::control::{Control, FAIL_TRANSACTION};
use super::error::UpstreamError;
use super::expect::{Conversation, Expected, Owner, Sent};
use super::prepared::{Preparing, StatementName, Types, Wanted, is_timeless};
use super::settings::{Level, UpstreamSettings};

type Enqueued = Result<(), UpstreamError>;

/// The statement and portal of the connection's own, for settings within a pipeline.
const OWN_NAME: &str = "pv_own";

/// What is enqueued. The answers come out of [`Connection::next_frame`] in this order.
impl Connection {
    /// Makes the connection's settings those that the session wants, sending only what differs; answers are swallowed.
    /// Outside a transaction they are set for the session; inside one with SET LOCAL, so that the connection's own view is
    /// right again when it ends, however it ends (call it again after ROLLBACK TO). In a failed one nothing is done.
    /// Call it before each statement: equal settings (the same `Arc`) cost a comparison of pointers.
    pub fn apply(&mut self, wanted: &Arc<UpstreamSettings>) -> Enqueued {
        let conversation = &mut self.conversation;
        if conversation.applied.is(wanted) || conversation.skipping {
            return Ok(());
        }
        let level = match conversation.predicted {
            TransactionStatus::Failed => return Ok(()),
            TransactionStatus::InTransaction => Level::Transaction,
            TransactionStatus::Idle if conversation.open_unit => Level::Pipeline,
            TransactionStatus::Idle => Level::Session,
        };
        let changes = conversation.applied.change(wanted, level);
        if changes.is_empty() {
            return Ok(());
        }
        if self.conversation.open_unit {
            self.send_once(&changes.to_call(level), Owner::Own)
        } else {
            self.send_query(&changes.to_sql(level), Owner::Own, 0, None)
        }
    }

    /// A simple Query of a permit (a query, EXPLAIN, COPY or DECLARE).
    pub fn query(&mut self, permit: &Permit) -> Enqueued {
        self.declared |= permit.kind == PermitKind::Declare;
        self.send_query(&permit.sql, Owner::Client, 0, None)
    }
    /// A simple Query of a constant; its answers are the client's.
    pub fn control(&mut self, control: &Control) -> Enqueued {
        self.foresee(control);
        self.send_query(&control.to_sql(), Owner::Client, 0, None)
    }
    /// A simple Query of a constant whose answers are swallowed; an error of it ends the lease.
    pub fn control_quietly(&mut self, control: &Control) -> Enqueued {
        self.foresee(control);
        self.send_query(&control.to_sql(), Owner::Own, 0, None)
    }
    /// A statement that fails, to abort the transaction or the unfinished pipeline; its answer is swallowed. Between
    /// extended messages it is sent as such (what follows is skipped until Sync), else as a simple Query. Where there is
    /// nothing to abort nothing is sent.
    pub fn fail_transaction(&mut self) -> Enqueued {
        let conversation = &mut self.conversation;
        if conversation.open_unit {
            if conversation.predicted == TransactionStatus::InTransaction {
                conversation.predicted = TransactionStatus::Failed;
            }
            return self.send_once(FAIL_TRANSACTION, Owner::Fails);
        }
        if conversation.predicted != TransactionStatus::InTransaction {
            return Ok(());
        }
        conversation.predicted = TransactionStatus::Failed;
        self.send_query(FAIL_TRANSACTION, Owner::Fails, 0, None)
    }
    /// Bytes (whole frames of pgveil's own) that `next_frame` yields when everything enqueued before is answered, one frame
    /// at a time. After an error in the extended protocol they are skipped like the rest up to Sync.
    pub fn answer(&mut self, frames: Bytes) {
        if !self.conversation.skipping && !frames.is_empty() {
            self.expect(Sent::Local(frames), Owner::Client);
        }
    }

    /// SQL PREPARE of a permit whose parameters have these rendered type names. A number: it was sent behind so many characters,
    /// and its answers (CommandComplete `PREPARE`, ReadyForQuery, or an error) are the client's. `None`: this connection has it.
    pub fn prepare_by_sql(&mut self, permit: &Permit, types: &[String]) -> Result<Option<usize>, UpstreamError> {
        let settings = self.conversation.applied.in_force();
        let wanted = Wanted::named(&permit.sql, Types::Names(types), &settings);
        if self.find_or_part(&wanted).is_some() {
            return Ok(None);
        }
        self.make_room(true)?;
        let (name, preparing) = self.conversation.prepared.insert(&wanted, self.conversation.unit);
        let sql = prepare_sql(&name, types, permit);
        self.send_query(&sql, Owner::Client, 0, Some(preparing))?;
        Ok(Some(sql.strip_suffix(&*permit.sql).unwrap_or_default().chars().count()))
    }
    /// SQL EXECUTE of such a statement with checked and rendered arguments, re-created in the same message where it is
    /// missing; what PREPARE answers is swallowed then, unless it is an error. `read_under`: see [`Self::ensure_prepared`].
    pub fn execute_by_sql(
        &mut self,
        permit: &Permit,
        types: &[String],
        read_under: &Arc<UpstreamSettings>,
        arguments: &[String],
    ) -> Enqueued {
        if let Some(name) = self.find_read(&Wanted::named(&permit.sql, Types::Names(types), read_under)) {
            return self.send_query(&execute_sql(&name, arguments), Owner::Client, 0, None);
        }
        self.make_room(true)?;
        let settings = self.conversation.applied.in_force();
        let wanted = Wanted::named(&permit.sql, Types::Names(types), &settings);
        let (name, preparing) = self.conversation.prepared.insert(&wanted, self.conversation.unit);
        let sql = format!("{}; {}", prepare_sql(&name, types, permit), execute_sql(&name, arguments));
        self.send_query(&sql, Owner::Client, 1, Some(preparing))
    }

    /// Parse under the unnamed statement; the answer is the client's. Costs a parse each time: for statements that come once.
    pub fn parse_unnamed(&mut self, permit: &Permit, types: &[u32]) -> Result<StatementName, UpstreamError> {
        self.declared |= permit.kind == PermitKind::Declare;
        self.send_parse("", &permit.sql, types, None, Owner::Client)?;
        Ok(StatementName::unnamed())
    }
    /// Parse of a constant under the unnamed statement, for clients that send BEGIN, COMMIT or FETCH through the extended
    /// protocol; the answer is the client's.
    pub fn parse_control(&mut self, control: &Control) -> Result<StatementName, UpstreamError> {
        self.foresee(control);
        self.send_parse("", &control.to_sql(), &[], None, Owner::Client)?;
        Ok(StatementName::unnamed())
    }
    /// The client's Parse of a named statement: makes sure that the permit is prepared on this connection. A Parse that is
    /// sent for it is answered to nobody (answer the client's own with [`Self::answer`]), but its error is the client's.
    pub fn prepare(&mut self, permit: &Permit, types: &[u32]) -> Result<StatementName, UpstreamError> {
        let settings = self.conversation.applied.in_force();
        let wanted = Wanted::named(&permit.sql, Types::Oids(types), &settings);
        if !self.conversation.skipping
            && let Some(name) = self.find_or_part(&wanted)
        {
            return Ok(name);
        }
        self.prepare_anew(permit, types, &wanted)
    }
    /// Where such a statement lies on this connection, which may be another than the one that has seen the client's Parse.
    /// `read_under`: the settings at that time, under which its literals were read; where no such statement is here it is read
    /// under those of now.
    pub fn ensure_prepared(
        &mut self,
        permit: &Permit,
        types: &[u32],
        read_under: &Arc<UpstreamSettings>,
    ) -> Result<StatementName, UpstreamError> {
        if !self.conversation.skipping
            && let Some(name) = self.find_read(&Wanted::named(&permit.sql, Types::Oids(types), read_under))
        {
            return Ok(name);
        }
        let settings = self.conversation.applied.in_force();
        self.prepare_anew(permit, types, &Wanted::named(&permit.sql, Types::Oids(types), &settings))
    }
    /// The client's Parse of its unnamed statement, and the name under which it can be bound once. The unnamed one: it was
    /// sent as such, and its answer is the client's. Another: the text has come before and is prepared here, to be used a few
    /// times; answer the client with [`Self::answer`].
    pub fn parse_passing(&mut self, permit: &Permit, types: &[u32]) -> Result<StatementName, UpstreamError> {
        let settings = self.conversation.applied.in_force();
        let wanted = Wanted::passing(&permit.sql, types, &settings);
        if permit.kind != PermitKind::Query || self.conversation.skipping {
            return self.parse_unnamed(permit, types);
        }
        if let Some(name) = self.conversation.prepared.find(&wanted, self.conversation.unit) {
            return Ok(name);
        }
        match self.conversation.prepared.is_worth_keeping(&wanted) {
            true => self.prepare_anew(permit, types, &wanted),
            false => self.parse_unnamed(permit, types),
        }
    }
    /// Where the client's unnamed statement lies when it is bound again, or on another connection.
    pub fn ensure_passing(
        &mut self,
        permit: &Permit,
        types: &[u32],
        read_under: &Arc<UpstreamSettings>,
    ) -> Result<StatementName, UpstreamError> {
        if self.conversation.skipping {
            return Ok(StatementName::unnamed());
        }
        if let Some(name) = self.find_read(&Wanted::passing(&permit.sql, types, read_under)) {
            return Ok(name);
        }
        let settings = self.conversation.applied.in_force();
        self.prepare_anew(permit, types, &Wanted::passing(&permit.sql, types, &settings))
    }
    /// Bind: the client's values and formats for a statement of this connection.
    pub fn bind(&mut self, portal: &str, statement: &StatementName, rest: &BindRest<'_>) -> Enqueued {
        self.send(b'B', Sent::Bind(statement.id()), Owner::Client, |body| {
            text(body, portal)?;
            text(body, statement.as_str())?;
            body.put_slice(rest.bytes());
            Ok(())
        })
    }
    /// Describe of a statement.
    pub fn describe_statement(&mut self, statement: &StatementName) -> Enqueued {
        self.send(b'D', Sent::Describe(statement.id()), Owner::Client, |body| target(body, b'S', statement.as_str()))
    }
    /// Describe of a portal.
    pub fn describe_portal(&mut self, portal: &str) -> Enqueued {
        self.send(b'D', Sent::Describe(None), Owner::Client, |body| target(body, b'P', portal))
    }
    /// Execute; 0: all rows.
    pub fn execute(&mut self, portal: &str, max_rows: i32) -> Enqueued {
        self.send(b'E', Sent::Execute, Owner::Client, |body| {
            text(body, portal)?;
            body.put_i32(max_rows);
            Ok(())
        })
    }
    /// Close of a portal. (Prepared statements belong to the connection: answer a client's Close of one yourself.)
    pub fn close_portal(&mut self, portal: &str) -> Enqueued {
        self.send(b'C', Sent::Close(None), Owner::Client, |body| target(body, b'P', portal))
    }
    /// Sync.
    pub fn sync(&mut self) -> Enqueued {
        self.send_sync(Owner::Client)
    }
    /// Flush: the warehouse answers what it has, without a Sync.
    pub fn flush_request(&mut self) -> Enqueued {
        self.write.extend_from_slice(&[b'H', 0, 0, 0, 4]);
        Ok(())
    }
}

/// How the messages are put together.
impl Connection {
    fn expect(&mut self, sent: Sent, owner: Owner) {
        self.conversation.expected.push_back(Expected { sent, owner });
    }

    /// An extended message. While the warehouse skips up to Sync, nothing is sent that it would skip.
    fn send(&mut self, tag: u8, sent: Sent, owner: Owner, body: impl FnOnce(&mut BytesMut) -> Enqueued) -> Enqueued {
        if self.conversation.skipping {
            return Ok(());
        }
        frame(&mut self.write, tag, body)?;
        self.conversation.open_unit = true;
        self.expect(sent, owner);
        Ok(())
    }

    fn send_sync(&mut self, owner: Owner) -> Enqueued {
        self.write.extend_from_slice(&[b'S', 0, 0, 0, 4]);
        self.conversation.open_unit = false;
        self.conversation.skipping = false;
        self.conversation.unit += 1;
        self.expect(Sent::Sync, owner);
        Ok(())
    }

    fn send_query(&mut self, sql: &str, owner: Owner, leading: u8, preparing: Option<Preparing>) -> Enqueued {
        if self.conversation.skipping {
            return Ok(());
        }
        frame(&mut self.write, b'Q', |body| text(body, sql))?;
        // It ends the unit that was open, as a Sync would.
        self.conversation.open_unit = false;
        self.conversation.unit += 1;
        self.expect(Sent::Query { leading, preparing }, owner);
        Ok(())
    }

    fn send_parse(
        &mut self,
        name: &str,
        sql: &str,
        types: &[u32],
        preparing: Option<Preparing>,
        owner: Owner,
    ) -> Enqueued {
        let count = u16::try_from(types.len()).map_err(|_| UpstreamError::Unsendable("too many parameter types"))?;
        self.send(b'P', Sent::Parse(preparing), owner, |body| {
            text(body, name)?;
            text(body, sql)?;
            body.put_u16(count);
            types.iter().for_each(|oid| body.put_u32(*oid));
            Ok(())
        })
    }

    /// A constant statement within a pipeline, under a name of the connection's own: the session's unnamed statement and
    /// portals stay.
    fn send_once(&mut self, sql: &str, owner: Owner) -> Enqueued {
        let close = |body: &mut BytesMut| target(body, b'S', OWN_NAME);
        // An earlier one may not have come to its Close.
        self.send(b'C', Sent::Close(None), Owner::Own, close)?;
        self.send_parse(OWN_NAME, sql, &[], None, owner)?;
        self.send(b'B', Sent::Bind(None), owner, |body| {
            text(body, OWN_NAME)?;
            text(body, OWN_NAME)?;
            body.put_bytes(0, 6);
            Ok(())
        })?;
        self.send(b'E', Sent::Execute, owner, |body| {
            text(body, OWN_NAME)?;
            body.put_i32(0);
            Ok(())
        })?;
        self.send(b'C', Sent::Close(None), Owner::Own, close)
    }

    /// A statement as a client's Parse wants it: one that names a moment (`'now'`) is never that of somebody else's Parse.
    fn find_or_part(&mut self, wanted: &Wanted<'_>) -> Option<StatementName> {
        let found = self.conversation.prepared.find(wanted, self.conversation.unit)?;
        if is_timeless(wanted.sql) {
            return Some(found);
        }
        self.conversation.prepared.part_with(wanted);
        None
    }

    /// One that was read under the settings that are wanted, or under those of now.
    fn find_read(&mut self, wanted: &Wanted<'_>) -> Option<StatementName> {
        let now = self.conversation.applied.in_force();
        let Conversation { prepared, unit, .. } = &mut self.conversation;
        prepared.find(wanted, *unit).or_else(|| prepared.find(&Wanted { settings: &now, ..*wanted }, *unit))
    }

    fn prepare_anew(
        &mut self,
        permit: &Permit,
        types: &[u32],
        wanted: &Wanted<'_>,
    ) -> Result<StatementName, UpstreamError> {
        self.declared |= permit.kind == PermitKind::Declare;
        if self.conversation.skipping {
            return Ok(StatementName::unnamed());
        }
        self.make_room(false)?;
        let (name, preparing) = self.conversation.prepared.insert(wanted, self.conversation.unit);
        self.send_parse(name.as_str(), &permit.sql, types, Some(preparing), Owner::ErrorsOnly)?;
        Ok(name)
    }

    /// Room for one more prepared statement. Those that nothing refers to any more are closed where no portal can depend on
    /// one; ahead of a simple Query with a Sync of its own.
    fn make_room(&mut self, with_sync: bool) -> Enqueued {
        let conversation = &mut self.conversation;
        conversation.prepared.make_room();
        if !conversation.prepared.has_stale()
            || conversation.open_unit
            || conversation.predicted != TransactionStatus::Idle
        {
            return Ok(());
        }
        for stale in conversation.prepared.take_stale() {
            self.send(b'C', Sent::Close(stale.id()), Owner::Own, |body| target(body, b'S', stale.as_str()))?;
        }
        if with_sync { self.send_sync(Owner::Own) } else { Ok(()) }
    }

    /// What the statement will do to the transaction, for settings that are enqueued behind it.
    fn foresee(&mut self, control: &Control) {
        let conversation = &mut self.conversation;
        match control {
            Control::Begin { .. } => conversation.predicted = TransactionStatus::InTransaction,
            Control::Commit { chain } | Control::Rollback { chain } => {
                conversation.applied.doubt_transaction();
                conversation.predicted =
                    if *chain { TransactionStatus::InTransaction } else { TransactionStatus::Idle };
            }
            Control::RollbackTo(_) => {
                conversation.applied.doubt_transaction();
                if conversation.predicted == TransactionStatus::Failed {
                    conversation.predicted = TransactionStatus::InTransaction;
                }
            }
            Control::CloseCursor(None) if conversation.predicted == TransactionStatus::Idle => self.declared = false,
            Control::CloseCursor(_)
            | Control::Savepoint(_)
            | Control::Release(_)
            | Control::SetTransaction { .. }
            | Control::Fetch { .. }
            | Control::Ping => {}
        }
    }
}

fn prepare_sql(name: &StatementName, types: &[String], permit: &Permit) -> String {
    let types = if types.is_empty() { String::new() } else { format!(" ({})", types.join(", ")) };
    format!("PREPARE {}{types} AS {}", name.as_str(), permit.sql)
}

fn execute_sql(name: &StatementName, arguments: &[String]) -> String {
    let arguments = if arguments.is_empty() { String::new() } else { format!(" ({})", arguments.join(", ")) };
    format!("EXECUTE {}{arguments}", name.as_str())
}

/// Appends one frame, or nothing.
fn frame(out: &mut BytesMut, tag: u8, body: impl FnOnce(&mut BytesMut) -> Enqueued) -> Enqueued {
    let start = out.len();
    out.put_u8(tag);
    out.put_u32(0);
    let length = match body(out) {
        Ok(()) => i32::try_from(out.len() - start - 1).map_err(|_| UpstreamError::Unsendable("it is too long")),
        Err(error) => Err(error),
    };
    match length {
        Ok(length) => {
            if let Some(slot) = out.get_mut(start + 1..start + 5) {
                slot.copy_from_slice(&length.to_be_bytes());
            }
            Ok(())
        }
        Err(error) => {
            out.truncate(start);
            Err(error)
        }
    }
}

fn text(out: &mut BytesMut, text: &str) -> Enqueued {
    if text.as_bytes().contains(&0) {
        return Err(UpstreamError::Unsendable("it holds a NUL character"));
    }
    out.put_slice(text.as_bytes());
    out.put_u8(0);
    Ok(())
}

fn target(out: &mut BytesMut, kind: u8, name: &str) -> Enqueued {
    out.put_u8(kind);
    text(out, name)
}
