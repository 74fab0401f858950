//! When a product's checks are due. Pure: the same product is due at the same moments on every node.

use std::str::FromStr;
use std::time::Duration;

use croner::Cron;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};

use crate::catalog::{ContractSchedule, Product};
use crate::names::ProductId;

/// What is overdue at a start is spread over this long at most …
const SPREAD: Duration = Duration::from_secs(60);
/// … and so is what has one cron expression.
const CRON_SPREAD: Duration = Duration::from_secs(30);

/// When a product runs.
#[derive(Clone, Debug)]
pub(super) enum Rhythm {
    Every(Duration),
    Cron(Box<Cron>),
}

impl Rhythm {
    /// Of the product's own `[contract]`, or of the server's.
    pub(super) fn of(product: &Product, default: Duration) -> Self {
        match &product.schedule {
            Some(ContractSchedule::Interval(interval)) => Self::Every(*interval),
            // The loader has read it.
            Some(ContractSchedule::Cron(text)) => {
                Cron::from_str(text).map_or(Self::Every(default), |cron| Self::Cron(Box::new(cron)))
            }
            None => Self::Every(default),
        }
    }

    /// The first moment after this one. Intervals begin at a place of the product's own, so that not all run at once.
    pub(super) fn next(&self, id: &ProductId, after: Timestamp) -> Timestamp {
        match self {
            Self::Every(interval) => {
                let length = i128::from(millis(*interval).max(1));
                let offset = i128::from(hash(id)) % length;
                let since = i128::from(after.as_millisecond()) - offset;
                let next = since.div_euclid(length) * length + length + offset;
                i64::try_from(next).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok()).unwrap_or(Timestamp::MAX)
            }
            Self::Cron(cron) => {
                let from = after.to_zoned(TimeZone::UTC);
                match cron.find_next_occurrence(&from, false) {
                    Ok(next) => later(next.timestamp(), part(id, CRON_SPREAD)),
                    Err(_) => Timestamp::MAX,
                }
            }
        }
    }

    /// When it runs first after a start or a change: when it would have, or soon when that is over.
    pub(super) fn first(&self, id: &ProductId, last: Option<Timestamp>, now: Timestamp) -> Timestamp {
        let spread = match self {
            Self::Every(interval) => SPREAD.min(*interval / 10),
            Self::Cron(_) => SPREAD,
        };
        let soon = later(now, part(id, spread));
        match last {
            Some(last) => self.next(id, last).max(soon),
            None => soon,
        }
    }
}

fn later(at: Timestamp, by: Duration) -> Timestamp {
    SignedDuration::try_from(by).ok().and_then(|by| at.checked_add(by).ok()).unwrap_or(Timestamp::MAX)
}

/// A share of a duration that is the product's own.
fn part(id: &ProductId, of: Duration) -> Duration {
    Duration::from_millis(u64::from(hash(id)) % u64::try_from(millis(of)).unwrap_or(1).max(1))
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

fn hash(id: &ProductId) -> u32 {
    let digest = Sha256::digest(id.to_string().as_bytes());
    let mut bytes = [0; 4];
    bytes.copy_from_slice(digest.get(..4).unwrap_or(&[0; 4]));
    u32::from_be_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn id(n: usize) -> ProductId {
        ProductId::parse(&format!("d.p{n}")).unwrap()
    }
    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn an_interval_comes_round_and_products_are_spread_over_it() {
        let hourly = Rhythm::Every(Duration::from_secs(3_600));
        let now = at("2026-01-01T10:00:00Z");
        let firsts: Vec<Timestamp> = (0..500).map(|n| hourly.next(&id(n), now)).collect();
        let minutes: BTreeSet<i64> = firsts.iter().map(|first| (first.as_second() - now.as_second()) / 60).collect();
        assert!(minutes.len() > 55, "{} of 60 minutes", minutes.len());
        for (n, first) in firsts.into_iter().enumerate() {
            assert!(first > now && first <= later(now, Duration::from_secs(3_600)));
            assert_eq!(hourly.next(&id(n), first), later(first, Duration::from_secs(3_600)));
        }
    }

    #[test]
    fn a_cron_expression_is_read_in_utc() {
        let cron = |text| Rhythm::Cron(Box::new(Cron::from_str(text).unwrap()));
        let next = |text, after| cron(text).next(&id(1), at(after));
        let spread = |from: &str, found: Timestamp| (at(from)..later(at(from), CRON_SPREAD)).contains(&found);
        assert!(spread("2026-01-02T06:00:00Z", next("0 6 * * *", "2026-01-01T06:00:00Z")));
        assert!(spread("2026-01-05T06:00:00Z", next("0 6 * * 1-5", "2026-01-02T07:00:00Z")));
        assert!(spread("2026-01-04T00:00:00Z", next("0 0 * * 7", "2026-01-01T00:00:00Z")));
    }

    #[test]
    fn what_is_overdue_runs_soon_and_what_is_not_keeps_its_time() {
        let hourly = Rhythm::Every(Duration::from_secs(3_600));
        let now = at("2026-01-01T10:00:00Z");
        for n in 0..100 {
            let (id, soon) = (id(n), later(now, SPREAD));
            assert!((now..soon).contains(&hourly.first(&id, None, now)));
            assert!((now..soon).contains(&hourly.first(&id, Some(at("2026-01-01T08:00:00Z")), now)));
            let last = at("2026-01-01T09:59:59Z");
            assert!(hourly.first(&id, Some(last), now) >= now);
        }
    }
}
