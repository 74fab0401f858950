//! Reads the parts of a message body, each step checked.

use std::ffi::CStr;

use super::WireError;

/// What is left of a body.
#[derive(Clone, Copy)]
pub(super) struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    pub(super) fn new(body: &'a [u8]) -> Self {
        Self { rest: body }
    }

    pub(super) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    fn chunk<const N: usize>(&mut self) -> Result<[u8; N], WireError> {
        let (chunk, rest) = self.rest.split_first_chunk::<N>().ok_or(WireError::Truncated)?;
        self.rest = rest;
        Ok(*chunk)
    }

    pub(super) fn u8(&mut self) -> Result<u8, WireError> {
        self.chunk().map(u8::from_be_bytes)
    }
    pub(super) fn u16(&mut self) -> Result<u16, WireError> {
        self.chunk().map(u16::from_be_bytes)
    }
    pub(super) fn i16(&mut self) -> Result<i16, WireError> {
        self.chunk().map(i16::from_be_bytes)
    }
    pub(super) fn u32(&mut self) -> Result<u32, WireError> {
        self.chunk().map(u32::from_be_bytes)
    }
    pub(super) fn i32(&mut self) -> Result<i32, WireError> {
        self.chunk().map(i32::from_be_bytes)
    }

    pub(super) fn bytes(&mut self, count: usize) -> Result<&'a [u8], WireError> {
        let (bytes, rest) = self.rest.split_at_checked(count).ok_or(WireError::Truncated)?;
        self.rest = rest;
        Ok(bytes)
    }

    /// A value with its length before it; -1 is NULL.
    pub(super) fn value(&mut self) -> Result<Option<&'a [u8]>, WireError> {
        match self.i32()? {
            -1 => Ok(None),
            length => self.bytes(usize::try_from(length).map_err(|_| WireError::Truncated)?).map(Some),
        }
    }

    /// The bytes up to a NUL, which is passed over.
    pub(super) fn raw_text(&mut self) -> Result<&'a [u8], WireError> {
        let text = CStr::from_bytes_until_nul(self.rest).map_err(|_| WireError::Unterminated)?.to_bytes();
        self.bytes(text.len() + 1)?;
        Ok(text)
    }

    /// A NUL-terminated text.
    pub(super) fn text(&mut self) -> Result<&'a str, WireError> {
        utf8(self.raw_text()?)
    }

    /// Nothing may be left.
    pub(super) fn end(&self) -> Result<(), WireError> {
        if self.rest.is_empty() { Ok(()) } else { Err(WireError::Trailing) }
    }
}

pub(super) fn utf8(text: &[u8]) -> Result<&str, WireError> {
    std::str::from_utf8(text).map_err(|error| WireError::not_utf8(text, &error))
}
