//! How a line is written: for people, for a collector of JSON, for the journal.

use super::fold::Told;
use log::Level;
use std::fmt::Write as _;

/// Most bytes of a line's text: what one error with its causes needs, several times.
const TEXT_MAX: usize = 2_048;

/// For whom lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli) enum Style {
    /// Time, level, text.
    Text,
    /// One object a line.
    Json,
    /// A priority, text; the journal knows the time itself.
    Journal,
}

/// When a line was written.
#[derive(Clone, Debug)]
pub(super) enum Stamp {
    /// RFC 3339.
    Wall(String),
    /// Milliseconds since boot, while the wall clock is not set.
    Boot(u64),
}

/// The beginning of `text` that a line has room for.
pub(super) fn bounded(text: &str) -> &str {
    let mut end = text.len().min(TEXT_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

impl Style {
    /// The line, without its end.
    pub(super) fn line(self, told: &Told, stamp: &Stamp) -> String {
        match self {
            Self::Text => {
                let stamp = match stamp {
                    Stamp::Wall(time) => time.clone(),
                    Stamp::Boot(ms) => format!("boot+{}.{:03}s", ms / 1_000, ms % 1_000),
                };
                format!("{stamp} {:<5} {}", told.level, words(told))
            }
            Self::Journal => format!("<{}>{}", priority(told.level), words(told)),
            Self::Json => json(told, stamp),
        }
    }
}

/// The text with its count, on one line.
fn words(told: &Told) -> String {
    let mut line = String::with_capacity(told.text.len());
    for letter in told.text.chars() {
        match letter {
            '\n' => line.push_str("\\n"),
            '\t' => line.push(' '),
            letter if is_unsafe(letter) => line.extend(letter.escape_unicode()),
            letter => line.push(letter),
        }
    }
    if let Some((times, ms)) = told.repeated {
        let noun = if times == 1 { "time" } else { "times" };
        // Writing into a string cannot fail.
        let _ = write!(line, " (repeated {times} {noun} in {} s)", ms / 1_000);
    }
    line
}

/// Letters that steer a terminal or turn the direction of what follows: a line shows them, and does nothing.
fn is_unsafe(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

fn json(told: &Told, stamp: &Stamp) -> String {
    let mut line = match stamp {
        Stamp::Wall(time) => format!("{{\"time\":\"{time}\""),
        Stamp::Boot(ms) => format!("{{\"boot_ms\":{ms}"),
    };
    line.push_str(",\"level\":\"");
    line.push_str(match told.level {
        Level::Error => "error",
        Level::Warn => "warn",
        Level::Info => "info",
        Level::Debug => "debug",
        Level::Trace => "trace",
    });
    line.push_str("\",\"message\":\"");
    for letter in told.text.chars() {
        match letter {
            '"' | '\\' => line.extend(['\\', letter]),
            letter if is_unsafe(letter) => {
                // All of them lie in the first plane, so four digits do.
                let _ = write!(line, "\\u{:04x}", u32::from(letter));
            }
            letter => line.push(letter),
        }
    }
    line.push('"');
    if let Some((times, ms)) = told.repeated {
        let _ = write!(line, ",\"repeated\":{times},\"in_seconds\":{}", ms / 1_000);
    }
    line.push('}');
    line
}

/// As syslog counts; systemd reads it from the head of a line (sd-daemon(3)).
fn priority(level: Level) -> u8 {
    match level {
        Level::Error => 3,
        Level::Warn => 4,
        Level::Info => 6,
        Level::Debug | Level::Trace => 7,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str, repeated: Option<(u64, u64)>) -> Told {
        Told {
            level: Level::Warn,
            text: text.to_owned(),
            repeated,
        }
    }

    const NASTY: &str = "a\u{1b}[2J\r\nb \"q\" \\ \u{202e}x \u{9b} \u{7f}";

    #[test]
    fn a_strangers_text_stays_on_its_line_and_steers_nothing() {
        let stamp = Stamp::Wall("2026-01-01T00:00:00Z".into());
        for style in [Style::Text, Style::Journal, Style::Json] {
            let line = style.line(&told(NASTY, Some((3, 61_000))), &stamp);
            assert!(!line.chars().any(is_unsafe), "{line:?}");
            assert!(
                line.contains('q') && line.contains('3') && line.contains("61"),
                "{line}"
            );
        }
    }

    #[test]
    fn json_gives_the_text_back_letter_by_letter() {
        for stamp in [Stamp::Wall("2026-01-01T00:00:00Z".into()), Stamp::Boot(7)] {
            let line = Style::Json.line(&told(NASTY, None), &stamp);
            let value: serde_json::Value = serde_json::from_str(&line).unwrap();
            assert_eq!(value["message"], NASTY);
            assert_eq!(value["level"], "warn");
            assert!(
                value["time"].is_string() != value["boot_ms"].is_u64(),
                "{line}"
            );
        }
    }

    #[test]
    fn the_journal_gets_a_priority_and_no_time() {
        let line = |level| {
            let told = Told {
                level,
                ..told("x", None)
            };
            Style::Journal.line(&told, &Stamp::Boot(0))
        };
        assert_eq!(line(Level::Error), "<3>x");
        assert_eq!(line(Level::Warn), "<4>x");
        assert_eq!(line(Level::Info), "<6>x");
        assert_eq!(line(Level::Trace), "<7>x");
    }

    #[test]
    fn a_long_text_is_cut_between_two_letters() {
        let long = "\u{e9}".repeat(TEXT_MAX);
        assert_eq!(bounded(&long).len(), TEXT_MAX);
        let odd = format!("x{long}");
        assert_eq!(bounded(&odd).len(), TEXT_MAX - 1);
        assert_eq!(bounded("short"), "short");
    }
}
