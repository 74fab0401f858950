//! Cron expressions of five fields: minute, hour, day of the month, month, day of the week.

const FIELDS: [(&str, u32, u32); 5] =
    [("minute", 0, 59), ("hour", 0, 23), ("day of the month", 1, 31), ("month", 1, 12), ("day of the week", 0, 7)];

/// Checks an expression. The error says which part is wrong.
pub(super) fn check(expression: &str) -> Result<(), String> {
    let fields: Vec<&str> = expression.split_ascii_whitespace().collect();
    if fields.len() != FIELDS.len() {
        return Err(format!("a cron expression has five fields, not {}", fields.len()));
    }
    for (field, (name, low, high)) in fields.iter().zip(FIELDS) {
        if !field.split(',').all(|item| item_is_valid(item, low, high)) {
            return Err(format!("the {name} must be *, a number from {low} to {high}, a range, a list or a step"));
        }
    }
    Ok(())
}

fn item_is_valid(item: &str, low: u32, high: u32) -> bool {
    let (range, step) = match item.split_once('/') {
        Some((range, step)) => (range, Some(step)),
        None => (item, None),
    };
    let number = |text: &str| {
        let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        text.parse::<u32>().ok().filter(|n| digits && (low..=high).contains(n))
    };
    let range_is_valid = match range.split_once('-') {
        Some((from, to)) => matches!((number(from), number(to)), (Some(from), Some(to)) if from <= to),
        None => range == "*" || (step.is_none() && number(range).is_some()),
    };
    let step_is_valid = step.is_none_or(|s| s.parse::<u32>().is_ok_and(|n| (1..=high).contains(&n)));
    range_is_valid && step_is_valid
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn expressions() {
        for good in ["0 6 * * *", "*/15 * * * *", "0 0-23/2 1,15 * 1-5", "59 23 31 12 7"] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        for bad in [
            "",
            "* * * *",
            "60 * * * *",
            "* 24 * * *",
            "* * 0 * *",
            "*/0 * * * *",
            "5-1 * * * *",
            "a * * * *",
            "@daily",
        ] {
            assert!(check(bad).is_err(), "{bad}");
        }
    }
}
