//! cli

pub mod check;
pub mod hash_password;
pub mod init;
