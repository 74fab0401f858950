//! That a product does not keep its contract, as the checks have found: an input of every decision over it.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::names::ProductId;

/// Every product that does not keep its contract now.
pub type Breaches = BTreeMap<ProductId, Breach>;

/// What is wrong with a product, in words that tell nothing of its rows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Breach {
    /// How much older than promised its newest row is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stale: Option<Staleness>,
    /// The checks of severity `error` that failed, by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failed: Vec<String>,
}

/// An age in whole units: it is told to people from whom a filter or mask may hide the newest row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Staleness {
    /// `more than 3 hours`
    pub age: String,
    /// `1 hour`
    pub most: String,
}

impl Staleness {
    /// The words for an age and what is promised.
    pub fn new(age: Duration, most: Duration) -> Self {
        let (number, unit) = unit(age);
        Self { age: format!("more than {}", plural(number, unit)), most: exactly(most) }
    }
}

/// The largest unit that fits, rounded down.
fn unit(duration: Duration) -> (u64, &'static str) {
    match duration.as_secs() {
        seconds if seconds < 3_600 => (seconds / 60, "minute"),
        seconds if seconds < 2 * 86_400 => (seconds / 3_600, "hour"),
        seconds => (seconds / 86_400, "day"),
    }
}

/// A duration of a file: in the largest unit that it is a multiple of.
fn exactly(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match [(86_400, "day"), (3_600, "hour"), (60, "minute")].into_iter().find(|(size, _)| seconds.is_multiple_of(*size))
    {
        Some((size, unit)) => plural(seconds / size, unit),
        None => plural(seconds, "second"),
    }
}

fn plural(number: u64, unit: &str) -> String {
    format!("{number} {unit}{}", if number == 1 { "" } else { "s" })
}

impl Breach {
    /// Whether anything is wrong.
    pub fn is_none(&self) -> bool {
        self.stale.is_none() && self.failed.is_empty()
    }

    /// `is more than 3 hours stale (at most 1 hour is promised)`, `breaks its contract (failed checks: a, b)`, or both.
    pub fn told(&self) -> String {
        let stale =
            self.stale.as_ref().map(|Staleness { age, most }| format!("is {age} stale (at most {most} is promised)"));
        let failed = match self.failed.as_slice() {
            [] => None,
            [one] => Some(format!("breaks its contract (failed check: {one})")),
            many => Some(format!("breaks its contract (failed checks: {})", many.join(", "))),
        };
        stale.into_iter().chain(failed).collect::<Vec<_>>().join(" and ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_told_in_whole_units() {
        let told = |age, most| Staleness::new(Duration::from_secs(age), Duration::from_secs(most));
        for (age, words) in [
            (119, "1 minute"),
            (3_599, "59 minutes"),
            (11_520, "3 hours"),
            (172_799, "47 hours"),
            (7_900_000, "91 days"),
        ] {
            assert_eq!(told(age, 60).age, format!("more than {words}"));
        }
        for (most, words) in
            [(60, "1 minute"), (3_600, "1 hour"), (5_400, "90 minutes"), (172_800, "2 days"), (90, "90 seconds")]
        {
            assert_eq!(told(0, most).most, words);
        }
    }
}
