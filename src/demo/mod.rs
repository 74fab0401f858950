//! The demo: an e-commerce company's warehouse on a private PostgreSQL, and pgveil in front of it.

mod files;
mod guardian;
mod load;
pub mod postgres;

pub use files::{DemoFiles, DemoUser, USERS};
pub use load::{LoadError, load};
