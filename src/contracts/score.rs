//! The quality score: how much of what was promised was kept lately, from 0 to 100.
//!
//! A run counts the checks that passed, each of severity `error` four times: `100 × passed weight / all weight`. The score is the
//! mean of the last [`RUNS`] runs, in which each counts nine tenths of the one after it. It is rounded down: 100 means that every
//! check of every run has passed.

use super::validation::{CheckSeverity, Validation};

/// How many runs are looked at.
pub const RUNS: usize = 30;
/// What a run counts of the one after it.
const FADING: f64 = 0.9;

/// The score of a product, of its runs with the latest first; `None`: it never ran.
pub fn product_score(runs: &[Validation]) -> Option<u8> {
    let (mut sum, mut weights, mut weight) = (0.0, 0.0, 1.0);
    for run in runs.iter().take(RUNS) {
        sum += weight * run_score(run);
        weights += weight;
        weight *= FADING;
    }
    (weights > 0.0).then(|| whole(sum / weights))
}

/// The score of a domain: the mean of its products that have one.
pub fn domain_score(products: impl IntoIterator<Item = u8>) -> Option<u8> {
    let (sum, count) =
        products.into_iter().fold((0.0, 0.0), |(sum, count), score| (sum + f64::from(score), count + 1.0));
    (count > 0.0).then(|| whole(sum / count))
}

fn run_score(run: &Validation) -> f64 {
    let weight = |severity| match severity {
        CheckSeverity::Error => 4.0,
        CheckSeverity::Warning => 1.0,
    };
    let all: f64 = run.checks.iter().map(|check| weight(check.severity)).sum();
    let passed: f64 = run.checks.iter().filter(|check| check.passed).map(|check| weight(check.severity)).sum();
    if all > 0.0 { 100.0 * passed / all } else { 100.0 }
}

/// Rounded down, but not for what the last bits of a sum lack.
fn whole(score: f64) -> u8 {
    (score + 1e-9).floor().clamp(0.0, 100.0) as u8
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contracts::validation::{CheckOutcome, CheckType};
    use crate::names::ProductId;

    fn run(checks: &[(CheckSeverity, bool)]) -> Validation {
        let outcome = |&(severity, passed): &(CheckSeverity, bool)| CheckOutcome {
            name: "c".to_owned(),
            kind: CheckType::NotNull,
            severity,
            passed,
            ran: true,
            message: String::new(),
            value: None,
            duration_ms: 0,
        };
        Validation {
            product: ProductId::parse("a.b").unwrap(),
            version: 1,
            digest: String::new(),
            started_at: jiff::Timestamp::UNIX_EPOCH,
            duration_ms: 0,
            passed: true,
            reached: true,
            checks: checks.iter().map(outcome).collect(),
            warnings: Vec::new(),
            rows: None,
            stale_seconds: None,
            breach: None,
        }
    }

    #[test]
    fn errors_count_four_times_and_the_past_fades() {
        use CheckSeverity::{Error, Warning};
        let good = run(&[(Error, true), (Warning, true)]);
        let warned = run(&[(Error, true), (Warning, false)]);
        let broken = run(&[(Error, false), (Warning, true)]);
        assert_eq!(product_score(&[]), None);
        assert_eq!(product_score(&[good.clone(), good.clone()]), Some(100));
        assert_eq!(product_score(std::slice::from_ref(&warned)), Some(80));
        assert_eq!(product_score(std::slice::from_ref(&broken)), Some(20));
        // (100 + 0.9 × 20) / 1.9, and the other way round.
        assert_eq!(product_score(&[good.clone(), broken.clone()]), Some(62));
        assert_eq!(product_score(&[broken.clone(), good.clone()]), Some(57));
        // One failure in thirty runs still shows; in the thirty-first from behind it is forgotten.
        let mut runs = vec![good.clone(); 29];
        runs.push(broken.clone());
        assert_eq!(product_score(&runs), Some(99));
        let mut runs = vec![good; 30];
        runs.push(broken);
        assert_eq!(product_score(&runs), Some(100));
    }

    #[test]
    fn a_domain_is_the_mean_of_its_products() {
        assert_eq!(domain_score([]), None);
        assert_eq!(domain_score([100, 99]), Some(99));
        assert_eq!(domain_score([100, 100]), Some(100));
    }
}
