//! One client's connection, from the first byte to the last.

mod clock;
mod layers;
