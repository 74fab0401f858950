//! Which limits hold: the user's own win, else the largest of the roles that count, else the defaults.

use std::time::Duration;

use crate::catalog::Product;
use crate::config::{Limits, OnMaxRows, RoleLimits};
use crate::names::{RoleName, UserName};

use super::snapshot::Snapshot;
use super::subject::Subject;

/// FORMATS' values where `[defaults]` is silent.
const MAX_ROWS: u64 = 10_000;
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(30);
const IDLE_IN_TRANSACTION_TIMEOUT: Duration = Duration::from_secs(5 * 60);
const MAX_CONCURRENT: usize = 8;
const QUEUE_TIMEOUT: Duration = Duration::from_secs(10);

impl Snapshot {
    /// The limits of a statement that reads these products: for each only the roles that grant it count, and of several
    /// products the narrowest holds. Without products, the subject's own.
    pub fn statement_limits<'a>(&self, subject: &Subject, products: impl IntoIterator<Item = &'a Product>) -> Limits {
        let Some(user) = self.parts.policy.users.get(&subject.user) else { return subject.limits.clone() };
        products
            .into_iter()
            .map(|product| self.limits_of(&subject.user, &user.limits, &self.granting_roles(subject, product)))
            .reduce(narrower)
            .unwrap_or_else(|| subject.limits.clone())
    }

    /// The limits of a user with these roles.
    pub(in crate::govern) fn limits_of(&self, name: &UserName, user: &RoleLimits, roles: &[RoleName]) -> Limits {
        let defaults = Level { name: "defaults".to_owned(), limits: &self.parts.policy.defaults };
        let levels: Vec<Level<'_>> = roles
            .iter()
            .filter_map(|name| {
                let role = self.parts.policy.roles.get(name)?;
                Some(Level { name: format!("role {name}"), limits: &role.limits })
            })
            .collect();
        Merge { user: Level { name: format!("user {name}"), limits: user }, roles: levels, defaults }.limits()
    }
}

/// One table that sets limits.
struct Level<'a> {
    name: String,
    limits: &'a RoleLimits,
}

struct Merge<'a> {
    user: Level<'a>,
    roles: Vec<Level<'a>>,
    defaults: Level<'a>,
}

