//! Help pages, from the same tree that argh parses with.

use crate::config::FLAG_GROUPS;
use argh::{CommandInfoWithArgs, FlagInfo, FlagInfoKind, Optionality, PositionalInfo};
use std::fmt::Write as _;

/// Where descriptions start; longer names put theirs on the next line.
const COLUMN: usize = 24;
/// The command whose flags are settings.
const SERVE: &str = "codling serve";
/// The narrowest terminal that the pages are made for.
const WIDTH: usize = 80;

/// The page of one command; `path` is what was typed to reach it.
pub(super) fn page(path: &str, info: &CommandInfoWithArgs) -> String {
    let mut page = format!("{}\n\n", sentence(info.description));
    let _ = writeln!(page, "Usage: {}", usage(path, info));
    section(
        &mut page,
        "Commands",
        info.commands
            .iter()
            .map(|command| (command.name.to_owned(), command.command.description)),
    );
    section(
        &mut page,
        "Arguments",
        info.positionals
            .iter()
            .map(|positional| (positional.name.to_owned(), positional.description)),
    );
    flags(&mut page, path, info.flags);
    if !info.examples.is_empty() {
        page.push_str("\nExamples:\n");
        for example in info.examples {
            let _ = writeln!(page, "  {}", example.trim());
        }
    }
    if !info.notes.is_empty() {
        page.push('\n');
        for note in info.notes {
            let _ = writeln!(page, "{}", note.trim());
        }
    }
    page
}

/// One section, or those of the settings' table for the command whose flags are that table.
fn flags(page: &mut String, path: &str, flags: &[FlagInfo<'_>]) {
    let shown = || {
        flags
            .iter()
            .filter(|flag| !flag.hidden && flag.long != "--help")
    };
    let rows = |flag: &FlagInfo<'_>| flag_words(flag);
    if path != SERVE {
        section(
            page,
            "Flags",
            shown().map(|flag| (rows(flag), flag.description)),
        );
        return;
    }
    for (title, names) in FLAG_GROUPS {
        let of_group = shown().filter(|flag| names.contains(&flag.long.trim_start_matches('-')));
        section(
            page,
            title,
            of_group.map(|flag| (rows(flag), flag.description)),
        );
    }
}

fn usage(path: &str, info: &CommandInfoWithArgs) -> String {
    if !info.commands.is_empty() {
        return format!("{path} COMMAND");
    }
    let mut usage = path.to_owned();
    if info.flags.iter().any(|flag| flag.long != "--help") {
        usage.push_str(" [FLAGS]");
    }
    for positional in info.positionals {
        usage.push_str(&positional_words(positional));
    }
    usage
}

fn positional_words(positional: &PositionalInfo<'_>) -> String {
    match positional.optionality {
        Optionality::Required => format!(" {}", positional.name),
        Optionality::Greedy => format!(" [-- {} ...]", positional.name),
        Optionality::Optional => format!(" [{}]", positional.name),
        Optionality::Repeating => format!(" [{} ...]", positional.name),
    }
}

fn flag_words(flag: &FlagInfo<'_>) -> String {
    let names = match flag.short {
        Some(letter) => format!("-{letter}, {}", flag.long),
        None => flag.long.to_owned(),
    };
    match flag.kind {
        FlagInfoKind::Switch => names,
        FlagInfoKind::Option { arg_name } => format!("{names} {arg_name}"),
    }
}

fn section<'a>(page: &mut String, title: &str, rows: impl Iterator<Item = (String, &'a str)>) {
    let mut rows = rows.peekable();
    if rows.peek().is_none() {
        return;
    }
    let _ = writeln!(page, "\n{title}:");
    for (name, description) in rows {
        let mut line = format!("  {name:<width$}", width = COLUMN - 4);
        if line.len() > COLUMN - 2 {
            let _ = writeln!(page, "{}", line.trim_end());
            line = " ".repeat(COLUMN - 2);
        }
        line.push_str("  ");
        let mut is_start = true;
        for word in description.split_whitespace() {
            if !is_start && line.len() + 1 + word.len() > WIDTH {
                let _ = writeln!(page, "{line}");
                line = " ".repeat(COLUMN);
                is_start = true;
            }
            if !is_start {
                line.push(' ');
            }
            line.push_str(word);
            is_start = false;
        }
        let _ = writeln!(page, "{}", line.trim_end());
    }
}

/// argh keeps descriptions in lower case; a page starts with a sentence.
fn sentence(description: &str) -> String {
    let mut letters = description.trim().chars();
    let first = letters
        .next()
        .map(|letter| letter.to_ascii_uppercase())
        .into_iter();
    first.chain(letters).chain(std::iter::once('.')).collect()
}
