//! The runs of contracts, as they are kept.

use jiff::Timestamp;

use crate::names::ProductId;

use super::backend::Cell;
use super::{StateError, Store};

/// One run, with what is read without its document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptRun {
    /// Whose contract.
    pub product: ProductId,
    /// When it began.
    pub started_at: Timestamp,
    /// Whether the contract held.
    pub passed: bool,
    /// How many rows there were.
    pub rows: Option<u64>,
    /// The age of the newest row.
    pub stale_seconds: Option<u64>,
    /// All of it, as JSON.
    pub document: String,
}

/// Texts in the order of time.
fn moment(at: Timestamp) -> String {
    format!("{at:.6}")
}

impl Store {
    /// Keeps a run. One that is kept already stays as it is.
    pub async fn save_run(&self, run: KeptRun) -> Result<(), StateError> {
        let whole = |number: Option<u64>| Cell::from(number.and_then(|n| i64::try_from(n).ok()));
        let sql = "INSERT INTO validations (product, started_at, passed, row_count, stale_seconds, document) \
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (product, started_at) DO NOTHING";
        let cells = vec![
            Cell::from(run.product.to_string()),
            moment(run.started_at).into(),
            i64::from(run.passed).into(),
            whole(run.rows),
            whole(run.stale_seconds),
            run.document.into(),
        ];
        self.execute("written", vec![(sql, cells)]).await
    }

    /// The last runs of a product, the latest first.
    pub async fn runs(&self, product: &ProductId, most: usize) -> Result<Vec<KeptRun>, StateError> {
        let sql = "SELECT product, started_at, passed, row_count, stale_seconds, document FROM validations \
                   WHERE product = ?1 ORDER BY started_at DESC LIMIT ?2";
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let rows = self.query("read", (sql, vec![Cell::from(product.to_string()), most.into()])).await?;
        rows.into_iter().map(|row| self.run_of(row)).collect()
    }

    /// The last run of every product.
    pub async fn latest_runs(&self) -> Result<Vec<KeptRun>, StateError> {
        let sql = "SELECT v.product, v.started_at, v.passed, v.row_count, v.stale_seconds, v.document FROM validations v \
                   JOIN (SELECT product, max(started_at) AS latest FROM validations GROUP BY product) l \
                   ON l.product = v.product AND l.latest = v.started_at ORDER BY v.product";
        let rows = self.query("read", (sql, Vec::new())).await?;
        rows.into_iter().map(|row| self.run_of(row)).collect()
    }

    /// Forgets runs that began before this moment.
    pub async fn forget_runs(&self, before: Timestamp) -> Result<(), StateError> {
        let sql = "DELETE FROM validations WHERE started_at < ?1";
        self.execute("written", vec![(sql, vec![moment(before).into()])]).await
    }

    fn run_of(&self, row: Vec<Cell>) -> Result<KeptRun, StateError> {
        let mut cells = row.into_iter();
        let mut next = || cells.next().unwrap_or(Cell::Null);
        let (product, started_at, passed, rows, stale, document) =
            (next().text(), next().text(), next().whole(), next().whole(), next().whole(), next().text());
        let run = (|| {
            Some(KeptRun {
                product: ProductId::parse(&product?)?,
                started_at: started_at?.parse().ok()?,
                passed: passed? != 0,
                rows: rows.and_then(|n| u64::try_from(n).ok()),
                stale_seconds: stale.and_then(|n| u64::try_from(n).ok()),
                document: document?,
            })
        })();
        run.ok_or_else(|| self.content("a validation", &"it is not in the form in which it was written"))
    }
}
