//! From a text to decisions: parsed, decided in order, found again in the snapshot's cache.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Instant;

use jiff::civil::Date;

use crate::error::ClientError;
use crate::govern::cache::{Decided, DecidedText, Known, Surroundings, SurroundingsId};
use crate::govern::decide::{DecideInput, Decision, Plan, SearchPath, SessionValues, decide, origin_of};
use crate::govern::permit::Denial;
use crate::govern::shape::{Shape, Template, shape, stand_ins};
use crate::govern::snapshot::Snapshot;
use crate::metrics::METRICS;
use crate::sql::statement::{Parsed, SessionStatement};
use crate::sql::{Origin, TextLimits, guard, parse, with_deep_stack};

/// A session as the statements of one text will have changed it when it is their turn.
pub trait Simulated: SessionValues {
    /// Along which schemas names are looked up.
    fn search_path(&self) -> SearchPath;
    /// A statement of the text that is allowed and comes before the next to be decided.
    fn advance(&mut self, statement: &SessionStatement);
}

/// Who asks, and where.
pub struct Asking<'a> {
    /// Catalog, policy and facts.
    pub snapshot: &'a Snapshot,
    /// User, search_path, day.
    pub surroundings: &'a Surroundings,
    /// The same, as the snapshot's cache calls it.
    pub id: SurroundingsId,
}

/// Why a text is not run at all.
#[derive(Clone, Debug)]
pub struct Rejection {
    /// Of the statement of the text that is at fault; `None`: the text could not be read.
    pub fingerprint: Option<Box<str>>,
    /// Why.
    pub denial: Denial,
}

impl Asking<'_> {
    /// Decides every statement of the text, or says which one must not run. `simulated` is asked for only when nothing is
    /// remembered of the text.
    pub fn decide<S: Simulated>(
        &self,
        text: &str,
        types: &[u32],
        simulated: impl FnOnce() -> S,
    ) -> Result<DecidedText, Box<Rejection>> {
        let started = Instant::now();
        let decided = match self.remembered(text, types) {
            Ok(decided) => {
                METRICS.cache_hits.increment(1);
                decided
            }
            Err(shape) => {
                METRICS.cache_misses.increment(1);
                with_deep_stack(|| self.decide_anew(text, types, shape, simulated()))?
            }
        };
        METRICS.engine.record(started.elapsed());
        // Cached denials are denials too.
        match decided.iter().find_map(denied) {
            Some(rejection) => Err(rejection),
            None => Ok(decided),
        }
    }

    /// Where in the statement's own text stands what the SQL that was sent for it has at `position`.
    pub fn origin<S: Simulated>(
        &self,
        text: &str,
        types: &[u32],
        simulated: S,
        sent: &str,
        position: usize,
    ) -> Option<Origin> {
        with_deep_stack(|| {
            let parsed = parse(text, &TextLimits::default()).ok()?;
            let [parsed] = parsed.as_slice() else { return None };
            let watched = Watched { simulated, asked: Cell::new(false) };
            origin_of(&self.input(parsed, types, &watched, &watched.simulated.search_path()), sent, position)
        })
    }

    /// The decision on this text, or on one that differs from it in literals alone; else its shape, if it has one that may
    /// be learnt.
    fn remembered<'t>(&self, text: &'t str, types: &[u32]) -> Result<DecidedText, Option<Learning<'t>>> {
        let decisions = self.snapshot.decisions();
        if let Some(decided) = decisions.find(self.id, text, types) {
            return Ok(decided);
        }
        let shape = shape(text).ok_or(None)?;
        match decisions.known_shape(self.id, &shape.key, types) {
            Some(Known::Template(template)) => template.decided(text, &shape).ok_or(None),
            Some(Known::Unfit) => Err(None),
            Some(Known::Once) => Err(Some(Learning { shape, seen: true })),
            None => Err(Some(Learning { shape, seen: false })),
        }
    }

    fn decide_anew<S: Simulated>(
        &self,
        text: &str,
        types: &[u32],
        learning: Option<Learning<'_>>,
        simulated: S,
    ) -> Result<DecidedText, Box<Rejection>> {
        let parsed = parse(text, &TextLimits::default())
            .map_err(|error| unreadable(guard::as_postgres_says(text, error).into()))?;
        let mut watched = Watched { simulated, asked: Cell::new(false) };
        let mut decided = Vec::with_capacity(parsed.len());
        for parsed in parsed {
            let decision = self.decide_one(&parsed, types, &watched);
            let stop = matches!(decision, Decision::Deny(_));
            if let Decision::Allow(Plan::Session(statement)) = &decision {
                watched.simulated.advance(statement);
            }
            decided.push(Decided::new(&parsed, decision));
            if stop {
                break;
            }
        }
        // What comes behind a SET was decided under a search_path of which the cache's key knows nothing.
        let moved = decided.iter().rev().skip(1).any(moves);
        let decided: DecidedText = decided.into();
        let lasting = decided.iter().all(|one| one.decision.cacheable());
        if !moved && lasting && !watched.asked.get() {
            let learnt = learning.is_some_and(|learning| self.learn(text, types, &learning, &decided, &watched));
            if !learnt {
                self.snapshot.decisions().keep(self.id, text, types, Arc::clone(&decided));
            }
        }
        Ok(decided)
    }

    fn decide_one<S: Simulated>(&self, parsed: &Parsed, types: &[u32], watched: &Watched<S>) -> Decision {
        decide(&self.input(parsed, types, watched, &watched.simulated.search_path()))
    }

    fn input<'i>(
        &'i self,
        parsed: &'i Parsed,
        param_types: &'i [u32],
        session: &'i dyn SessionValues,
        search_path: &'i SearchPath,
    ) -> DecideInput<'i> {
        DecideInput {
            snapshot: self.snapshot,
            warehouse: &self.surroundings.warehouse,
            subject: &self.surroundings.subject,
            search_path,
            session,
            parsed,
            param_types,
            today: self.surroundings.today,
        }
    }

    /// Makes a template of a shape when it is seen for the second time, since most texts come once or always alike. True when
    /// there is one.
    fn learn<S: Simulated>(
        &self,
        text: &str,
        types: &[u32],
        Learning { shape, seen }: &Learning<'_>,
        first: &[Decided],
        watched: &Watched<S>,
    ) -> bool {
        let known = if !Template::may_begin_with(first) {
            Known::Unfit
        } else if *seen {
            let (other, literals) = stand_ins(shape);
            let second: Option<Vec<Decided>> = parse(&other, &TextLimits::default()).ok().map(|parsed| {
                parsed.iter().map(|parsed| Decided::new(parsed, self.decide_one(parsed, types, watched))).collect()
            });
            let template = second.and_then(|second| Template::learn(text, shape, first, &literals, &second));
            template
                .filter(|_| !watched.asked.get())
                .map_or(Known::Unfit, |template| Known::Template(Arc::new(template)))
        } else {
            Known::Once
        };
        let learnt = matches!(known, Known::Template(_));
        self.snapshot.decisions().keep_shape(self.id, &shape.key, types, known);
        learnt
    }
}

