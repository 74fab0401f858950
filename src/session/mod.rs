//! One client's connection, from the first byte to the last.

pub mod cancel;
pub mod listener;
pub mod startup;
pub mod tls;
