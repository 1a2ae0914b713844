//! Durations as operators write them: `500ms`, `10s`, `1m30s`, `24h`, `7d`.

use super::Wrong;
use std::time::Duration;

/// What a duration may look like.
pub const DURATION_ALLOWED: &str = "a duration such as 500ms, 10s, 1m30s, 24h or 7d";

/// Largest unit first, as they must be written.
const UNITS: [(&str, u64); 5] = [
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

/// Reads whole numbers with units, largest first, each unit once. Blanks, signs, fractions and bare numbers are refused:
/// `90` could be anything.
///
/// # Errors
/// What is allowed, and a hint for the usual slips.
pub fn parse_duration(text: &str) -> Result<Duration, Wrong> {
    let wrong = |hint: &str| Wrong::new(DURATION_ALLOWED, hint);
    if text.is_empty() {
        return Err(wrong("it is empty"));
    }
    let mut rest = text;
    let mut units = UNITS.iter();
    let mut total_ms: u64 = 0;
    while !rest.is_empty() {
        let (number, after) = split(rest, |c| c.is_ascii_digit());
        let (unit, after) = split(after, |c| c.is_ascii_alphabetic());
        if number.is_empty() {
            return Err(wrong(
                "each part is a whole number and its unit, without blanks",
            ));
        }
        if unit.is_empty() {
            return Err(if after.is_empty() {
                wrong(&format!("add a unit: {text}s for seconds"))
            } else {
                wrong("use a smaller unit in place of a fraction: 1500ms for 1.5s")
            });
        }
        let Some((_, factor)) = units.find(|(name, _)| *name == unit) else {
            return Err(if UNITS.iter().any(|(name, _)| *name == unit) {
                wrong("write larger units first, each once: 1h30m")
            } else {
                wrong("units are d, h, m, s and ms")
            });
        };
        total_ms = number
            .parse::<u64>()
            .ok()
            .and_then(|number| number.checked_mul(*factor))
            .and_then(|part| total_ms.checked_add(part))
            .ok_or_else(|| wrong("it is too long"))?;
        rest = after;
    }
    Ok(Duration::from_millis(total_ms))
}

fn split(text: &str, is_part: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(|c| !is_part(c)).unwrap_or(text.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_whole_numbers_with_units_largest_first() {
        for (text, ms) in [
            ("500ms", 500),
            ("10s", 10_000),
            ("1m30s", 90_000),
            ("24h", 86_400_000),
            ("7d", 604_800_000),
            ("1h0m0s", 3_600_000),
            ("0s", 0),
            ("1d2h3m4s5ms", 93_784_005),
        ] {
            assert_eq!(
                parse_duration(text),
                Ok(Duration::from_millis(ms)),
                "{text}"
            );
        }
    }

    #[test]
    fn what_could_mean_two_things_is_not_a_duration() {
        for text in [
            "",
            "90",
            "1.5s",
            "-1s",
            "+1s",
            "1 s",
            "s",
            "30s1m",
            "1s1s",
            "1y",
            "1S",
            "1min",
            "99999999999999999999s",
            "999999999999999999d",
        ] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_bare_number_is_answered_with_the_unit_it_lacks() {
        assert_eq!(
            parse_duration("90").map_err(|wrong| wrong.hint),
            Err("add a unit: 90s for seconds".to_owned())
        );
    }
}
