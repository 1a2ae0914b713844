//! Reads the command line: finds the command, judges every word against the tree that argh derives, and hands argh words
//! that it cannot misunderstand.
//!
//! `--flag=value` and `--flag value` are the same. Words behind the first word of a command to run belong to that
//! command. Help and version are answered before anything else is looked at.

use super::commands::{Codling, Command};
use super::help;
use super::usage::UsageError;
use crate::config::nearest;
use argh::{ArgsInfo, CommandInfoWithArgs, FlagInfo, FlagInfoKind, FromArgs, Optionality};
use std::ffi::OsString;

/// What a command line asks for.
pub(super) enum Request {
    /// This page.
    Help(String),
    /// This command.
    Command(Box<Command>),
}

/// Every help page by the words that show it, for tests and for manual pages.
#[must_use]
pub fn help_pages() -> Vec<(String, String)> {
    let mut pages = Vec::new();
    gather("codling", &Codling::get_args_info(), &mut pages);
    pages
}

fn gather(path: &str, info: &CommandInfoWithArgs, pages: &mut Vec<(String, String)>) {
    pages.push((path.to_owned(), help::page(path, info)));
    for command in &info.commands {
        gather(&format!("{path} {}", command.name), &command.command, pages);
    }
}

/// Reads argv without the program's name.
pub(super) fn read(words: impl IntoIterator<Item = OsString>) -> Result<Request, UsageError> {
    let words = utf8(words)?;
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.first() {
        Some(&"--version" | &"-V") => return parse(&["version"]),
        Some(&"help") => return Ok(Request::Help(help_for(&words[1..])?)),
        _ => {}
    }
    let mut walk = Walk::new();
    let mut rest = words.iter().copied();
    while let Some(word) = rest.next() {
        if matches!(word, "--help" | "-h") {
            return Ok(Request::Help(help::page(&walk.path, &walk.info)));
        }
        if word == "--" {
            walk.positional_rest(rest)?;
            break;
        }
        if word.starts_with("--") {
            walk.flag(word, &mut rest)?;
        } else if word.starts_with('-') && word.len() > 1 {
            let Some(long) = walk.long_of(word) else {
                return Err(walk.unknown_flag(word));
            };
            walk.flag(long, &mut rest)?;
        } else if walk.takes_command() {
            walk.descend(word)?;
        } else if walk.takes_the_rest() {
            walk.positional_rest(std::iter::once(word).chain(rest))?;
            break;
        } else {
            walk.positional(word)?;
        }
    }
    parse(&walk.finish()?)
}

fn utf8(words: impl IntoIterator<Item = OsString>) -> Result<Vec<String>, UsageError> {
    words
        .into_iter()
        .enumerate()
        .map(|(index, word)| {
            word.into_string().map_err(|word| UsageError::NotUtf8 {
                position: index + 1,
                lossy: word.to_string_lossy().into_owned(),
            })
        })
        .collect()
}

fn parse(words: &[&str]) -> Result<Request, UsageError> {
    match Codling::from_args(&["codling"], words) {
        Ok(codling) => Ok(Request::Command(Box::new(codling.command))),
        Err(exit) => Err(UsageError::Argh(exit.output.trim().to_owned())),
    }
}

/// `codling help job list`.
fn help_for(commands: &[&str]) -> Result<String, UsageError> {
    let mut walk = Walk::new();
    for command in commands {
        walk.descend(command)?;
    }
    Ok(help::page(&walk.path, &walk.info))
}

/// A walk down the tree of commands that gathers words for argh.
struct Walk<'a> {
    info: CommandInfoWithArgs,
    path: String,
    /// Commands and flags.
    out: Vec<&'a str>,
    seen: Vec<&'static str>,
    /// What argh must not take for flags: `-` is a file name.
    words: Vec<&'a str>,
}

impl<'a> Walk<'a> {
    fn new() -> Self {
        Self {
            info: Codling::get_args_info(),
            path: "codling".to_owned(),
            out: Vec::new(),
            seen: Vec::new(),
            words: Vec::new(),
        }
    }

    fn takes_command(&self) -> bool {
        !self.info.commands.is_empty()
    }

    fn descend(&mut self, word: &'a str) -> Result<(), UsageError> {
        let commands = std::mem::take(&mut self.info.commands);
        let names: Vec<&str> = commands.iter().map(|command| command.name).collect();
        let guess = nearest(word, names).map(str::to_owned);
        let Some(command) = commands.into_iter().find(|command| command.name == word) else {
            return Err(UsageError::UnknownCommand {
                path: self.path.clone(),
                word: word.to_owned(),
                nearest: guess,
            });
        };
        self.info = command.command;
        self.path = format!("{} {word}", self.path);
        self.out.push(word);
        Ok(())
    }

