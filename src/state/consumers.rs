//! Who says that he uses a product.

use crate::names::{ProductId, UserName};

use super::backend::Cell;
use super::{StateError, Store};

/// One use of a product by a team.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consumer {
    /// Which team.
    pub team: String,
    /// What for.
    pub use_case: String,
    /// Whom to write before something changes.
    pub contact: String,
    /// Who has said so.
    pub registered_by: UserName,
    /// When, RFC 3339.
    pub registered_at: String,
}

impl Store {
    /// Registers a use. The same team with the same use case is told anew, not twice.
    pub async fn register_consumer(&self, product: &ProductId, consumer: Consumer) -> Result<(), StateError> {
        let sql = "INSERT INTO consumers (product, team, use_case, contact, registered_by, registered_at) \
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (product, team, use_case) DO UPDATE SET \
                   contact = excluded.contact, registered_by = excluded.registered_by, registered_at = excluded.registered_at";
        let cells = vec![
            Cell::from(product.to_string()),
            consumer.team.into(),
            consumer.use_case.into(),
            consumer.contact.into(),
            consumer.registered_by.as_str().into(),
            consumer.registered_at.into(),
        ];
        self.execute("written", vec![(sql, cells)]).await
    }

    /// Who uses a product, by team, at most so many.
    pub async fn consumers(&self, product: &ProductId, most: usize) -> Result<Vec<Consumer>, StateError> {
        let sql = "SELECT team, use_case, contact, registered_by, registered_at FROM consumers WHERE product = ?1 \
                   ORDER BY team, use_case LIMIT ?2";
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let rows = self.query("read", (sql, vec![Cell::from(product.to_string()), most.into()])).await?;
        let consumer = |row: Vec<Cell>| {
            let mut texts = row.into_iter().map(|cell| cell.text().unwrap_or_default());
            let mut next = || texts.next().unwrap_or_default();
            Consumer {
                team: next(),
                use_case: next(),
                contact: next(),
                registered_by: UserName::new(next()),
                registered_at: next(),
            }
        };
        Ok(rows.into_iter().map(consumer).collect())
    }

    /// How many uses of a product are registered.
    pub async fn count_consumers(&self, product: &ProductId) -> Result<usize, StateError> {
        let sql = "SELECT count(*) FROM consumers WHERE product = ?1";
        let rows = self.query("read", (sql, vec![Cell::from(product.to_string())])).await?;
        let count = rows.into_iter().flatten().find_map(Cell::whole).unwrap_or(0);
        Ok(usize::try_from(count).unwrap_or(0))
    }
}
