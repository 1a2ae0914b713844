//! The figures beside their promises.

use std::process::ExitCode;

/// Which figures there are, and how many break their promise.
#[derive(Debug, Default)]
pub(super) struct Table {
    lines: Vec<String>,
    broken: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Kept,
    Broken,
}

impl Verdict {
    fn word(self) -> &'static str {
        match self {
            Self::Kept => "kept",
            Self::Broken => "BROKEN",
        }
    }
}

impl Table {
    /// A figure that is at most `limit`.
    pub(super) fn row(&mut self, name: &str, value: f64, limit: f64, text: &str, promise: &str) {
        self.add(
            name,
            text,
            promise,
            if value <= limit {
                Verdict::Kept
            } else {
                Verdict::Broken
            },
        );
    }

    /// A figure that is at least `limit`.
    pub(super) fn row_at_least(
        &mut self,
        name: &str,
        value: f64,
        limit: f64,
        text: &str,
        promise: &str,
    ) {
        self.add(
            name,
            text,
            promise,
            if value >= limit {
                Verdict::Kept
            } else {
                Verdict::Broken
            },
        );
    }

    pub(super) fn print(&self) -> ExitCode {
        println!("\nwhat codling adds to a job (echo hi), and what a node carries, release build");
        println!("(ratios: of the medians, then the middle half of the pairs, then both medians)");
        for line in &self.lines {
            println!("{line}");
        }
        if self.broken == 0 {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        }
    }

    fn add(&mut self, name: &str, text: &str, promise: &str, verdict: Verdict) {
        self.broken += usize::from(verdict == Verdict::Broken);
        let verdict = verdict.word();
        self.lines
            .push(format!("  {name:<38} {text:<42} {promise:<12} {verdict}"));
    }
}
