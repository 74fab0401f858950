//! The system catalogs as a client may see them: overlays over the warehouse's own, cut down to what is the system's and to
//! the products that the subject may query, under the products' names and OIDs. Pure.
//!
//! Each governed relation has a template in `relations/`: one query over the warehouse's real catalogs (`pg_catalog.X`), other
//! overlays (`shown.X`) and what pgveil itself knows (`map.X`). Nothing that is not in a template is passed through: its columns
//! are laid over the real relation's, and one that it does not name is NULL.
//!
//! In a client's statement a reference becomes a derived table, like that to a product: of the columns that are read alone, and
//! without the rows that constants and equalities of the statement rule out ([`Links`]), so that what travels with the SQL
//! stays small and the warehouse's planner sees nothing that cannot matter.

mod domain;
mod functions;
mod links;
mod lookup;
mod map;
mod names;
mod oids;
mod overlay;
mod system;
mod template;
mod templates;
mod visible;

#[cfg(test)]
mod tests;

pub use domain::Domain;
pub use functions::{Argument, Asked, Function, function, knows_function, output_of};
pub use links::{Links, Place};
pub use lookup::Path;
pub use map::{Map, Maps, array};
pub use names::Names;
pub use oids::Oids;
pub use overlay::{Constraints, Expander, Overlay, Overlays};
pub use system::{SystemColumn, SystemRelation};
pub use templates::governed;
pub use visible::{Session, ShownColumn, ShownKey, ShownProduct, ShownSchema, Visible};
