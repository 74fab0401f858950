//! The settings of a session: what the client sees of them, what the warehouse's connection is to have, and what it is
//! told of changes.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;

use crate::error::{ClientError, Notice};
use crate::govern::cache::Surroundings;
use crate::govern::decide::{SearchPath, SessionValues};
use crate::govern::settings::{self as rules, Home, Setting};
use crate::sql::statement::{SessionStatement, TransactionModes};
use crate::statement::Simulated;
use crate::upstream::UpstreamSettings;
use crate::wire::backend;

use super::layers::Layers;
use super::transaction::{Change, Step, Transaction, isolation_text};

/// What a setting has when the client has set nothing.
type Defaults = Arc<Vec<(&'static str, Arc<str>)>>;

/// See the module.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    layers: Layers,
    /// From the start-up message, and what only pgveil knows (server_version, session_authorization).
    defaults: Defaults,
    user: Arc<str>,
    /// What SHOW search_path gives while the client has set none: the domains of which the user sees a product.
    domains: String,
    /// The policy's limit for statement_timeout.
    limit: Option<Duration>,
    /// As the client was last told.
    told: Layers,
    told_values: Vec<(&'static str, String)>,
    /// As the search_path was last looked at.
    followed: Layers,
    wanted: Option<(Layers, Option<Duration>, Arc<UpstreamSettings>)>,
}

impl Settings {
    /// Settings with what the start-up message asks for. What it asks for in vain is an error, as in Postgres.
    pub(super) fn new(
        user: &str,
        server_version: Option<&str>,
        limit: Option<Duration>,
        parameters: &[(String, String)],
    ) -> Result<(Self, Vec<Notice>), ClientError> {
        let mut defaults: Vec<(&'static str, Arc<str>)> = vec![("session_authorization", Arc::from(user))];
        if let Some(version) = server_version {
            defaults.push(("server_version", Arc::from(version)));
            defaults.push(("server_version_num", Arc::from(version_number(version).as_str())));
        }
        let mut notices = Vec::new();
        for (name, value) in parameters {
            let current =
                defaults.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| &**value);
            let assignment = rules::assign_text(name, value, current).map_err(crate::govern::Refusal::into_error)?;
            let mut value = assignment.value;
            if assignment.setting.name == "statement_timeout" {
                let (clamped, notice) = rules::clamp_timeout(&value, limit);
                notices.extend(notice);
                value = clamped;
            }
            defaults.retain(|(known, _)| *known != assignment.setting.name);
            defaults.push((assignment.setting.name, Arc::from(value)));
        }
        let settings = Self {
            layers: Layers::default(),
            defaults: Arc::new(defaults),
            user: Arc::from(user),
            domains: String::new(),
            limit,
            told: Layers::default(),
            told_values: Vec::new(),
            followed: Layers::default(),
            wanted: None,
        };
        Ok((settings, notices))
    }

    /// The value as SHOW gives it.
    pub(super) fn value(&self, setting: &Setting) -> Cow<'_, str> {
        if let Some(value) = self.set_value(setting.name) {
            return Cow::Borrowed(value);
        }
        match (setting.name, self.limit) {
            ("search_path", _) => Cow::Borrowed(&self.domains),
            ("statement_timeout", Some(limit)) => Cow::Owned(show_time(limit)),
            _ => Cow::Borrowed(setting.default),
        }
    }

    /// What the client has set, in its session or at its start.
    fn set_value(&self, name: &str) -> Option<&Arc<str>> {
        self.layers
            .value(name)
            .or_else(|| self.defaults.iter().find(|(known, _)| *known == name).map(|(_, value)| value))
    }

    /// SET.
    pub(super) fn set(&mut self, name: &str, items: &[String], local: bool) -> Result<Option<Notice>, ClientError> {
        let current = rules::find(name).map(|setting| self.value(setting));
        let assignment = rules::assign(name, items, current.as_deref()).map_err(crate::govern::Refusal::into_error)?;
        let setting = assignment.setting;
        let (value, notice) = match setting.name {
            "statement_timeout" => rules::clamp_timeout(&assignment.value, self.limit),
            _ => (assignment.value, None),
        };
        match setting.home {
            Home::Forwarded | Home::Local => {
                let value: Arc<str> = Arc::from(value);
                if local {
                    self.layers.set_local(setting.name, value)
                } else {
                    self.layers.set(setting.name, Some(value))
                }
            }
            // Only its one value was let through.
            Home::Pinned | Home::ReadOnly => {}
        }
        Ok(notice)
    }

    /// RESET name, SET name TO DEFAULT.
    pub(super) fn reset(&mut self, name: &str, local: bool) -> Result<(), ClientError> {
        let setting = rules::changeable(name).map_err(crate::govern::Refusal::into_error)?;
        if local {
            let default = self.defaults.iter().find(|(known, _)| *known == setting.name);
            let default = default.map_or_else(|| Arc::from(setting.default), |(_, value)| Arc::clone(value));
            self.layers.set_local(setting.name, default);
        } else {
            self.layers.set(setting.name, None);
        }
        Ok(())
    }

    /// RESET ALL.
    pub(super) fn reset_all(&mut self) {
        self.layers.clear();
    }

    /// What a transaction statement did.
    pub(super) fn apply(&mut self, change: &Change) {
        match change {
            Change::Begin(_) => self.layers.begin(),
            Change::End { commit, chain } => {
                self.end_of_transaction(*commit);
                if *chain {
                    self.layers.begin();
                }
            }
            Change::Savepoint(name) => self.layers.savepoint(name),
            Change::Release(name) => self.layers.release(name),
            Change::RollbackTo(name) => {
                self.layers.rollback_to(name);
            }
            Change::None | Change::Modes(_) => {}
        }
    }

    /// A statement outside of a transaction is one of its own, with all that is in its Query or pipeline.
    pub(super) fn begin_implicit(&mut self) {
        self.layers.begin();
    }

    /// The transaction, implicit or not, has ended.
    pub(super) fn end_of_transaction(&mut self, commit: bool) {
        if commit { self.layers.commit() } else { self.layers.rollback() }
    }

    /// What policy says of the user: the limit, and the domains of which products are seen.
    pub(super) fn follow_policy(&mut self, limit: Option<Duration>, domains: &[String]) {
        self.domains = rules::join_names(domains);
        self.limit = limit;
        self.wanted = None;
    }

    /// How long a statement may run: the client's own limit, or that of its permit where it is shorter.
    pub(super) fn statement_limit(&self, permit: Option<Duration>) -> Option<Duration> {
        shorter(permit.or(self.limit), self.own_limit("statement_timeout"))
    }

    /// How long a transaction may idle.
    pub(super) fn idle_limit(&self, policy: Option<Duration>) -> Option<Duration> {
        shorter(policy, self.own_limit("idle_in_transaction_session_timeout"))
    }

    fn own_limit(&self, name: &str) -> Option<Duration> {
        let limit = self.set_value(name).and_then(|value| rules::milliseconds(value))?;
        (limit > 0).then(|| Duration::from_millis(limit))
    }

    /// What the warehouse's connection is to have for a statement with this limit. The same `Arc` while nothing changes.
    pub(super) fn wanted(&mut self, permit: Option<Duration>) -> Arc<UpstreamSettings> {
        let limit = self.statement_limit(permit);
        if let Some((layers, known, wanted)) = &self.wanted
            && layers.is_same(&self.layers)
            && *known == limit
        {
            return Arc::clone(wanted);
        }
        let mut wanted = UpstreamSettings::default();
        for setting in rules::all().iter().filter(|setting| setting.home == Home::Forwarded) {
            match setting.name {
                "statement_timeout" => {
                    wanted.set(setting.name, limit.map_or(0, |limit| limit.as_millis().max(1)).to_string());
                }
                "application_name" => {
                    wanted.set(setting.name, application_name(&self.user, &self.value(setting)));
                }
                name => {
                    if let Some(value) = self.set_value(name) {
                        wanted.set(name, Arc::clone(value));
                    }
                }
            }
        }
        let wanted = Arc::new(wanted);
        self.wanted = Some((self.layers.clone(), limit, Arc::clone(&wanted)));
        wanted
    }

    /// Every setting that clients are told of, at the start of the session.
    pub(super) fn tell_all(&mut self, out: &mut BytesMut) {
        for setting in rules::all().iter().filter(|setting| setting.reported) {
            let value = self.value(setting).into_owned();
            backend::parameter_status(out, setting.name, &value);
            self.told_values.push((setting.name, value));
        }
        self.told = self.layers.clone();
    }

    /// Those whose value has changed since.
    pub(super) fn tell_changes(&mut self, out: &mut BytesMut) {
        if self.told.is_same(&self.layers) {
            return;
        }
        let mut told = std::mem::take(&mut self.told_values);
        for (name, before) in &mut told {
            let Some(setting) = rules::find(name) else { continue };
            let value = self.value(setting);
            if *before != value {
                backend::parameter_status(out, name, &value);
                *before = value.into_owned();
            }
        }
        self.told_values = told;
        self.told = self.layers.clone();
    }

    /// Brings the search_path of decisions up to date; true: it has changed.
    pub(super) fn follow_search_path(&mut self, surroundings: &mut Surroundings) -> bool {
        if self.followed.is_same(&self.layers) {
            return false;
        }
        self.followed = self.layers.clone();
        let path = self.search_path();
        let changed = path != surroundings.search_path;
        if changed {
            surroundings.search_path = path;
        }
        changed
    }

    /// Along which schemas names are looked up.
    pub(super) fn search_path(&self) -> SearchPath {
        match self.set_value("search_path") {
            None => SearchPath::Domains,
            Some(path) => SearchPath::Explicit(rules::split_names(path).unwrap_or_default()),
        }
    }
}

