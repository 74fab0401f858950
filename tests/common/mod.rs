//! What the tiers share: a private warehouse, pgveil in front of it, and a client that shows every message.

pub mod proxy;
pub mod wire;
