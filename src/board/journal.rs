//! Whether stderr leads to systemd's journal.

use rustix::fs::fstat;

/// Whether `JOURNAL_STREAM`, as systemd sets it to `DEVICE:INODE`, names what stderr is. It does not when the process was
/// started by another one that has redirected it.
#[must_use]
pub fn stderr_is_journal(journal_stream: Option<&str>) -> bool {
    let named = journal_stream.and_then(|stream| stream.split_once(':'));
    let (Some((device, inode)), Ok(stat)) = (named, fstat(std::io::stderr())) else {
        return false;
    };
    device == stat.st_dev.to_string() && inode == stat.st_ino.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_very_stream_that_systemd_names_is_the_journal() {
        let stat = fstat(std::io::stderr()).unwrap();
        let (device, inode) = (stat.st_dev, stat.st_ino);
        assert!(stderr_is_journal(Some(&format!("{device}:{inode}"))));
        for other in [
            format!("{device}:{}", inode + 1),
            format!("{}:{inode}", device + 1),
            "garbage".to_owned(),
            String::new(),
        ] {
            assert!(!stderr_is_journal(Some(&other)), "{other}");
        }
        assert!(!stderr_is_journal(None));
    }
}
