//! A line that comes again within a minute is counted, not written.

use log::Level;

/// Lines that are remembered: what can go wrong at once on one board, over and over. The one that was written longest ago
/// gives way.
const LINES_MAX: usize = 16;
/// For how long a line stands for its repeats. A state that flaps is told once a minute.
const WINDOW_MS: u64 = 60_000;

/// A line to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) level: Level,
    pub(super) text: String,
    /// How often it came again since it was last written, and in how many milliseconds.
    pub(super) repeated: Option<(u64, u64)>,
}

/// The lines of the last minute.
#[derive(Debug, Default)]
pub(super) struct Fold {
    lines: heapless::Vec<Line, LINES_MAX>,
}

#[derive(Debug)]
struct Line {
    level: Level,
    text: String,
    written_ms: u64,
    again: u64,
}

impl Line {
    fn is_over(&self, now_ms: u64) -> bool {
        now_ms.saturating_sub(self.written_ms) >= WINDOW_MS
    }

    /// What is written at its end, if it came again.
    fn last_word(self, now_ms: u64) -> Option<Told> {
        (self.again > 0).then(|| Told {
            repeated: Some((self.again, now_ms.saturating_sub(self.written_ms))),
            level: self.level,
            text: self.text,
        })
    }
}

impl Fold {
    /// What is to be written now that this line came: nothing for a repeat, the counts of those whose minute is over, then
    /// the line itself.
    pub(super) fn hear(&mut self, level: Level, text: &str, now_ms: u64) -> Vec<Told> {
        let mut told = Vec::new();
        if let Some(line) = self
            .lines
            .iter_mut()
            .find(|line| line.level == level && line.text == text)
        {
            line.again += 1;
            if !line.is_over(now_ms) {
                return told;
            }
        }
        let is_repeat = |line: &Line| line.level == level && line.text == text;
        let mut at = 0;
        let mut repeated = false;
        while let Some(line) = self.lines.get(at) {
            if line.is_over(now_ms) {
                repeated |= is_repeat(line);
                told.extend(self.lines.remove(at).last_word(now_ms));
            } else {
                at += 1;
            }
        }
        if !repeated {
            told.push(Told {
                level,
                text: text.to_owned(),
                repeated: None,
            });
        }
        if self.lines.is_full()
            && let Some(oldest) = (0..self.lines.len()).min_by_key(|at| self.lines[*at].written_ms)
        {
            let last = self.lines.remove(oldest).last_word(now_ms);
            told.splice(0..0, last);
        }
        // There is room: one was removed where there was none.
        let _ = self.lines.push(Line {
            level,
            text: text.to_owned(),
            written_ms: now_ms,
            again: 0,
        });
        told
    }

    /// The counts that are left.
    pub(super) fn finish(&mut self, now_ms: u64) -> Vec<Told> {
        std::mem::take(&mut self.lines)
            .into_iter()
            .filter_map(|line| line.last_word(now_ms))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(told: Vec<Told>) -> Vec<String> {
        told.into_iter()
            .map(|told| match told.repeated {
                None => told.text,
                Some((times, ms)) => format!("{} x{times} in {}", told.text, ms / 1_000),
            })
            .collect()
    }

    #[test]
    fn a_line_that_flaps_is_told_once_a_minute_with_its_count_and_none_is_lost() {
        let mut fold = Fold::default();
        let mut written = Vec::new();
        for second in 0..150 {
            let text = if second % 2 == 0 { "away" } else { "back" };
            written.extend(fold.hear(Level::Info, text, second * 1_000));
        }
        written.extend(fold.finish(150_000));
        assert_eq!(
            words(written),
            [
                "away",
                "back",
                "away x30 in 60",
                "back x30 in 60",
                "away x30 in 60",
                "back x30 in 60",
                "away x14 in 30",
                "back x14 in 29"
            ]
        );
    }

    #[test]
    fn a_count_is_told_with_the_next_line_after_its_minute_and_a_lone_line_needs_no_word() {
        let mut fold = Fold::default();
        assert_eq!(words(fold.hear(Level::Warn, "a", 0)), ["a"]);
        assert_eq!(words(fold.hear(Level::Warn, "lone", 1)), ["lone"]);
        assert_eq!(words(fold.hear(Level::Warn, "a", 2)), [""; 0]);
        assert_eq!(
            words(fold.hear(Level::Warn, "b", 70_000)),
            ["a x1 in 70", "b"]
        );
        assert_eq!(words(fold.finish(80_000)), [""; 0]);
    }

    #[test]
    fn many_different_lines_take_no_more_room_and_lose_no_count() {
        let mut fold = Fold::default();
        for number in 0..1_000_u64 {
            let text = format!("line {number}");
            let first = words(fold.hear(Level::Info, &text, number));
            assert_eq!(first.last(), Some(&text));
            let again = words(fold.hear(Level::Info, &text, number));
            assert_eq!(again, [""; 0]);
            let counts = usize::from(number >= LINES_MAX as u64);
            assert_eq!(
                first.len(),
                1 + counts,
                "the one that gives way tells its count"
            );
        }
        assert_eq!(fold.finish(2_000).len(), LINES_MAX);
    }

    #[test]
    fn the_same_words_at_another_level_are_another_line() {
        let mut fold = Fold::default();
        fold.hear(Level::Info, "a", 0);
        assert_eq!(words(fold.hear(Level::Error, "a", 0)), ["a"]);
    }
}
