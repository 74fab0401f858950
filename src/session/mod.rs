//! One client's connection, from the first byte to the last.

pub mod cancel;
mod clock;
mod layers;
pub mod listener;
pub mod startup;
pub mod tls;
