//! Catalog and policy while pgveil runs: watch -> build -> validate -> swap, else keep.

mod watch;

pub use watch::{Places, Watch};