    /// `word` is `--flag` or `--flag=value`.
    fn flag(
        &mut self,
        word: &'a str,
        rest: &mut impl Iterator<Item = &'a str>,
    ) -> Result<(), UsageError> {
        let (name, value) = match word.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (word, None),
        };
        let Some(info) = self.known(name) else {
            return Err(self.unknown_flag(name));
        };
        if info.optionality != Optionality::Repeating {
            if self.seen.contains(&info.long) {
                return Err(UsageError::GivenTwice {
                    flag: info.long.to_owned(),
                });
            }
            self.seen.push(info.long);
        }
        match (&info.kind, value) {
            (FlagInfoKind::Switch, None | Some("true")) => self.out.push(info.long),
            // A setting's switch is undone for good, so that it beats its variable: `config` reads the value.
            (FlagInfoKind::Switch, Some(_)) if info.optionality == Optionality::Repeating => {
                self.out.push(word);
            }
            (FlagInfoKind::Switch, Some("false")) => {}
            (FlagInfoKind::Switch, Some(value)) => {
                return Err(UsageError::TakesNoValue {
                    flag: info.long.to_owned(),
                    value: value.to_owned(),
                });
            }
            (FlagInfoKind::Option { arg_name }, value) => {
                let value =
                    value
                        .or_else(|| rest.next())
                        .ok_or_else(|| UsageError::MissingValue {
                            flag: info.long.to_owned(),
                            meta: (*arg_name).to_owned(),
                        })?;
                self.out.extend([info.long, value]);
            }
        }
        Ok(())
    }

    fn known(&self, name: &str) -> Option<&'static FlagInfo<'static>> {
        self.info.flags.iter().find(|info| info.long == name)
    }

    /// The flag that a letter such as `-f` stands for.
    fn long_of(&self, word: &str) -> Option<&'static str> {
        let mut letters = word.strip_prefix('-')?.chars();
        let letter = letters.next().filter(|_| letters.as_str().is_empty())?;
        let mut flags = self.info.flags.iter();
        flags
            .find(|info| info.short == Some(letter))
            .map(|info| info.long)
    }

    fn unknown_flag(&self, flag: &str) -> UsageError {
        if self.takes_command() {
            return UsageError::FlagBeforeCommand {
                path: self.path.clone(),
                flag: flag.to_owned(),
            };
        }
        let known = self
            .info
            .flags
            .iter()
            .filter(|info| !info.hidden)
            .map(|info| info.long);
        UsageError::UnknownFlag {
            path: self.path.clone(),
            flag: flag.to_owned(),
            nearest: nearest(flag, known).map(str::to_owned),
        }
    }

    /// Whether the next word and all behind it belong to the last argument.
    fn takes_the_rest(&self) -> bool {
        self.info.positionals.last().is_some_and(|last| {
            last.optionality == Optionality::Greedy
                && self.words.len() + 1 >= self.info.positionals.len()
        })
    }

    fn positional(&mut self, word: &'a str) -> Result<(), UsageError> {
        let takes_more = self.words.len() < self.info.positionals.len()
            || self
                .info
                .positionals
                .last()
                .is_some_and(|last| last.optionality == Optionality::Repeating);
        if !takes_more {
            return Err(UsageError::UnexpectedWord {
                path: self.path.clone(),
                word: word.to_owned(),
            });
        }
        self.words.push(word);
        Ok(())
    }

    /// Nothing from here on is a flag.
    fn positional_rest(&mut self, rest: impl Iterator<Item = &'a str>) -> Result<(), UsageError> {
        for word in rest {
            if self.takes_the_rest() {
                self.words.push(word);
            } else {
                self.positional(word)?;
            }
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Vec<&'a str>, UsageError> {
        if self.takes_command() {
            return Err(UsageError::NoCommand {
                page: help::page(&self.path, &self.info),
                path: self.path,
            });
        }
        match self.info.positionals.get(self.words.len()) {
            Some(missing) if missing.optionality == Optionality::Required => {
                Err(UsageError::MissingArgument {
                    path: self.path,
                    what: missing.name.to_owned(),
                })
            }
            _ => {
                if !self.words.is_empty() {
                    self.out.push("--");
                    self.out.append(&mut self.words);
                }
                Ok(self.out)
            }
        }
    }
}
