//! What the warehouse still has to answer, and what each answer means for the connection.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::error::SqlState;
use crate::wire::TransactionStatus;
use crate::wire::answer::{self, Report, tag};

use super::error::UpstreamError;
use super::prepared::{Prepared, Preparing};
use super::settings::Applied;

/// Whose the answers to a message are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// The session's.
    Client,
    /// The connection's, but an error is the session's.
    ErrorsOnly,
    /// The connection's; an error ends the lease.
    Own,
    /// The connection's; it is meant to fail.
    Fails,
}

/// What was sent.
#[derive(Clone, Debug)]
pub(super) enum Sent {
    /// A simple Query; the first `leading` CommandCompletes are the connection's.
    Query {
        leading: u8,
        preparing: Option<Preparing>,
    },
    Parse(Option<Preparing>),
    Bind(Option<u64>),
    /// Of a statement of the connection's own, or of a portal.
    Describe(Option<u64>),
    Execute,
    /// Of a statement of the connection's own (`Some`) or of a portal.
    Close(Option<u64>),
    Sync,
    /// Nothing was sent: these frames are the answer.
    Local(Bytes),
}

/// One message whose answers are outstanding.
#[derive(Clone, Debug)]
pub(super) struct Expected {
    pub sent: Sent,
    pub owner: Owner,
}

impl Expected {
    fn shows(&self, tag: u8) -> bool {
        match (self.owner, &self.sent) {
            (Owner::Client, Sent::Query { leading, .. }) => tag != tag::COMMAND_COMPLETE || *leading == 0,
            (Owner::Client, _) => true,
            (Owner::ErrorsOnly, _) => tag == tag::ERROR_RESPONSE,
            (Owner::Own | Owner::Fails, _) => false,
        }
    }
}

/// The state of the conversation.
#[derive(Debug, Default)]
pub(super) struct Conversation {
    pub expected: VecDeque<Expected>,
    /// Extended messages were sent and no Sync after them.
    pub open_unit: bool,
    /// The warehouse skips everything up to the next Sync.
    pub skipping: bool,
    /// Counts stretches between two Syncs.
    pub unit: u64,
    /// As the last ReadyForQuery said.
    pub status: TransactionStatus,
    /// As it will be when everything that was sent is done.
    pub predicted: TransactionStatus,
    pub applied: Applied,
    pub prepared: Prepared,
    pub parameters: Vec<(String, String)>,
}

fn protocol(what: impl Into<String>) -> UpstreamError {
    UpstreamError::Protocol(what.into())
}

impl Conversation {
    /// Whether a frame is the session's; asked before the whole of it is there.
    pub fn shows(&self, tag: u8) -> bool {
        match (tag, self.expected.front()) {
            (tag::NOTIFICATION_RESPONSE, _) | (tag::PARAMETER_STATUS | tag::NOTICE_RESPONSE, None) => false,
            (tag::PARAMETER_STATUS | tag::NOTICE_RESPONSE, Some(first)) => first.owner == Owner::Client,
            (_, None) => true,
            (_, Some(first)) => first.shows(tag),
        }
    }

    /// Nothing is outstanding.
    pub fn is_at_rest(&self) -> bool {
        self.expected.is_empty() && !self.open_unit
    }

