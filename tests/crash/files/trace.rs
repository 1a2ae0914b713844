//! What a process of the real binary does to the files below one directory, seen from outside by strace.
//!
//! Calls are taken in the order in which they returned, what leaves the process in the order in which it was sent. A call
//! that changes files in a way that is not known here fails the test: nothing is written unseen.

use super::tree::{self, Body, Inode, Op, TOP, Tape};
use crate::support::program::{Program, Running};
use crate::support::wait;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Longer than anything that is written at once.
const STRING_MAX: &str = "4194304";
/// Everything that opens, changes or names a file, and everything that says something.
const CALLS: &str = "trace=open,openat,openat2,creat,mkdir,mkdirat,rename,renameat,renameat2,unlink,unlinkat,rmdir,\
    link,linkat,symlink,symlinkat,mknod,mknodat,truncate,ftruncate,fallocate,write,pwrite64,writev,pwritev,pwritev2,\
    copy_file_range,sendfile,splice,lseek,fsync,fdatasync,sync_file_range,dup,dup2,dup3,fcntl,close,sendto,sendmsg,\
    /^(io_uring_setup|io_setup)$";
/// What strace says of a call that it made fail.
pub(super) const INJECTED: &str = "(INJECTED)";

/// How the end of a process is told.
const ENDS: [&str; 2] = ["+++ exited with ", "+++ killed by "];

/// A command line that is watched. `inject` is strace's, a fault of some call.
pub(super) fn watched(trace: &Path, inject: Option<&str>, command: &[&str]) -> Program {
    let trace = trace.display().to_string();
    let mut args = vec!["-D", "-f", "-q", "-xx", "-s", STRING_MAX, "-o", &trace];
    args.extend(["-e", CALLS, "-e", "signal=ABRT"]);
    args.extend(inject.iter().flat_map(|inject| ["-e", inject]));
    args.push(env!("CARGO_BIN_EXE_codling"));
    args.extend(command);
    Program::at_ease("/usr/bin/strace", &args)
}

/// The trace of a process that has ended. Its tracer may be behind it.
pub(super) fn ended(process: Running, trace: &Path) -> (crate::support::program::Ended, String) {
    let pid = process.pid();
    let ended = process.ended();
    let is_end = |line: &str| {
        let (of, what) = line.split_once(' ').unwrap_or_default();
        of.parse() == Ok(pid) && ENDS.iter().any(|end| what.trim_start().starts_with(end))
    };
    let text = wait::until("the trace ends", || {
        let text = fs::read_to_string(trace).unwrap_or_default();
        // Threads that are killed with it may stand behind it.
        match text.lines().any(is_end) {
            true => Ok(text),
            false => Err(text.len()),
        }
    });
    (ended, text)
}

/// A file or directory of ours that is open.
#[derive(Clone, Debug)]
struct Open {
    inode: Inode,
    position: usize,
}

/// Puts what a trace shows behind a tape.
#[derive(Debug)]
struct Reader<'a> {
    tape: &'a mut Tape,
    /// What the process sees.
    live: Vec<Body>,
    top: &'a Path,
    open: BTreeMap<i64, Open>,
}

/// Puts what a process below `top` did, by its trace, behind `tape`, as which `top` was made.
pub(super) fn append(tape: &mut Tape, top: &Path, trace: &str) {
    let mut reader = Reader {
        live: tape.live(),
        tape,
        top,
        open: BTreeMap::new(),
    };
    let mut begun: BTreeMap<&str, &str> = BTreeMap::new();
    for line in trace.lines() {
        let (process, line) = line.split_once(' ').expect("a process id");
        let line = line.trim_start();
        if let Some((before, _)) = line.split_once(" <unfinished ...>") {
            reader.begins(before);
            begun.insert(process, before);
        } else if let Some((_, after)) = line.split_once(" resumed>") {
            let before = begun.remove(process).expect("it was begun");
            reader.returns(&format!("{before}{after}"));
        } else if !line.starts_with("+++") && !line.starts_with("---") {
            reader.begins(line);
            reader.returns(line);
        }
    }
}

