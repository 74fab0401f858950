//! cli

pub mod check;
pub mod explain;
pub mod hash_password;
pub mod init;
