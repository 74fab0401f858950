//! A short name for statements that differ in literals alone.

use sha2::{Digest, Sha256};

use super::redact::redact;
use super::render::render;
use super::statement::Statement;

/// Sixteen hex digits, equal for statements that differ in literals alone.
pub fn fingerprint(statement: &Statement) -> String {
    let digest = Sha256::digest(redact(&render(statement)).as_bytes());
    digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}