/// A shape of which there is no template yet.
struct Learning<'t> {
    shape: Shape<'t>,
    /// A text of it was decided before.
    seen: bool,
}

fn moves(decided: &Decided) -> bool {
    matches!(&decided.decision, Decision::Allow(Plan::Session(statement)) if moves_the_search_path(statement))
}

fn denied(decided: &Decided) -> Option<Box<Rejection>> {
    match &decided.decision {
        Decision::Allow(_) => None,
        Decision::Deny(denial) => {
            Some(Box::new(Rejection { fingerprint: Some(decided.fingerprint().into()), denial: denial.clone() }))
        }
    }
}

/// Whether names may mean something else after it.
fn moves_the_search_path(statement: &SessionStatement) -> bool {
    match statement {
        SessionStatement::Set { .. }
        | SessionStatement::Reset { .. }
        | SessionStatement::ResetAll
        | SessionStatement::Discard(_)
        | SessionStatement::Commit { .. }
        | SessionStatement::Rollback { .. }
        | SessionStatement::RollbackTo(_) => true,
        SessionStatement::Begin(_)
        | SessionStatement::StartTransaction(_)
        | SessionStatement::Savepoint(_)
        | SessionStatement::Release(_)
        | SessionStatement::SetTransaction(_)
        | SessionStatement::SetCharacteristics(_)
        | SessionStatement::ResetAuthorization
        | SessionStatement::Show(_)
        | SessionStatement::ShowAll
        | SessionStatement::Deallocate(_)
        | SessionStatement::Fetch { .. }
        | SessionStatement::Close(_)
        | SessionStatement::Unlisten => false,
    }
}

/// A text that is no statement is refused for that.
fn unreadable(error: ClientError) -> Box<Rejection> {
    Box::new(Rejection { fingerprint: None, denial: Denial { error, reason: "syntax", products: Vec::new() } })
}

/// Notices whether a value of the session was read: such a decision holds for this session and moment alone.
struct Watched<S> {
    simulated: S,
    asked: Cell<bool>,
}

impl<S: Simulated> SessionValues for Watched<S> {
    fn setting(&self, name: &str) -> Option<String> {
        self.asked.set(true);
        self.simulated.setting(name)
    }
    fn backend_pid(&self) -> i32 {
        self.asked.set(true);
        self.simulated.backend_pid()
    }
}

/// The day of now, in UTC.
pub fn today() -> Date {
    jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date()
}

/// A number that is another one when [`today`] is: cheap enough to ask for each statement.
pub fn day_number() -> u64 {
    const SECONDS: u64 = 24 * 60 * 60;
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_secs() / SECONDS)
}