    /// Takes note of a whole frame.
    pub fn account(&mut self, tag: u8, body: &[u8]) -> Result<(), UpstreamError> {
        match tag {
            tag::NOTICE_RESPONSE | tag::NOTIFICATION_RESPONSE => return Ok(()),
            tag::PARAMETER_STATUS => return self.parameter(body),
            tag::ERROR_RESPONSE => return self.error(body),
            tag::READY_FOR_QUERY => return self.ready(body),
            _ => {}
        }
        let Some(first) = self.expected.front_mut() else {
            return Err(protocol(format!("a message of type {:?} that nothing asked for", char::from(tag))));
        };
        if first.owner == Owner::Fails && tag == tag::COMMAND_COMPLETE {
            return Err(protocol("the statement that aborts a transaction succeeded"));
        }
        let over = match (&mut first.sent, tag) {
            (Sent::Query { leading, preparing }, tag::COMMAND_COMPLETE) => {
                *leading = leading.saturating_sub(1);
                if let Some(preparing) = preparing.take() {
                    self.prepared.confirm(&preparing);
                }
                false
            }
            (
                Sent::Query { .. },
                tag::ROW_DESCRIPTION
                | tag::DATA_ROW
                | tag::EMPTY_QUERY_RESPONSE
                | tag::COPY_OUT_RESPONSE
                | tag::COPY_DATA
                | tag::COPY_DONE,
            )
            | (Sent::Describe(_), tag::PARAMETER_DESCRIPTION)
            | (Sent::Execute, tag::DATA_ROW | tag::COPY_OUT_RESPONSE | tag::COPY_DATA | tag::COPY_DONE) => false,
            (Sent::Parse(preparing), tag::PARSE_COMPLETE) => {
                if let Some(preparing) = preparing.take() {
                    self.prepared.confirm(&preparing);
                }
                true
            }
            (Sent::Bind(_), tag::BIND_COMPLETE)
            | (Sent::Describe(_), tag::ROW_DESCRIPTION | tag::NO_DATA)
            | (Sent::Execute, tag::COMMAND_COMPLETE | tag::EMPTY_QUERY_RESPONSE | tag::PORTAL_SUSPENDED)
            | (Sent::Close(_), tag::CLOSE_COMPLETE) => true,
            _ => return Err(protocol(format!("a message of type {:?} out of turn", char::from(tag)))),
        };
        if over {
            self.expected.pop_front();
        }
        Ok(())
    }

    fn parameter(&mut self, body: &[u8]) -> Result<(), UpstreamError> {
        let (name, value) = answer::parameter_status(body).map_err(|error| protocol(error.to_string()))?;
        let pinned = match name {
            "client_encoding" => value == "UTF8",
            "standard_conforming_strings" => value == "on",
            _ => true,
        };
        if !pinned {
            return Err(protocol(format!("the pinned setting {name} was changed")));
        }
        match self.parameters.iter_mut().find(|(n, _)| n == name) {
            Some(known) => value.clone_into(&mut known.1),
            None => self.parameters.push((name.to_owned(), value.to_owned())),
        }
        Ok(())
    }

    fn ready(&mut self, body: &[u8]) -> Result<(), UpstreamError> {
        let status = answer::ready_status(body).map_err(|error| protocol(error.to_string()))?;
        match self.expected.pop_front().map(|first| first.sent) {
            Some(Sent::Query { .. } | Sent::Sync) => {}
            _ => return Err(protocol("ReadyForQuery out of turn")),
        }
        self.status = status;
        if self.is_at_rest() {
            self.predicted = status;
            if status == TransactionStatus::Idle {
                self.applied.at_rest();
            }
        }
        Ok(())
    }

    fn error(&mut self, body: &[u8]) -> Result<(), UpstreamError> {
        let report = Report::parse(body).map_err(|error| protocol(error.to_string()))?;
        let state = report.sqlstate().unwrap_or(SqlState::new("XX000"));
        if report.is_fatal() {
            return Err(UpstreamError::Ended(state));
        }
        let Some(first) = self.expected.front_mut() else {
            return Err(protocol("an error that nothing asked for"));
        };
        if first.owner == Owner::Own {
            return Err(UpstreamError::Settings { sqlstate: state, message: report.message().into_owned() });
        }
        match &mut first.sent {
            // What follows up to ReadyForQuery is of the same Query.
            Sent::Query { leading, preparing } => {
                *leading = 0;
                if let Some(preparing) = preparing.take() {
                    self.prepared.forget(&preparing);
                }
                return Ok(());
            }
            Sent::Sync => return Ok(()),
            Sent::Bind(Some(id)) | Sent::Describe(Some(id)) if matches!(state.as_str(), "0A000" | "26000") => {
                let id = *id;
                self.prepared.invalidate(id);
            }
            _ => {}
        }
        self.skip_to_sync();
        Ok(())
    }

    fn skip_to_sync(&mut self) {
        while let Some(first) = self.expected.front() {
            match &first.sent {
                Sent::Sync => return,
                Sent::Parse(Some(preparing)) => self.prepared.forget(&preparing.clone()),
                Sent::Query { preparing: Some(preparing), .. } => self.prepared.forget(&preparing.clone()),
                Sent::Close(Some(id)) => self.prepared.close_later(*id),
                _ => {}
            }
            self.expected.pop_front();
        }
        self.skipping = true;
    }
}
