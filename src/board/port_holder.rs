//! Who listens on a port, so that "in use" has a name.

use super::error::read;
use std::fs;
use std::path::Path;

/// `st` of a listening socket in /proc/net/tcp.
const LISTEN: &str = "0A";

/// The process that listens on TCP `port`, as `process 123 (name)`, by the tables below `root`. `None` when it cannot be
/// told, as for another user's process. Looks through all processes once: for an error message, not for a loop.
#[must_use]
pub fn port_holder(root: &Path, port: u16) -> Option<String> {
    let inodes: Vec<String> = ["proc/net/tcp", "proc/net/tcp6"]
        .into_iter()
        .filter_map(|table| read(root, table).ok())
        .flat_map(|table| listeners(&table, port))
        .collect();
    let holds = |link: &str| {
        inodes
            .iter()
            .any(|inode| link == format!("socket:[{inode}]"))
    };
    for process in fs::read_dir(root.join("proc")).ok()?.flatten() {
        let name = process.file_name();
        let Some(pid) = name.to_str().filter(|name| name.parse::<u32>().is_ok()) else {
            continue;
        };
        let Ok(files) = fs::read_dir(process.path().join("fd")) else {
            continue;
        };
        let is_holder = files
            .flatten()
            .filter_map(|file| fs::read_link(file.path()).ok())
            .any(|link| link.to_str().is_some_and(holds));
        if is_holder {
            let command = read(root, &format!("proc/{pid}/comm")).unwrap_or_default();
            return Some(format!("process {pid} ({})", command.trim()));
        }
    }
    None
}

/// Inodes of the sockets that listen on `port`: `sl local_address rem_address st ... inode`, addresses as HEX:PORT.
fn listeners(table: &str, port: u16) -> Vec<String> {
    let suffix = format!(":{port:04X}");
    table
        .lines()
        .skip(1)
        .filter_map(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let is_listener =
                fields.get(1)?.ends_with(&suffix) && fields.get(3).copied() == Some(LISTEN);
            is_listener.then(|| fields.get(9).map(|inode| (*inode).to_owned()))?
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_listeners_on_the_port_are_found() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n   \
             0: 0100007F:04D2 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 17 1 0 100 0\n   \
             1: 0100007F:04D2 0100007F:9999 01 00000000:00000000 00:00000000 00000000     0        0 18 1 0 100 0\n   \
             2: 0100007F:04D3 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 19 1 0 100 0\n";
        assert_eq!(listeners(table, 1_234), ["17"]);
        assert!(listeners(table, 1).is_empty());
    }

    #[test]
    fn this_process_is_found_on_its_port() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let holder = port_holder(Path::new("/"), port).unwrap();
        let expected = format!("process {} (", std::process::id());
        assert!(holder.starts_with(&expected), "{holder}");
    }
}