impl Reader<'_> {
    /// What counts from the moment in which it is called.
    fn begins(&mut self, call: &str) {
        let (name, args) = parts(call);
        let fd = number(args.first());
        match name {
            "close" => drop(self.open.remove(&fd)),
            "write" | "writev" | "sendto" | "sendmsg" if !self.open.contains_key(&fd) => {
                let bytes: Vec<u8> = strings(call).concat();
                let said = String::from_utf8_lossy(&bytes).into_owned();
                self.tape.ops.push(Op::Said(said));
            }
            _ => {}
        }
    }

    /// What counts once it has succeeded.
    fn returns(&mut self, call: &str) {
        let Some(result) = result(call) else {
            if call.contains(INJECTED) {
                self.tape.ops.push(Op::Said(INJECTED.to_owned()));
            }
            return;
        };
        let (name, args) = parts(call);
        let fd = number(args.first());
        match name {
            "close" | "sendto" | "sendmsg" | "pwritev" | "pwritev2"
                if !self.open.contains_key(&fd) => {}
            "open" | "openat" | "creat" => self.opened(name, &args, result),
            "mkdir" | "mkdirat" => {
                if let Some((directory, name)) = self.place(args[args.len() - 2]) {
                    let made = self.tape.make(Body::Directory(BTreeMap::new()));
                    self.live.push(Body::Directory(BTreeMap::new()));
                    self.happens(Op::Names {
                        directory,
                        changes: vec![(name, Some(made))],
                    });
                }
            }
            "rename" | "renameat" | "renameat2" => self.renamed(call),
            "unlink" | "unlinkat" | "rmdir" => {
                let path = args[usize::from(name == "unlinkat")];
                if let Some((directory, name)) = self.place(path) {
                    self.happens(Op::Names {
                        directory,
                        changes: vec![(name, None)],
                    });
                }
            }
            "dup" | "dup2" | "dup3" | "fcntl" => {
                let is_copy = name != "fcntl" || args[1].starts_with("F_DUPFD");
                if let Some(open) = self.open.get(&fd).cloned().filter(|_| is_copy) {
                    self.open.insert(result, open);
                }
            }
            _ => self.changed(name, call, &args, result),
        }
    }

    /// A call on an open file of ours, or on none of ours.
    fn changed(&mut self, name: &str, call: &str, args: &[&str], result: i64) {
        let Some(open) = self.open.get_mut(&number(args.first())) else {
            let is_ours = strings(call)
                .iter()
                .any(|bytes| bytes.starts_with(self.top.as_os_str().as_encoded_bytes()));
            let says = ["write", "writev", "sendto", "sendmsg"].contains(&name);
            assert!(!is_ours || says, "what this does is not known: {call}");
            return;
        };
        let file = open.inode;
        match name {
            "write" | "writev" | "pwrite64" => {
                let length = usize::try_from(result).unwrap();
                let mut data = strings(call).concat();
                assert!(data.len() >= length, "strace shows less than was written");
                data.truncate(length);
                let offset = match name {
                    "pwrite64" => usize::try_from(number(args.last())).unwrap(),
                    _ => {
                        open.position += length;
                        open.position - length
                    }
                };
                self.happens(Op::Write { file, offset, data });
            }
            "lseek" => open.position = usize::try_from(result).unwrap(),
            "ftruncate" => {
                let len = usize::try_from(number(args.get(1))).unwrap();
                self.happens(Op::SetLen { file, len });
            }
            "fallocate" => {
                assert_eq!(args[1], "0", "it only grows: {call}");
                let Body::File(bytes) = &self.live[file] else {
                    panic!("{call}");
                };
                let end = usize::try_from(number(args.get(2)) + number(args.get(3))).unwrap();
                let len = end.max(bytes.len());
                self.happens(Op::SetLen { file, len });
            }
            "fsync" | "fdatasync" => self.happens(Op::Sync(file)),
            _ => panic!("what this does is not known: {call}"),
        }
    }

    fn opened(&mut self, name: &str, args: &[&str], fd: i64) {
        let at = usize::from(name == "openat");
        let path = PathBuf::from(text(args[at]));
        if path == self.top {
            let position = 0;
            self.open.insert(
                fd,
                Open {
                    inode: TOP,
                    position,
                },
            );
            return;
        }
        let Some((directory, name)) = self.place(args[at]) else {
            return;
        };
        let flags = args.get(at + 1).copied().unwrap_or("O_CREAT|O_TRUNC");
        let found = self.find(directory, &name);
        let inode = found.unwrap_or_else(|| {
            assert!(flags.contains("O_CREAT"), "{path:?} came from nowhere");
            let made = self.tape.make(Body::File(Vec::new()));
            self.live.push(Body::File(Vec::new()));
            self.happens(Op::Names {
                directory,
                changes: vec![(name, Some(made))],
            });
            made
        });
        let is_file = matches!(&self.live[inode], Body::File(bytes) if !bytes.is_empty());
        if is_file && flags.contains("O_TRUNC") {
            self.happens(Op::SetLen {
                file: inode,
                len: 0,
            });
        }
        assert!(!flags.contains("O_APPEND"), "{path:?} is appended to");
        self.open.insert(fd, Open { inode, position: 0 });
    }

    fn renamed(&mut self, call: &str) {
        let paths = strings(call);
        let [from, to] = paths.as_slice() else {
            panic!("two names: {call}");
        };
        let (Some((directory, from)), Some((there, to))) = (self.place_of(from), self.place_of(to))
        else {
            return;
        };
        assert_eq!(directory, there, "from one directory to another: {call}");
        let inode = self.find(directory, &from);
        assert!(inode.is_some(), "{call}");
        self.happens(Op::Names {
            directory,
            changes: vec![(from, None), (to, inode)],
        });
    }

    fn happens(&mut self, op: Op) {
        tree::apply(&mut self.live, &op);
        self.tape.ops.push(op);
    }

    fn find(&self, directory: Inode, name: &str) -> Option<Inode> {
        match &self.live[directory] {
            Body::Directory(names) => names.get(name).copied(),
            Body::File(_) => None,
        }
    }

    /// The directory that a path leads to, and the name in it, if it is below the top.
    fn place(&self, argument: &str) -> Option<(Inode, String)> {
        self.place_of(text(argument).as_bytes())
    }

    fn place_of(&self, path: &[u8]) -> Option<(Inode, String)> {
        let path = PathBuf::from(String::from_utf8_lossy(path).into_owned());
        let below = path.strip_prefix(self.top).ok()?;
        let name = below.file_name()?.to_str().unwrap().to_owned();
        let mut directory = TOP;
        for part in below.parent().unwrap() {
            directory = self.find(directory, part.to_str().unwrap())?;
        }
        Some((directory, name))
    }
}

