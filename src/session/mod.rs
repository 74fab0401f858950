//! One client's connection, from the first byte to the last.

pub mod cancel;
mod clock;
mod layers;