impl Merge<'_> {
    fn limits(&self) -> Limits {
        let (max_rows, max_rows_source, row_level) = self.max_rows();
        let (copy_max_rows, copy_max_rows_source) = self.copy_max_rows();
        Limits {
            max_rows,
            copy_max_rows: unless_zero(copy_max_rows),
            on_max_rows: self.on_max_rows(row_level),
            statement_timeout: self.duration(|l| l.statement_timeout, STATEMENT_TIMEOUT),
            idle_in_transaction_timeout: self.duration(|l| l.idle_in_transaction_timeout, IDLE_IN_TRANSACTION_TIMEOUT),
            max_concurrent: unless_zero(self.number(|l| l.max_concurrent.map(|n| n as u64), MAX_CONCURRENT as u64))
                .map(|n| usize::try_from(n).unwrap_or(usize::MAX)),
            queue_timeout: self.largest(|l| l.queue_timeout, QUEUE_TIMEOUT, |d| d.as_nanos()),
            max_rows_source,
            copy_max_rows_source,
        }
    }

    /// The row cap, the level that it comes from as a client is told, and that level.
    fn max_rows(&self) -> (Option<u64>, String, Option<&RoleLimits>) {
        if let Some(rows) = self.user.limits.max_rows {
            return (unless_zero(rows), self.user.name.clone(), Some(self.user.limits));
        }
        let default = self.defaults.limits.max_rows.unwrap_or(MAX_ROWS);
        // A role that is silent has the default; its name is not the source then.
        let of_role = |level: &Level<'_>| level.limits.max_rows.unwrap_or(default);
        match self.roles.iter().max_by_key(|level| zero_is_largest(of_role(level))) {
            Some(level) if level.limits.max_rows.is_some() => {
                (unless_zero(of_role(level)), level.name.clone(), Some(level.limits))
            }
            Some(level) => (unless_zero(default), self.defaults.name.clone(), Some(level.limits)),
            None => (unless_zero(default), self.defaults.name.clone(), None),
        }
    }

    /// Cut or error: the user says, else the role that the row cap comes from, else the defaults.
    fn on_max_rows(&self, row_level: Option<&RoleLimits>) -> OnMaxRows {
        self.user
            .limits
            .on_max_rows
            .or_else(|| row_level.and_then(|level| level.on_max_rows))
            .or(self.defaults.limits.on_max_rows)
            .unwrap_or_default()
    }

    /// As `max_rows`; a level that is silent about COPY has what the defaults say of it, else its own `max_rows`.
    fn copy_max_rows(&self) -> (u64, (&'static str, String)) {
        let copy = |rows, level: &Level<'_>| (rows, ("copy_max_rows", level.name.clone()));
        let all = |rows, level: &Level<'_>| (rows, ("max_rows", level.name.clone()));
        let of_defaults = || match self.defaults.limits.copy_max_rows {
            Some(rows) => copy(rows, &self.defaults),
            None => all(self.defaults.limits.max_rows.unwrap_or(MAX_ROWS), &self.defaults),
        };
        let default_is_silent = self.defaults.limits.copy_max_rows.is_none();
        let of_role = |level: &Level<'_>| match (level.limits.copy_max_rows, level.limits.max_rows) {
            (Some(rows), _) => copy(rows, level),
            (None, Some(rows)) if default_is_silent => all(rows, level),
            _ => of_defaults(),
        };
        let role_says = self.roles.iter().any(|level| level.limits.copy_max_rows.is_some());
        match (self.user.limits.copy_max_rows, self.user.limits.max_rows) {
            (Some(rows), _) => copy(rows, &self.user),
            (None, Some(rows)) if default_is_silent && !role_says => all(rows, &self.user),
            _ => {
                let largest = self.roles.iter().map(of_role).max_by_key(|(rows, _)| zero_is_largest(*rows));
                largest.unwrap_or_else(of_defaults)
            }
        }
    }

    fn number(&self, of: impl Fn(&RoleLimits) -> Option<u64>, fallback: u64) -> u64 {
        self.largest(of, fallback, |n| zero_is_largest(*n))
    }

    /// `None` when the value is zero, which stands for unlimited.
    fn duration(&self, of: impl Fn(&RoleLimits) -> Option<Duration>, fallback: Duration) -> Option<Duration> {
        let longest = self.largest(of, fallback, |d| if d.is_zero() { u128::MAX } else { d.as_nanos() });
        (!longest.is_zero()).then_some(longest)
    }

    /// The user's value, else the largest of the roles (a silent one has the default), else the default.
    fn largest<T: Copy, K: Ord>(
        &self,
        of: impl Fn(&RoleLimits) -> Option<T>,
        fallback: T,
        size: impl Fn(&T) -> K,
    ) -> T {
        if let Some(own) = of(self.user.limits) {
            return own;
        }
        let default = of(self.defaults.limits).unwrap_or(fallback);
        self.roles.iter().map(|level| of(level.limits).unwrap_or(default)).max_by_key(size).unwrap_or(default)
    }
}

fn zero_is_largest(rows: u64) -> u64 {
    if rows == 0 { u64::MAX } else { rows }
}

fn unless_zero(number: u64) -> Option<u64> {
    (number != 0).then_some(number)
}

/// Field by field the narrower of both; `None` is unlimited.
fn narrower(a: Limits, b: Limits) -> Limits {
    fn least<T: Ord>(a: Option<T>, b: Option<T>) -> Option<T> {
        match (a, b) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, None) => a,
            (None, b) => b,
        }
    }
    let rows = |limits: &Limits| limits.max_rows.unwrap_or(u64::MAX);
    let (max_rows_source, on_max_rows) =
        if rows(&b) < rows(&a) { (b.max_rows_source, b.on_max_rows) } else { (a.max_rows_source, a.on_max_rows) };
    let copied = |limits: Option<u64>| limits.unwrap_or(u64::MAX);
    let b_copies_less = copied(b.copy_max_rows) < copied(a.copy_max_rows);
    Limits {
        max_rows: least(a.max_rows, b.max_rows),
        copy_max_rows: least(a.copy_max_rows, b.copy_max_rows),
        on_max_rows,
        statement_timeout: least(a.statement_timeout, b.statement_timeout),
        idle_in_transaction_timeout: least(a.idle_in_transaction_timeout, b.idle_in_transaction_timeout),
        max_concurrent: least(a.max_concurrent, b.max_concurrent),
        queue_timeout: a.queue_timeout.min(b.queue_timeout),
        max_rows_source,
        copy_max_rows_source: if b_copies_less { b.copy_max_rows_source } else { a.copy_max_rows_source },
    }
}

#[cfg(test)]
mod tests;
