//! The system catalogs as a client may see them: overlays over the warehouse's own, cut down to what is the system's and to
//! the products that the subject may query, under the products' names and OIDs. Pure.
//!
//! Each governed relation has a template in `relations/`: one query over the warehouse's real catalogs (`pg_catalog.X`), other
//! overlays (`shown.X`) and what pgveil itself knows (`map.X`). Nothing that is not in a template is passed through: its columns
//! are laid over the real relation's, and one that it does not name is NULL.
//!
//! In a client's statement every overlay and map that is needed becomes a WITH query under a name that no client can define
//! ([`is_reserved`]); the reference becomes a derived table over it, like that to a product.

mod map;
mod oids;
mod overlay;
mod plan;
mod scan;
mod system;
mod templates;

pub use map::{Session, ShownColumn, ShownProduct, ShownSchema, Visible};
pub use oids::{ARRAY_TYPE, BLOCK, FIRST, Oids, ROW_TYPE};
pub use overlay::{Overlay, Overlays};
pub use plan::{Cut, Plan, Prelude};
pub use scan::Names;
pub use system::{SystemColumn, SystemRelation};
pub use templates::governed;

/// What the names of pgveil's own WITH queries begin with.
const OWN: &str = "pgveil ";

/// Whether a WITH query of a client may not have this name.
pub fn is_reserved(name: &str) -> bool {
    name.starts_with(OWN)
}
