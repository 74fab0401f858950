//! `pgveil.toml` and `policy.toml`: raw -> compiled, all errors at once.

mod policy;
mod server;

pub use policy::{
    Attribute, Domain, Governance, Group, Limits, OnMaxRows, Policy, Role, RoleLimits, ScramVerifier, Token, User,
};
pub use server::{
    AuditConfig, AuditFailure, CatalogConfig, ContractsConfig, Durability, HttpConfig, OnCatalogError, SecretString,
    ServerConfig, ServerSection, SqlRecording, StateUrl, TlsConfig, TlsMode, Unvalidated, WarehouseConfig,
};
