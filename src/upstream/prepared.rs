//! Statements that are prepared on one connection.
//!
//! A statement is found again by its text, the types of its parameters, and the settings under which the warehouse read it:
//! the value of `'2025-03-01'::timestamptz` is made when a statement is parsed. A client's unnamed statement that comes again
//! and again is kept too, but apart from named ones, for [`MOST_PASSING_USES`] uses alone: the warehouse then plans it with its
//! values each time, as it plans what is unnamed.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::settings::UpstreamSettings;

/// How many statements one connection keeps.
pub(super) const CAPACITY: usize = 256;
/// From the sixth use on the warehouse may plan a prepared statement without looking at its values.
const MOST_PASSING_USES: u8 = 5;
/// A plan without parameters is made once; an unnamed statement's must not become old.
const LONGEST_PASSING: Duration = Duration::from_secs(60);
/// How many texts of unnamed statements are remembered, to know those that come again.
const REMEMBERED: usize = 64;
/// Statements that wait to be closed (a transaction is open); from there on unnamed ones are sent as such.
const MOST_STALE: usize = 16;

/// The name of a prepared statement on one connection, `pv_7`; of no meaning on another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatementName {
    id: Option<u64>,
    name: Arc<str>,
}

impl StatementName {
    /// The unnamed statement.
    pub fn unnamed() -> Self {
        Self { id: None, name: Arc::from("") }
    }
    pub(super) fn numbered(id: u64) -> Self {
        Self { id: Some(id), name: Arc::from(format!("pv_{id}")) }
    }
    /// Whether it is.
    pub fn is_unnamed(&self) -> bool {
        self.id.is_none()
    }
    /// As it is sent.
    pub fn as_str(&self) -> &str {
        &self.name
    }
    pub(super) fn id(&self) -> Option<u64> {
        self.id
    }
}

/// How the types of the parameters are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Types<'a> {
    /// In a Parse.
    Oids(&'a [u32]),
    /// In a PREPARE.
    Names(&'a [String]),
}

#[derive(Debug, PartialEq, Eq)]
enum OwnedTypes {
    Oids(Box<[u32]>),
    Names(Box<[String]>),
}

impl OwnedTypes {
    fn are(&self, types: Types<'_>) -> bool {
        match (self, types) {
            (Self::Oids(mine), Types::Oids(other)) => **mine == *other,
            (Self::Names(mine), Types::Names(other)) => **mine == *other,
            _ => false,
        }
    }
}

/// A statement in the making, kept with the expectation of its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Preparing {
    pub id: u64,
    pub sql: Arc<str>,
}

/// What a statement must have in common with one that is prepared.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted<'a> {
    pub sql: &'a Arc<str>,
    pub types: Types<'a>,
    /// Those under which the warehouse is to have read it.
    pub settings: &'a Arc<UpstreamSettings>,
    /// It is the client's unnamed one.
    pub passing: bool,
}

impl<'a> Wanted<'a> {
    /// A statement to which the client, or pgveil itself, has given a name.
    pub fn named(sql: &'a Arc<str>, types: Types<'a>, settings: &'a Arc<UpstreamSettings>) -> Self {
        Self { sql, types, settings, passing: false }
    }
    /// The client's unnamed statement.
    pub fn passing(sql: &'a Arc<str>, types: &'a [u32], settings: &'a Arc<UpstreamSettings>) -> Self {
        Self { sql, types: Types::Oids(types), settings, passing: true }
    }
}

#[derive(Debug)]
struct Entry {
    name: StatementName,
    id: u64,
    types: OwnedTypes,
    settings: Arc<UpstreamSettings>,
    /// For the client's unnamed statements: how often it was used, and when it was made.
    passing: Option<(u8, Instant)>,
    used: u64,
    confirmed: bool,
    /// The stretch between two Syncs in which it was sent.
    unit: u64,
}

impl Entry {
    fn is(&self, wanted: &Wanted<'_>) -> bool {
        self.passing.is_some() == wanted.passing
            && self.types.are(wanted.types)
            && self.settings.reads_like(wanted.settings)
    }
}

/// What is prepared, by text and types.
#[derive(Debug, Default)]
pub(super) struct Prepared {
    by_sql: HashMap<Arc<str>, Vec<Entry>>,
    len: usize,
    clock: u64,
    last_id: u64,
    /// Statements of the warehouse that nothing here refers to: to be closed.
    stale: Vec<u64>,
    /// Unnamed statements that have come once, as hashes.
    seen: VecDeque<u64>,
    hasher: RandomState,
}

