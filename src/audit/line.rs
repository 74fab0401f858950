//! One line of the log, read back.

use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::chain::{self, Head};

/// What verification needs of a line.
#[derive(Debug)]
pub(super) struct Line {
    pub seq: u64,
    pub time: String,
    pub prev: String,
    pub fields: Fields,
    hash: String,
    /// SHA-256 of the line without its `hash`.
    computed: chain::Hex,
}

#[derive(Debug, Deserialize)]
pub(super) struct Fields {
    v: u64,
    seq: u64,
    time: String,
    prev: String,
    hash: String,
    pub event: String,
    #[serde(default)]
    pub decision: Option<String>,
    #[serde(default)]
    pub of: Option<u64>,
    #[serde(default)]
    pub torn_sha256: Option<String>,
    #[serde(default)]
    pub removed_through: Option<u64>,
}

impl Line {
    /// Reads a line (without its end); the error continues the sentence "line 7 …".
    pub(super) fn read(bytes: &[u8]) -> Result<Self, String> {
        let text = std::str::from_utf8(bytes).map_err(|_| "is not UTF-8".to_owned())?;
        let mut fields: Fields = serde_json::from_str(text).map_err(|e| format!("is not an audit record ({e})"))?;
        if fields.v != 1 {
            return Err(format!("is of version {}, which this pgveil does not know", fields.v));
        }
        // The first occurrence is the field: inside of a string its quotes would be escaped.
        let field = format!("\"hash\":\"{}\",", fields.hash);
        let Some((before, after)) = text.split_once(&field) else {
            return Err("has its hash field written in another way than pgveil writes it".to_owned());
        };
        let mut digest = Sha256::new();
        digest.update(before);
        digest.update(after);
        Ok(Self {
            seq: fields.seq,
            time: std::mem::take(&mut fields.time),
            prev: std::mem::take(&mut fields.prev),
            hash: std::mem::take(&mut fields.hash),
            computed: chain::hex(&digest.finalize().into()),
            fields,
        })
    }

    /// The chain's end after this line, if the line is believed.
    pub(super) fn claimed(&self) -> Head {
        Head { seq: self.seq, hash: self.hash.as_bytes().try_into().unwrap_or(chain::GENESIS) }
    }

    /// The chain's end after this line, when its hash is its own.
    pub(super) fn proven(&self) -> Result<Head, String> {
        if self.hash.as_bytes() == self.computed {
            Ok(Head { seq: self.seq, hash: self.computed })
        } else {
            Err(format!("(seq {}) was edited: its content does not match its hash", self.seq))
        }
    }
}