/// A session's values, as a statement in the midst of a text will find them.
pub(super) struct Simulation {
    pub(super) settings: Settings,
    pub(super) transaction: Transaction,
    pub(super) pid: i32,
}

impl SessionValues for Simulation {
    fn setting(&self, name: &str) -> Option<String> {
        let setting = rules::find(name)?;
        Some(show(setting, &self.settings, &self.transaction))
    }
    fn backend_pid(&self) -> i32 {
        self.pid
    }
}

impl Simulated for Simulation {
    fn search_path(&self) -> SearchPath {
        self.settings.search_path()
    }
    fn advance(&mut self, statement: &SessionStatement) {
        if let Some(step) = self.transaction.step(statement) {
            if let Step::Answer { change, .. } | Step::Send { change, .. } = step {
                self.transaction.apply(&change);
                self.settings.apply(&change);
            }
            return;
        }
        self.settings.begin_implicit();
        // What fails here fails again when it is its turn, and is told then.
        let _ = change(&mut self.settings, statement);
    }
}

/// The value of a setting, those included that speak of the transaction.
pub(super) fn show(setting: &Setting, settings: &Settings, transaction: &Transaction) -> String {
    let TransactionModes { isolation, read_only, deferrable } = transaction.modes();
    let word = |on: bool| if on { "on" } else { "off" }.to_owned();
    let of_transaction = match setting.name {
        "transaction_isolation" => isolation.map(|isolation| isolation_text(isolation).to_owned()),
        "transaction_read_only" => read_only.map(word),
        "transaction_deferrable" => deferrable.map(word),
        _ => None,
    };
    let default = match setting.name {
        "transaction_isolation" => "default_transaction_isolation",
        "transaction_read_only" => "default_transaction_read_only",
        "transaction_deferrable" => "default_transaction_deferrable",
        name => name,
    };
    of_transaction.unwrap_or_else(|| {
        rules::find(default).map_or_else(String::new, |setting| settings.value(setting).into_owned())
    })
}