impl Prepared {
    /// The statement, when it can be relied on: the warehouse confirmed it, or it precedes in the same unit (then its failure
    /// skips what relies on it). Each time that an unnamed one is found counts as a use of it, and so does its making.
    pub fn find(&mut self, wanted: &Wanted<'_>, unit: u64) -> Option<StatementName> {
        self.clock += 1;
        let entries = self.by_sql.get_mut(wanted.sql)?;
        let at = entries.iter().position(|entry| entry.is(wanted))?;
        let entry = entries.get_mut(at)?;
        let spent =
            entry.passing.is_some_and(|(uses, since)| uses >= MOST_PASSING_USES || since.elapsed() > LONGEST_PASSING);
        if !spent && (entry.confirmed || entry.unit == unit) {
            entry.used = self.clock;
            if let Some((uses, _)) = &mut entry.passing {
                *uses += 1;
            }
            return Some(entry.name.clone());
        }
        let id = entries.get(at)?.id;
        self.put_aside(wanted.sql, id);
        None
    }

    /// It is prepared anew, and the one of before is not used any more.
    pub fn part_with(&mut self, wanted: &Wanted<'_>) {
        let entries = self.by_sql.get(wanted.sql);
        if let Some(id) =
            entries.and_then(|entries| entries.iter().find(|entry| entry.is(wanted))).map(|entry| entry.id)
        {
            self.put_aside(wanted.sql, id);
        }
    }

    /// Not used any more, and closed when that can be done.
    fn put_aside(&mut self, sql: &Arc<str>, id: u64) {
        self.forget(&Preparing { id, sql: Arc::clone(sql) });
        self.stale.push(id);
    }

    /// Whether an unnamed statement should be kept: its text has come before, means the same whenever it is read, and what was
    /// kept can be closed again.
    pub fn is_worth_keeping(&mut self, wanted: &Wanted<'_>) -> bool {
        let text = self.hasher.hash_one(&**wanted.sql);
        if !self.seen.contains(&text) {
            if self.seen.len() >= REMEMBERED {
                self.seen.pop_front();
            }
            self.seen.push_back(text);
            return false;
        }
        self.stale.len() < MOST_STALE && is_timeless(wanted.sql)
    }

    /// The oldest gives way when there are too many for one more.
    pub fn make_room(&mut self) {
        if self.len >= CAPACITY {
            self.evict();
        }
    }

    /// A new statement.
    pub fn insert(&mut self, wanted: &Wanted<'_>, unit: u64) -> (StatementName, Preparing) {
        let Wanted { sql, types, settings, passing } = *wanted;
        self.clock += 1;
        self.last_id += 1;
        let id = self.last_id;
        let name = StatementName::numbered(id);
        let types = match types {
            Types::Oids(oids) => OwnedTypes::Oids(oids.into()),
            Types::Names(names) => OwnedTypes::Names(names.into()),
        };
        let passing = passing.then(|| {
            // What means something else a moment later serves this once.
            (if is_timeless(sql) { 1 } else { MOST_PASSING_USES }, Instant::now())
        });
        let settings = Arc::clone(settings);
        let entry =
            Entry { name: name.clone(), id, types, settings, passing, used: self.clock, confirmed: false, unit };
        self.by_sql.entry(sql.clone()).or_default().push(entry);
        self.len += 1;
        (name, Preparing { id, sql: sql.clone() })
    }

    fn evict(&mut self) {
        let oldest = self
            .by_sql
            .iter()
            .flat_map(|(sql, entries)| entries.iter().map(move |entry| (entry.used, entry.id, sql)))
            .min_by_key(|(used, ..)| *used)
            .map(|(_, id, sql)| Preparing { id, sql: sql.clone() });
        if let Some(oldest) = oldest {
            self.put_aside(&oldest.sql, oldest.id);
        }
    }

    /// The warehouse has it.
    pub fn confirm(&mut self, preparing: &Preparing) {
        let entry = self.by_sql.get_mut(&preparing.sql).and_then(|es| es.iter_mut().find(|e| e.id == preparing.id));
        if let Some(entry) = entry {
            entry.confirmed = true;
        }
    }

    /// The warehouse does not have it.
    pub fn forget(&mut self, preparing: &Preparing) {
        if let Some(entries) = self.by_sql.get_mut(&preparing.sql) {
            let before = entries.len();
            entries.retain(|entry| entry.id != preparing.id);
            self.len -= before - entries.len();
            if entries.is_empty() {
                self.by_sql.remove(&preparing.sql);
            }
        }
    }

    /// The warehouse says that it cannot be used any more (its tables have changed): it is prepared anew next time.
    pub fn invalidate(&mut self, id: u64) {
        let sql = self.by_sql.iter().find(|(_, es)| es.iter().any(|e| e.id == id)).map(|(sql, _)| sql.clone());
        if let Some(sql) = sql {
            self.put_aside(&sql, id);
        }
    }

