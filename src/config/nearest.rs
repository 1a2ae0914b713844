//! The known word that is nearest to a mistyped one.

/// The candidate with the smallest edit distance to `typed`, if it is near enough to be what was meant: at most a third
/// of the letters differ, or one of them begins with the other.
pub fn nearest<'a>(typed: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .into_iter()
        .map(|candidate| (distance(typed, candidate), candidate))
        .filter(|(distance, candidate)| {
            distance * 3 <= typed.len().max(candidate.len())
                || (typed.len() >= 3 && candidate.starts_with(typed))
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Levenshtein distance over bytes, one row at a time; two swapped neighbours count as two edits.
fn distance(left: &str, right: &str) -> usize {
    let right = right.as_bytes();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, a) in left.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in right.iter().enumerate() {
            let substituted = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distance_counts_edits() {
        for (left, right, edits) in [
            ("", "abc", 3),
            ("abc", "abc", 0),
            ("api-prot", "api-port", 2),
            ("kitten", "sitting", 3),
        ] {
            assert_eq!(distance(left, right), edits, "{left} {right}");
        }
    }

    #[test]
    fn a_typing_error_finds_its_word_and_nonsense_finds_none() {
        let words = ["api-host", "api-port", "port", "peer", "data-dir"];
        assert_eq!(nearest("api-prot", words), Some("api-port"));
        assert_eq!(nearest("datadir", words), Some("data-dir"));
        assert_eq!(nearest("peers", words), Some("peer"));
        assert_eq!(nearest("data", words), Some("data-dir"));
        assert_eq!(nearest("frobnicate", words), None);
    }
}
