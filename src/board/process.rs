//! This process as the kernel sees it: what it weighs, and which build it is.

use super::error::read;
use crate::model::ProcessReading;
use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

/// Notes of a program are a few hundred bytes; more is no note section.
const NOTES_MAX: u64 = 64 * 1024;
/// Program headers that are looked at.
const HEADERS_MAX: u64 = 64;
/// ELF's type of a segment of notes, and of the note that holds a build id.
const PT_NOTE: u64 = 4;
const NT_GNU_BUILD_ID: u32 = 3;

/// Reads what the kernel says of this process below `root`; what it does not say is 0.
#[must_use]
pub fn read_process(root: &Path) -> ProcessReading {
    let status = read(root, "proc/self/status").unwrap_or_default();
    let rollup = read(root, "proc/self/smaps_rollup").unwrap_or_default();
    let io = read(root, "proc/self/io").unwrap_or_default();
    let cpu = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    let cpu_ms = u64::try_from(cpu.tv_sec).unwrap_or(0) * 1_000
        + u64::try_from(cpu.tv_nsec).unwrap_or(0) / 1_000_000;
    ProcessReading {
        resident_bytes: value(&status, "VmRSS:") * 1_024,
        proportional_bytes: value(&rollup, "Pss:") * 1_024,
        threads: value(&status, "Threads:"),
        descriptors: fs::read_dir(root.join("proc/self/fd"))
            .map_or(0, |entries| entries.count() as u64),
        cpu_ms,
        written_bytes: value(&io, "write_bytes:"),
    }
}

/// `Key:   123 kB`, or without a unit.
fn value(text: &str, key: &str) -> u64 {
    text.lines()
        .find_map(|line| line.strip_prefix(key))
        .and_then(|rest| rest.split_whitespace().next()?.parse().ok())
        .unwrap_or(0)
}

/// The GNU build id of the running program, in hex, if its linker gave it one: what finds its symbols again.
#[must_use]
pub fn read_build_id(root: &Path) -> Option<String> {
    let mut file = File::open(root.join("proc/self/exe")).ok()?;
    let segments = note_segments(&mut file)?;
    segments.into_iter().find_map(|(offset, length)| {
        let mut notes = vec![0; usize::try_from(length.min(NOTES_MAX)).ok()?];
        file.seek(SeekFrom::Start(offset)).ok()?;
        file.read_exact(&mut notes).ok()?;
        build_id(&notes).map(|id| data_encoding::HEXLOWER.encode(id))
    })
}

/// Where the notes of an ELF file lie: offset and length. Little-endian only, as every board of ours is.
fn note_segments(file: &mut File) -> Option<Vec<(u64, u64)>> {
    let mut head = [0; 64];
    file.read_exact(&mut head).ok()?;
    if head.get(..4)? != b"\x7fELF" || head.get(5) != Some(&1) {
        return None;
    }
    // Offsets and widths of the fields in the 64-bit and in the 32-bit header (elf(5)).
    let (table_at, word, size_at, in_header) = match head.get(4)? {
        2 => (32, 8, 54, (8, 32)),
        1 => (28, 4, 42, (4, 16)),
        _ => return None,
    };
    let table = number(&head, table_at, word)?;
    let size = number(&head, size_at, 2)?;
    let count = number(&head, size_at + 2, 2)?.min(HEADERS_MAX);
    let mut segments = Vec::new();
    for index in 0..count {
        let mut header = [0; 56];
        let length = usize::try_from(size).ok()?.min(header.len());
        file.seek(SeekFrom::Start(table.checked_add(index * size)?))
            .ok()?;
        file.read_exact(header.get_mut(..length)?).ok()?;
        if number(&header, 0, 4)? == PT_NOTE {
            segments.push((
                number(&header, in_header.0, word)?,
                number(&header, in_header.1, word)?,
            ));
        }
    }
    Some(segments)
}

fn number(bytes: &[u8], at: usize, width: usize) -> Option<u64> {
    let field = bytes.get(at..at + width)?;
    Some(
        field
            .iter()
            .rev()
            .fold(0, |number, byte| number << 8 | u64::from(*byte)),
    )
}

/// Name length, value length, type, name, value; both padded to four bytes.
fn build_id(mut notes: &[u8]) -> Option<&[u8]> {
    loop {
        let word = |at| number(notes, at, 4).and_then(|word| usize::try_from(word).ok());
        let (name_length, length) = (word(0)?, word(4)?);
        let kind = number(notes, 8, 4)?;
        let name_end = 12_usize.checked_add(name_length)?;
        let value_at = name_end.checked_next_multiple_of(4)?;
        let value = notes.get(value_at..value_at.checked_add(length)?)?;
        if kind == u64::from(NT_GNU_BUILD_ID) && notes.get(12..name_end)? == b"GNU\0" {
            return Some(value);
        }
        notes = notes.get(value_at.checked_add(length)?.checked_next_multiple_of(4)?..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_weighs_something() {
        let reading = read_process(Path::new("/"));
        assert!(reading.resident_bytes > 1 << 20, "{reading:?}");
        assert!(
            reading.threads > 0 && reading.descriptors > 2,
            "{reading:?}"
        );
    }

    #[test]
    fn a_build_id_is_found_behind_other_notes_and_garbage_is_none() {
        let mut notes = Vec::new();
        for (kind, name, value) in [
            (1_u32, b"GNU\0", [9; 16].as_slice()),
            (3, b"Go\0\0", &[8; 3]),
            (3, b"GNU\0", &[0xab; 20]),
        ] {
            let length = u32::try_from(value.len()).unwrap();
            for word in [4_u32, length, kind] {
                notes.extend(word.to_le_bytes());
            }
            notes.extend(name);
            notes.extend(value);
            notes.resize(notes.len().next_multiple_of(4), 0);
        }
        assert_eq!(build_id(&notes), Some([0xab; 20].as_slice()));
        for cut in 0..notes.len() - 1 {
            assert_eq!(build_id(&notes[..cut]), None, "{cut}");
        }
        assert_eq!(build_id(&[0xff; 64]), None);
    }

    #[test]
    fn the_build_id_is_that_of_the_linker() {
        let id = read_build_id(Path::new("/")).expect("the tests' linker gives one");
        assert!(id.len() >= 16 && id.bytes().all(|digit| digit.is_ascii_hexdigit()));
        assert_eq!(read_build_id(Path::new("/nonexistent")), None);
    }
}