    /// A Close that was sent was skipped.
    pub fn close_later(&mut self, id: u64) {
        self.stale.push(id);
    }
    pub fn has_stale(&self) -> bool {
        !self.stale.is_empty()
    }
    /// What is to be closed now. Only where no portal can depend on one: closing a statement closes its portals.
    pub fn take_stale(&mut self) -> Vec<StatementName> {
        self.stale.drain(..).map(StatementName::numbered).collect()
    }
}

/// Whether every literal means the same whenever it is read: `'today'::date` is made a day when the statement is parsed. Where
/// the words stand is not asked, nor how an array or a record may spell them: a literal that could be one is taken for one.
pub(super) fn is_timeless(sql: &str) -> bool {
    let mut rest = sql.as_bytes();
    while let Some(at) = rest.iter().position(|byte| matches!(byte, b'\'' | b'"' | b'$')) {
        let (quote, inside) = match rest.get(at..) {
            Some([quote, inside @ ..]) => (*quote, inside),
            _ => return false,
        };
        if quote == b'$' {
            // `$1`; what pgveil prints has no dollar quotes.
            if !inside.first().is_some_and(u8::is_ascii_digit) {
                return false;
            }
            rest = inside;
            continue;
        }
        // A doubled quote ends one stretch and begins the next: each is looked at.
        let Some(end) = inside.iter().position(|byte| *byte == quote) else { return false };
        let Some((literal, end)) = inside.split_at_checked(end) else { return false };
        rest = end.get(1..).unwrap_or_default();
        if quote == b'\'' && could_be_a_moment(literal) {
            return false;
        }
    }
    true
}

