//! Values of settings by Postgres' rules: SET lasts, unless its transaction or savepoint is rolled back; SET LOCAL lasts
//! until the transaction ends. No I/O, and no knowledge of which settings there are.

use std::sync::Arc;

/// The values that differ from the defaults. Clones are cheap, so a savepoint is a clone.
type Values = Arc<Vec<Cell>>;

/// One setting: what SET and what SET LOCAL gave it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Cell {
    name: &'static str,
    session: Option<Arc<str>>,
    local: Option<Arc<str>>,
}

/// The settings of a session.
#[derive(Clone, Debug, Default)]
pub struct Layers {
    current: Values,
    /// As it was when the transaction began; `None`: nothing to go back to.
    base: Option<Values>,
    savepoints: Vec<(String, Values)>,
}

impl Layers {
    /// The value, where it is not the default.
    pub fn value(&self, name: &str) -> Option<&Arc<str>> {
        let cell = self.current.iter().find(|cell| cell.name == name)?;
        cell.local.as_ref().or(cell.session.as_ref())
    }

    /// Whether both hold the same values without looking at them: true only if nothing was set in between.
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.current, &other.current)
    }

    /// SET, or RESET with `None`. What SET LOCAL gave is forgotten.
    pub fn set(&mut self, name: &'static str, value: Option<Arc<str>>) {
        let cell = self.cell(name);
        cell.session = value;
        cell.local = None;
    }

    /// SET LOCAL. `SET LOCAL … TO DEFAULT` gives the default's own value, to hide what SET gave.
    pub fn set_local(&mut self, name: &'static str, value: Arc<str>) {
        self.cell(name).local = Some(value);
    }

    /// RESET ALL.
    pub fn clear(&mut self) {
        self.current = Values::default();
    }

    fn cell(&mut self, name: &'static str) -> &mut Cell {
        let cells = Arc::make_mut(&mut self.current);
        let at = match cells.iter().position(|cell| cell.name == name) {
            Some(at) => at,
            None => {
                cells.push(Cell { name, session: None, local: None });
                cells.len() - 1
            }
        };
        #[expect(clippy::indexing_slicing, reason = "the position was just found or made")]
        &mut cells[at]
    }

    /// A transaction begins (BEGIN, or the first statement of an implicit one). Again inside one: nothing.
    pub fn begin(&mut self) {
        if self.base.is_none() {
            self.base = Some(Arc::clone(&self.current));
        }
    }

    /// SAVEPOINT.
    pub fn savepoint(&mut self, name: &str) {
        self.savepoints.push((name.to_owned(), Arc::clone(&self.current)));
    }

    /// RELEASE: the savepoint and those after it are forgotten, what was set stays.
    pub fn release(&mut self, name: &str) {
        if let Some(at) = self.latest(name) {
            self.savepoints.truncate(at);
        }
    }

    /// ROLLBACK TO: the savepoint stays, those after it are forgotten. Whether there is one of this name.
    pub fn rollback_to(&mut self, name: &str) -> bool {
        let Some(at) = self.latest(name) else { return false };
        self.savepoints.truncate(at + 1);
        if let Some((_, values)) = self.savepoints.last() {
            self.current = Arc::clone(values);
        }
        true
    }

    fn latest(&self, name: &str) -> Option<usize> {
        self.savepoints.iter().rposition(|(savepoint, _)| savepoint == name)
    }

    /// COMMIT: what SET LOCAL gave is gone.
    pub fn commit(&mut self) {
        self.savepoints.clear();
        if self.base.take().is_some() && self.current.iter().any(|cell| cell.local.is_some()) {
            let cells = Arc::make_mut(&mut self.current);
            cells.retain_mut(|cell| {
                cell.local = None;
                cell.session.is_some()
            });
        }
    }

    /// ROLLBACK.
    pub fn rollback(&mut self) {
        self.savepoints.clear();
        if let Some(base) = self.base.take() {
            self.current = base;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(value: &str) -> Arc<str> {
        Arc::from(value)
    }
    fn zone(layers: &Layers) -> Option<&str> {
        layers.value("TimeZone").map(|value| &**value)
    }
    fn set(layers: &mut Layers, value: &str) {
        layers.set("TimeZone", Some(text(value)));
    }

    #[test]
    fn rollback_undoes_what_was_set() {
        let mut layers = Layers::default();
        set(&mut layers, "A");
        layers.begin();
        set(&mut layers, "B");
        layers.rollback();
        assert_eq!(zone(&layers), Some("A"));
        layers.begin();
        set(&mut layers, "C");
        layers.commit();
        layers.rollback();
        assert_eq!(zone(&layers), Some("C"));
    }

    #[test]
    fn local_values_end_with_the_transaction() {
        let mut layers = Layers::default();
        layers.begin();
        set(&mut layers, "A");
        layers.set_local("TimeZone", text("L"));
        assert_eq!(zone(&layers), Some("L"));
        layers.commit();
        assert_eq!(zone(&layers), Some("A"));
        layers.begin();
        layers.set_local("TimeZone", text("L"));
        set(&mut layers, "B");
        assert_eq!(zone(&layers), Some("B"), "SET after SET LOCAL shows at once");
        layers.set_local("DateStyle", text("German"));
        layers.commit();
        assert_eq!((zone(&layers), layers.value("DateStyle")), (Some("B"), None));
    }

    #[test]
    fn savepoints_nest_and_shadow() {
        let mut layers = Layers::default();
        layers.begin();
        layers.savepoint("s");
        set(&mut layers, "A");
        layers.savepoint("s");
        set(&mut layers, "B");
        assert!(layers.rollback_to("s"));
        assert_eq!(zone(&layers), Some("A"));
        set(&mut layers, "C");
        assert!(layers.rollback_to("s"), "the savepoint is still there");
        assert_eq!(zone(&layers), Some("A"));
        layers.release("s");
        assert!(layers.rollback_to("s"), "the outer one of the same name");
        assert_eq!(zone(&layers), None);
        assert!(!layers.rollback_to("t"));
        layers.rollback();
        assert_eq!(zone(&layers), None);
    }

    #[test]
    fn reset_hides_nothing_and_is_undone_too() {
        let mut layers = Layers::default();
        set(&mut layers, "A");
        let before = layers.clone();
        assert!(layers.is_same(&before));
        layers.begin();
        layers.clear();
        assert_eq!(zone(&layers), None);
        assert!(!layers.is_same(&before));
        layers.rollback();
        assert_eq!(zone(&layers), Some("A"));
        layers.set("TimeZone", None);
        assert_eq!(zone(&layers), None);
    }
}