/// What a call returned, if it succeeded.
fn result(call: &str) -> Option<i64> {
    let (_, result) = call.rsplit_once(" = ")?;
    let digits = result.split(' ').next()?;
    digits.parse().ok().filter(|result| *result >= 0)
}

/// A call's name and its arguments. Strings hold no commas, for they are in hex; a list of buffers is cut up.
fn parts(call: &str) -> (&str, Vec<&str>) {
    let (name, rest) = call.split_once('(').unwrap_or((call, ""));
    let args = rest.rsplit_once(')').map_or(rest, |(args, _)| args);
    (name, args.split(", ").collect())
}

fn number(argument: Option<&&str>) -> i64 {
    argument
        .and_then(|text| text.trim().parse().ok())
        .unwrap_or(-1)
}

/// The one string of an argument.
fn text(argument: &str) -> String {
    String::from_utf8(strings(argument).concat()).expect("names of ours are text")
}

/// All strings of a call.
fn strings(call: &str) -> Vec<Vec<u8>> {
    let quoted = call.split('"').skip(1).step_by(2);
    let hex = |text: &str| {
        let bytes = text.split("\\x").skip(1);
        bytes
            .map(|byte| u8::from_str_radix(byte, 16).expect("hex"))
            .collect()
    };
    assert!(!call.contains("\"..."), "strace cut a string short");
    quoted.map(hex).collect()
}
