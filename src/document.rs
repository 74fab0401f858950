//! TOML documents
