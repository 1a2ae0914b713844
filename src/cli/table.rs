//! Columns of text, as wide as their widest cell.

use super::console::plain;

/// Blanks between columns.
const GAP: &str = "  ";
/// No column is cut below this: less says nothing, and a list of jobs with its ids whole has 80 letters so.
const COLUMN_MIN: usize = 6;
/// Ends a cell that was cut.
const CUT: &str = "...";

/// A table; the last column is not padded. Cells are made harmless for terminals.
#[derive(Debug)]
pub(super) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with a heading.
    pub(super) fn new(heading: &[&str]) -> Self {
        Self {
            rows: vec![heading.iter().map(|cell| (*cell).to_owned()).collect()],
        }
    }

    /// Adds a row with as many cells as the heading.
    pub(super) fn row<const N: usize>(&mut self, cells: [&str; N]) {
        self.rows.push(
            cells
                .iter()
                .map(|cell| plain(cell).replace('\n', " "))
                .collect(),
        );
    }

    /// Its rows as they are, the heading first.
    pub(super) fn rows(&self) -> &[Vec<String>] {
        &self.rows
    }

    /// Those of its rows that are not among `shown`.
    pub(super) fn without(&self, shown: &[Vec<String>]) -> Self {
        let is_new = |row: &&Vec<String>| !shown.contains(row);
        Self {
            rows: self.rows.iter().filter(is_new).cloned().collect(),
        }
    }

    /// All rows, one a line, nothing cut.
    pub(super) fn render(&self) -> String {
        self.render_within(None)
    }

    /// All rows, one a line of at most `columns` letters where that can be had: the widest column gives way first, but
    /// never the first one, which holds what other commands ask for.
    pub(super) fn render_within(&self, columns: Option<usize>) -> String {
        let mut widths = self.widths();
        if let Some(columns) = columns {
            shrink(&mut widths, columns);
        }
        let mut text = String::new();
        for row in &self.rows {
            let padded: Vec<String> = row
                .iter()
                .zip(&widths)
                .map(|(cell, width)| format!("{:<width$}", cut(cell, *width)))
                .collect();
            text.push_str(padded.join(GAP).trim_end());
            text.push('\n');
        }
        text
    }

    fn widths(&self) -> Vec<usize> {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or_default();
        (0..columns)
            .map(|column| {
                self.rows
                    .iter()
                    .filter_map(|row| row.get(column))
                    .map(|cell| cell.chars().count())
                    .max()
                    .unwrap_or_default()
            })
            .collect()
    }
}

fn shrink(widths: &mut [usize], columns: usize) {
    let gaps = GAP.len() * widths.len().saturating_sub(1);
    while widths.iter().sum::<usize>() + gaps > columns {
        let widest = widths.iter_mut().skip(1).max_by_key(|width| **width);
        match widest {
            Some(width) if *width > COLUMN_MIN => *width -= 1,
            _ => return,
        }
    }
}

fn cut(cell: &str, width: usize) -> String {
    if cell.chars().count() <= width {
        return cell.to_owned();
    }
    let kept: String = cell.chars().take(width.saturating_sub(CUT.len())).collect();
    kept + CUT
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_cut_to_its_terminal_and_its_first_column_never() {
        let mut table = Table::new(&["JOB", "STATE", "IMAGE"]);
        table.row([
            "j-01a21056-5bdc",
            "Completed",
            "localhost/codling-test:latest",
        ]);
        assert_eq!(
            table.render_within(Some(40)),
            "JOB              STATE      IMAGE\nj-01a21056-5bdc  Completed  localhost...\n"
        );
        assert!(table.render().contains("codling-test:latest"));
        assert_eq!(
            table.render_within(Some(10)),
            "JOB              STATE   IMAGE\nj-01a21056-5bdc  Com...  loc...\n"
        );
    }
}
