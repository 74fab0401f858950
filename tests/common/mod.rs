//! What the tiers share: a private warehouse, pgveil in front of it, and a client that shows every message.

mod guardian;
pub mod proxy;
pub mod wire;
