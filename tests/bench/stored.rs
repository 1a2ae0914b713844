//! A store as a busy node has it: ten thousand jobs with their executions, made of one that really ran.

use std::fs::{self, File, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use data_encoding::BASE64;
use serde_json::{Value, json};

use super::by_hand::await_no_container;
use super::node::Node;

/// Jobs and executions in it.
pub(super) const JOBS: usize = 10_000;
/// Where the number of a copy stands in an id: behind `j-` or `e-`, in eight digits of hex. Small ones, so that the copies
/// are older than what is submitted later.
const NUMBER_AT: std::ops::Range<usize> = 2..10;

/// The identity of the node that it belongs to.
const KEY: &str = "libp2p_private_key";

/// What is imported into each data directory that is to hold it. Files that are copied would be cached in pieces of many
/// pages (seen on Linux 6.18, ext4), and a process that writes to one page of a piece is charged with all of it: thirteen times
/// what it wrote.
#[derive(Debug)]
pub(super) struct Stored {
    key: Vec<u8>,
    export: Vec<u8>,
}

impl Stored {
    /// Runs one job, exports it, and makes many of it.
    pub(super) fn make(engine: &Path, image: &str, dir: &Path) -> Self {
        let node = Node::start(engine, dir);
        let id = node.submit(image, &["echo", "hi"]);
        node.await_completed(&id);
        await_no_container(engine);
        node.stop();
        let data = dir.join("data");
        let exported = Command::new(env!("CARGO_BIN_EXE_codling"))
            .args(["store", "export", "--data-dir"])
            .arg(&data)
            .output()
            .unwrap();
        Self {
            key: fs::read(data.join(KEY)).unwrap(),
            export: multiply(&String::from_utf8(exported.stdout).unwrap()),
        }
    }

    /// Fills the data directory of a node that is to start in `dir`.
    pub(super) fn put_into(&self, dir: &Path) {
        let data = dir.join("data");
        fs::create_dir_all(&data).unwrap();
        let mut key = File::create(data.join(KEY)).unwrap();
        key.set_permissions(Permissions::from_mode(0o600)).unwrap();
        key.write_all(&self.key).unwrap();
        let mut import = Command::new(env!("CARGO_BIN_EXE_codling"))
            .args(["store", "import", "--data-dir"])
            .arg(&data)
            .arg("-")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        import
            .stdin
            .take()
            .unwrap()
            .write_all(&self.export)
            .unwrap();
        assert!(import.wait().unwrap().success(), "the import failed");
    }
}

/// An export of one job with one execution as one of many.
fn multiply(export: &str) -> Vec<u8> {
    let lines: Vec<Value> = export
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let [head, job, execution, _end] = &lines[..] else {
        panic!("one job and one execution: {export}");
    };
    let (job, execution) = (&job["Job"], &execution["Execution"]);
    let ids = [job, execution].map(|record| record["ID"].as_str().unwrap());
    let mut many = format!("{head}\n");
    for (kind, record) in [("Job", job), ("Execution", execution)] {
        let row = BASE64
            .decode(record["Row"].as_str().unwrap().as_bytes())
            .unwrap();
        for number in 0..JOBS {
            let copies = ids.map(|id| {
                let mut copy = id.to_owned();
                copy.replace_range(NUMBER_AT, &format!("{number:08x}"));
                copy
            });
            let mut row = row.clone();
            let mut text = record.clone();
            text["Row"] = Value::Null;
            let mut text = text.to_string();
            for (id, copy) in ids.iter().zip(&copies) {
                replace(&mut row, id.as_bytes(), copy.as_bytes());
                text = text.replace(id, copy);
            }
            let mut record: Value = serde_json::from_str(&text).unwrap();
            record["Row"] = json!(BASE64.encode(&row));
            many += &format!("{}\n", json!({ kind: record }));
        }
    }
    many += &format!("{}\n", json!({"End": {"Jobs": JOBS, "Executions": JOBS}}));
    many.into_bytes()
}

/// Every occurrence by one of the same length.
fn replace(bytes: &mut [u8], old: &[u8], new: &[u8]) {
    for at in 0..=bytes.len() - old.len() {
        if bytes[at..].starts_with(old) {
            bytes[at..at + old.len()].copy_from_slice(new);
        }
    }
}
