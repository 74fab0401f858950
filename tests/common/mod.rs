//! What the tiers share: a private warehouse, pgveil in front of it, and a client that shows every message.
#![expect(dead_code, reason = "each tier uses its own part")]

pub mod proxy;
pub mod wire;
