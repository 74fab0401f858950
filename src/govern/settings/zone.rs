//! Time zones by name and by offset.

/// Names of the time zone database.
const ZONES: &str = include_str!("zones.txt");

/// The zone as SHOW gives it; `None`: there is no such zone.
pub(super) fn canonical(text: &str) -> Option<String> {
    let text = text.trim();
    if let Some(zone) = ZONES.split_whitespace().find(|zone| zone.eq_ignore_ascii_case(text)) {
        return Some(zone.to_owned());
    }
    if let Ok(hours) = text.parse::<f64>() {
        return from_hours(hours);
    }
    is_posix(text).then(|| text.to_ascii_uppercase())
}

/// `5` becomes `<+05>-05`, as in Postgres: hours east, written as a POSIX zone.
fn from_hours(hours: f64) -> Option<String> {
    if !(-15.0..=15.0).contains(&hours) {
        return None;
    }
    let minutes = (hours * 60.0).round() as i64;
    let sign = |east: bool| if east { '+' } else { '-' };
    let (hour, minute) = (minutes.abs() / 60, minutes.abs() % 60);
    let clock = if minute == 0 { format!("{hour:02}") } else { format!("{hour:02}:{minute:02}") };
    Some(format!("<{}{clock}>{}{clock}", sign(minutes >= 0), sign(minutes < 0)))
}

/// An optional abbreviation and an offset: `+02:30`, `UTC-3`, `<X>-3`.
fn is_posix(text: &str) -> bool {
    let letters = |s: &str| s.len() >= 3 && s.bytes().all(|b| b.is_ascii_alphabetic());
    let offset_at = match text.strip_prefix('<') {
        Some(rest) => rest.find('>').map(|end| end + 2),
        None => text.find(|c: char| !c.is_ascii_alphabetic()),
    };
    let Some((abbreviation, offset)) = offset_at.and_then(|at| text.split_at_checked(at)) else { return false };
    let named = abbreviation.is_empty()
        || letters(abbreviation)
        || (abbreviation.len() <= 12
            && abbreviation.starts_with('<')
            && abbreviation.bytes().all(|b| b.is_ascii_alphanumeric() || b"<>+-:".contains(&b)));
    let digits = offset.strip_prefix(['+', '-']).unwrap_or(offset);
    let parts: Vec<&str> = digits.split(':').collect();
    named
        && parts.len() <= 3
        && parts.iter().all(|part| matches!(part.len(), 1 | 2) && part.bytes().all(|b| b.is_ascii_digit()))
        && parts.first().is_some_and(|hours| hours.parse::<u8>().is_ok_and(|hours| hours <= 15))
}