fn could_be_a_moment(literal: &[u8]) -> bool {
    const MOMENTS: [&[u8]; 4] = [b"now", b"today", b"tomorrow", b"yesterday"];
    literal.iter().any(|byte| matches!(byte, b'\\' | b'"'))
        || MOMENTS.iter().any(|moment| literal.windows(moment.len()).any(|bytes| bytes.eq_ignore_ascii_case(moment)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn none() -> Arc<UpstreamSettings> {
        Arc::default()
    }
    impl Prepared {
        fn find_oids(&mut self, sql: &Arc<str>, types: &[u32], unit: u64) -> Option<StatementName> {
            self.find(&Wanted::named(sql, Types::Oids(types), &none()), unit)
        }
        fn insert_oids(&mut self, sql: &Arc<str>, unit: u64) -> (StatementName, Preparing) {
            self.insert(&Wanted::named(sql, Types::Oids(&[]), &none()), unit)
        }
    }

    #[test]
    fn words_that_mean_a_moment_are_seen_in_literals_alone() {
        for text in ["SELECT now()", "SELECT 1 AS \"today\"", "SELECT 'known' || $1", "SELECT 'it''s'", ""] {
            let expected = !text.contains("known");
            assert_eq!(is_timeless(text), expected, "{text}");
        }
        for text in [
            "SELECT 'now'::timestamp",
            "SELECT CAST('TODAY' AS date)",
            "SELECT 'x', '{2025-01-01,Tomorrow}'::date[]",
            "SELECT \"a\"\"b\", ' yesterday '",
            r"SELECT '{t\oday}'::date[]",
            r#"SELECT '(to"d"ay)'"#,
            "SELECT 'it''s', 'now'",
            "SELECT $$now$$",
            "SELECT 'open",
        ] {
            assert!(!is_timeless(text), "{text}");
        }
    }

    #[test]
    fn an_unnamed_statement_is_kept_from_its_second_coming_for_five_uses() {
        let mut prepared = Prepared::default();
        let (sql, settings): (Arc<str>, _) = (Arc::from("SELECT $1"), none());
        let wanted = Wanted::passing(&sql, &[], &settings);
        assert!(!prepared.is_worth_keeping(&wanted));
        assert!(prepared.is_worth_keeping(&wanted));
        let (name, preparing) = prepared.insert(&wanted, 1);
        prepared.confirm(&preparing);
        for _ in 0..4 {
            assert_eq!(prepared.find(&wanted, 2), Some(name.clone()));
        }
        assert_eq!(prepared.find_oids(&sql, &[], 2), None, "named ones are others");
        assert_eq!(prepared.find(&wanted, 2), None);
        assert_eq!(prepared.take_stale(), [name]);
    }

    #[test]
    fn an_unnamed_statement_that_means_a_moment_is_not_kept() {
        let mut prepared = Prepared::default();
        let (sql, settings): (Arc<str>, _) = (Arc::from("SELECT 'today'::date"), none());
        let wanted = Wanted::passing(&sql, &[], &settings);
        for _ in 0..3 {
            assert!(!prepared.is_worth_keeping(&wanted));
        }
        // Where it has to be prepared, it serves this once.
        let (_, preparing) = prepared.insert(&wanted, 1);
        prepared.confirm(&preparing);
        assert_eq!(prepared.find(&wanted, 1), None);
    }

    #[test]
    fn an_unnamed_statement_does_not_become_old() {
        let mut prepared = Prepared::default();
        let (sql, settings): (Arc<str>, _) = (Arc::from("SELECT 1"), none());
        let wanted = Wanted::passing(&sql, &[], &settings);
        let (name, preparing) = prepared.insert(&wanted, 1);
        prepared.confirm(&preparing);
        assert_eq!(prepared.find(&wanted, 2), Some(name));
        let Some((_, since)) = &mut prepared.by_sql.get_mut(&sql).unwrap()[0].passing else { panic!() };
        *since = since.checked_sub(LONGEST_PASSING + Duration::from_secs(1)).unwrap();
        assert_eq!(prepared.find(&wanted, 2), None);
    }

    #[test]
    fn what_has_come_once_is_remembered_for_a_while() {
        let mut prepared = Prepared::default();
        let (settings, text) = (none(), |n: usize| Arc::<str>::from(format!("SELECT {n}")));
        for n in 0..=REMEMBERED {
            assert!(!prepared.is_worth_keeping(&Wanted::passing(&text(n), &[], &settings)));
        }
        assert_eq!(prepared.seen.len(), REMEMBERED);
        assert!(prepared.is_worth_keeping(&Wanted::passing(&text(REMEMBERED), &[], &settings)));
        assert!(!prepared.is_worth_keeping(&Wanted::passing(&text(0), &[], &settings)));
    }

    #[test]
    fn what_was_read_under_other_settings_is_another_statement() {
        let mut prepared = Prepared::default();
        let sql: Arc<str> = Arc::from("SELECT '2025-03-01'::timestamptz");
        let zone = |zone: &str, user: &str| {
            let mut settings = UpstreamSettings::default();
            settings.set("TimeZone", zone);
            settings.set("application_name", user);
            Arc::new(settings)
        };
        let (berlin, utc) = (zone("Europe/Berlin", "ana"), zone("Etc/UTC", "ana"));
        let (name, preparing) = prepared.insert(&Wanted::named(&sql, Types::Oids(&[]), &berlin), 1);
        prepared.confirm(&preparing);
        assert_eq!(prepared.find(&Wanted::named(&sql, Types::Oids(&[]), &utc), 2), None);
        let other = zone("Europe/Berlin", "ben");
        assert_eq!(prepared.find(&Wanted::named(&sql, Types::Oids(&[]), &other), 2), Some(name));
    }

    #[test]
    fn a_statement_is_relied_on_after_its_confirmation_or_within_its_unit() {
        let mut prepared = Prepared::default();
        let sql: Arc<str> = Arc::from("SELECT 1");
        assert_eq!(prepared.find_oids(&sql, &[], 1), None);
        let (name, preparing) = prepared.insert_oids(&sql, 1);
        assert_eq!(prepared.find_oids(&sql, &[], 1), Some(name.clone()));
        assert_eq!(prepared.find_oids(&sql, &[23], 1), None);
        assert_eq!(prepared.find(&Wanted::named(&sql, Types::Names(&[]), &none()), 1), None);
        prepared.confirm(&preparing);
        assert_eq!(prepared.find_oids(&sql, &[], 2), Some(name));
        prepared.invalidate(preparing.id);
        assert_eq!(prepared.find_oids(&sql, &[], 2), None);
        assert_eq!(prepared.take_stale(), [StatementName::numbered(1)]);
    }

    #[test]
    fn a_doubtful_one_is_closed_and_prepared_under_another_name() {
        let mut prepared = Prepared::default();
        let sql: Arc<str> = Arc::from("SELECT 1");
        prepared.insert_oids(&sql, 1);
        assert_eq!(prepared.find_oids(&sql, &[], 2), None);
        let (name, _) = prepared.insert_oids(&sql, 2);
        assert_eq!(name.as_str(), "pv_2");
        assert_eq!(prepared.take_stale(), [StatementName::numbered(1)]);
    }

    #[test]
    fn the_least_recently_used_gives_way() {
        let mut prepared = Prepared::default();
        let text = |n: usize| Arc::<str>::from(format!("SELECT {n}"));
        for n in 0..CAPACITY {
            let (_, preparing) = prepared.insert_oids(&text(n), 1);
            prepared.confirm(&preparing);
        }
        assert!(prepared.find_oids(&text(0), &[], 2).is_some());
        prepared.make_room();
        prepared.insert_oids(&text(CAPACITY), 2);
        assert!(prepared.find_oids(&text(0), &[], 2).is_some());
        assert!(prepared.find_oids(&text(1), &[], 2).is_none());
        assert_eq!(prepared.take_stale(), [StatementName::numbered(2)]);
    }
}