/// Does to the settings what SET, RESET and the like do; `Ok(None)` also for what is none of them.
pub(super) fn change(settings: &mut Settings, statement: &SessionStatement) -> Result<Option<Notice>, ClientError> {
    match statement {
        SessionStatement::Set { local, name, value } => settings.set(name, &value.0, *local),
        SessionStatement::Reset { local, name } => settings.reset(name, *local).map(|()| None),
        SessionStatement::ResetAll | SessionStatement::Discard(crate::sql::statement::Discard::All) => {
            settings.reset_all();
            Ok(None)
        }
        SessionStatement::SetCharacteristics(modes) => characteristics(settings, *modes).map(|()| None),
        SessionStatement::Begin(_)
        | SessionStatement::StartTransaction(_)
        | SessionStatement::Commit { .. }
        | SessionStatement::Rollback { .. }
        | SessionStatement::Savepoint(_)
        | SessionStatement::Release(_)
        | SessionStatement::RollbackTo(_)
        | SessionStatement::SetTransaction(_)
        | SessionStatement::ResetAuthorization
        | SessionStatement::Show(_)
        | SessionStatement::ShowAll
        | SessionStatement::Discard(_)
        | SessionStatement::Deallocate(_)
        | SessionStatement::Fetch { .. }
        | SessionStatement::Close(_)
        | SessionStatement::Unlisten => Ok(None),
    }
}

fn characteristics(settings: &mut Settings, modes: TransactionModes) -> Result<(), ClientError> {
    let word = |on: bool| if on { "on" } else { "off" };
    let values = [
        ("default_transaction_isolation", modes.isolation.map(isolation_text)),
        ("default_transaction_read_only", modes.read_only.map(word)),
        ("default_transaction_deferrable", modes.deferrable.map(word)),
    ];
    for (name, value) in values {
        if let Some(value) = value {
            settings.set(name, &[value.to_owned()], false)?;
        }
    }
    Ok(())
}

fn shorter(one: Option<Duration>, other: Option<Duration>) -> Option<Duration> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

