//! The policy engine: what a statement needs, whether the subject may have it, and the SQL that shows no more. Pure: no
//! clock, no socket, no runtime, no environment.

pub mod decide;
pub mod facts;
pub mod permit;
pub mod snapshot;
pub mod subject;
