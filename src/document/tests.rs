//! The reader's own tests.
