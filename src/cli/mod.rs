//! Commands.

pub mod check_warehouse;