/// What the warehouse's own views show of whose statement it is.
fn application_name(user: &str, application: &str) -> String {
    let mut name =
        if application.is_empty() { format!("pgveil {user}") } else { format!("pgveil {user}: {application}") };
    name.retain(|c| c.is_ascii_graphic() || c == ' ');
    name.truncate(crate::names::MAX_IDENTIFIER_BYTES);
    name
}

/// A time as SHOW gives it.
fn show_time(time: Duration) -> String {
    rules::show_milliseconds(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
}

/// `15.14 (Debian …)` -> `150014`
fn version_number(version: &str) -> String {
    let numbers = version.split(' ').next().unwrap_or_default();
    let mut parts = numbers.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
    let (major, minor) = (parts.next().unwrap_or(0), parts.next().unwrap_or(0));
    (major * 10_000 + minor).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(parameters: &[(&str, &str)]) -> Settings {
        let parameters: Vec<_> = parameters.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        Settings::new("ana", Some("15.14 (Debian 15.14-0)"), Some(Duration::from_secs(30)), &parameters).unwrap().0
    }
    fn value(settings: &Settings, name: &str) -> String {
        settings.value(rules::find(name).unwrap()).into_owned()
    }

    #[test]
    fn limits_and_versions_are_shown_as_postgres_does() {
        let settings = settings(&[]);
        assert_eq!(value(&settings, "statement_timeout"), "30s");
        assert_eq!(value(&settings, "server_version"), "15.14 (Debian 15.14-0)");
        assert_eq!(value(&settings, "server_version_num"), "150014");
        assert_eq!(settings.idle_limit(None), None);
    }

    #[test]
    fn reset_goes_back_to_what_the_client_began_with() {
        let mut settings = settings(&[("timezone", "Europe/Berlin")]);
        assert_eq!(value(&settings, "TimeZone"), "Europe/Berlin");
        settings.set("timezone", &["UTC".to_owned()], false).unwrap();
        assert_eq!(value(&settings, "TimeZone"), "UTC");
        settings.reset("TimeZone", false).unwrap();
        assert_eq!(value(&settings, "TimeZone"), "Europe/Berlin");
    }

    #[test]
    fn changes_are_told_once_and_again_when_undone() {
        let mut settings = settings(&[]);
        let mut out = BytesMut::new();
        settings.tell_all(&mut out);
        let has = |out: &BytesMut, text: &str| out.windows(text.len()).any(|window| window == text.as_bytes());
        assert!(has(&out, "session_authorization\0ana") && has(&out, "server_version\x0015.14"));
        let told = |settings: &mut Settings| {
            let mut out = BytesMut::new();
            settings.tell_changes(&mut out);
            out
        };
        settings.begin_implicit();
        settings.set("TimeZone", &["Europe/Berlin".to_owned()], false).unwrap();
        assert!(has(&told(&mut settings), "TimeZone\0Europe/Berlin"));
        assert!(told(&mut settings).is_empty());
        settings.end_of_transaction(false);
        assert!(has(&told(&mut settings), "TimeZone\0Etc/UTC"));
    }

    #[test]
    fn the_warehouse_gets_the_shorter_limit_and_who_asks() {
        let mut settings = settings(&[("application_name", "psql")]);
        let wanted = settings.wanted(None);
        assert_eq!(wanted.value("statement_timeout").map(|v| &**v), Some("30000"));
        assert_eq!(wanted.value("application_name").map(|v| &**v), Some("pgveil ana: psql"));
        assert!(Arc::ptr_eq(&wanted, &settings.wanted(None)), "nothing has changed");
        settings.set("statement_timeout", &["5s".to_owned()], false).unwrap();
        assert_eq!(settings.wanted(None).value("statement_timeout").map(|v| &**v), Some("5000"));
        assert_eq!(settings.statement_limit(Some(Duration::from_secs(1))), Some(Duration::from_secs(1)));
    }

    #[test]
    fn a_statement_sees_what_those_before_it_in_its_text_set() {
        let mut simulation = Simulation { settings: settings(&[]), transaction: Transaction::default(), pid: 7 };
        assert_eq!(simulation.search_path(), SearchPath::Domains);
        let set = |path: &[&str]| SessionStatement::Set {
            local: false,
            name: "search_path".into(),
            value: crate::sql::statement::SetValue(path.iter().map(|p| (*p).to_owned()).collect()),
        };
        simulation.advance(&SessionStatement::Begin(TransactionModes::default()));
        simulation.advance(&set(&["sales"]));
        assert_eq!(simulation.search_path(), SearchPath::Explicit(vec!["sales".into()]));
        simulation.advance(&SessionStatement::Rollback { chain: false });
        assert_eq!(simulation.search_path(), SearchPath::Domains);
    }
}
