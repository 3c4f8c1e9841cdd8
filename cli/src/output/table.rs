//! Rows under headings, aligned, without a frame.

use std::fmt::Write as _;
use std::io::{self, Write};

use alveary::Escaped;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// The widest cell of a table whose cells are cut, but for those of its last column.
const WIDEST_CELL: usize = 40;

/// A table for people: what is in it is escaped, columns are as wide as what they hold.
#[derive(Debug)]
pub(crate) struct Table {
    headings: &'static [&'static str],
    rows: Vec<Vec<String>>,
    cut: bool,
    /// The column that few have anything for.
    seldom: Option<&'static str>,
}

impl Table {
    /// A table of these columns.
    pub(crate) fn new(headings: &'static [&'static str]) -> Self {
        Self {
            headings,
            rows: Vec::new(),
            cut: true,
            seldom: None,
        }
    }

    /// Leaves this column out where no row has anything for it.
    pub(crate) fn hidden_where_empty(mut self, heading: &'static str) -> Self {
        self.seldom = Some(heading);
        self
    }

    /// Leaves long cells as they are.
    pub(crate) fn whole_cells(mut self, whole: bool) -> Self {
        self.cut = !whole;
        self
    }

    /// Adds a row. A cell that is missing is empty.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        let last = self.headings.len() - 1;
        let cells = cells.into_iter().enumerate().map(|(column, cell)| {
            let cell = Escaped(&cell).to_string();
            // Nothing stands behind the last, and it is where the reasons are.
            if self.cut && column < last {
                cut(cell, WIDEST_CELL)
            } else {
                cell
            }
        });
        self.rows.push(cells.collect());
    }

    /// Prints headings and rows.
    pub(crate) fn write(&self, out: &mut impl Write) -> io::Result<()> {
        self.lines()
            .iter()
            .try_for_each(|line| writeln!(out, "{line}"))
    }

    /// Headings and rows, a line each.
    pub(crate) fn lines(&self) -> Vec<String> {
        let mut widths: Vec<usize> = self.headings.iter().map(|text| text.width()).collect();
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.width());
            }
        }
        let hidden = self.hidden();
        let line = |cells: &mut dyn Iterator<Item = &str>| {
            let cells = widths.iter().copied().zip(cells).enumerate();
            line(
                cells
                    .filter(|(column, _)| Some(*column) != hidden)
                    .map(|(_, cell)| cell),
            )
        };
        let headings = line(&mut self.headings.iter().copied());
        let rows = self.rows.iter();
        let rows = rows.map(|row| line(&mut row.iter().map(String::as_str)));
        std::iter::once(headings).chain(rows).collect()
    }

    /// The column that is left out.
    fn hidden(&self) -> Option<usize> {
        let column = (self.headings.iter()).position(|heading| Some(*heading) == self.seldom)?;
        let is_empty = |row: &Vec<String>| row.get(column).is_none_or(String::is_empty);
        self.rows.iter().all(is_empty).then_some(column)
    }
}

/// Each cell with how wide its column is.
fn line<'a>(cells: impl Iterator<Item = (usize, &'a str)>) -> String {
    let mut line = String::new();
    for (width, cell) in cells {
        line.push_str(cell);
        let padding = width - cell.width() + 3;
        // Writing to a `String` cannot fail.
        let _ = write!(line, "{:padding$}", "");
    }
    line.truncate(line.trim_end().len());
    line
}

/// As much of it as fits, with a sign that there is more.
pub(super) fn cut(cell: String, widest: usize) -> String {
    if cell.width() <= widest {
        return cell;
    }
    let mut width = 0;
    let mut short: String = cell
        .chars()
        .take_while(|c| {
            width += c.width().unwrap_or(0);
            width < widest
        })
        .collect();
    short.push('…');
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(table: &Table) -> String {
        let mut out = Vec::new();
        table.write(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn columns_are_as_wide_as_what_they_hold_and_no_line_ends_in_blanks() {
        let mut table = Table::new(&["NAME", "STATE", "EXIT"]);
        table.row(["echo-10".to_owned(), "running".to_owned(), String::new()]);
        table.row(["蜂".to_owned(), "exited".to_owned(), "0".to_owned()]);
        assert_eq!(
            written(&table),
            "NAME      STATE     EXIT\n\
             echo-10   running\n\
             蜂        exited    0\n"
        );
    }

    #[test]
    fn a_column_that_few_have_anything_for_is_there_where_one_has() {
        let mut table = Table::new(&["NAME", "PORTS", "STATUS"]).hidden_where_empty("PORTS");
        let up = |ports: &str| ["echo".to_owned(), ports.to_owned(), "up".to_owned()];
        table.row(up(""));
        assert_eq!(written(&table), "NAME   STATUS\necho   up\n");
        table.row(up("80"));
        assert_eq!(
            written(&table),
            "NAME   PORTS   STATUS\necho           up\necho   80      up\n"
        );
    }

    #[test]
    fn a_cell_cannot_drive_the_terminal() {
        let mut table = Table::new(&["NAME"]);
        table.row(["a\u{1b}[31m\nb".to_owned()]);
        assert_eq!(written(&table), "NAME\na\\u{1b}[31m\\nb\n");
    }

    #[test]
    fn a_long_cell_is_cut_unless_it_is_to_stay_whole() {
        let long = "x".repeat(WIDEST_CELL + 1);
        let cut = format!("{}…", "x".repeat(WIDEST_CELL - 1));
        let mut table = Table::new(&["A", "B"]);
        table.row([long.clone(), long.clone()]);
        assert!(written(&table).ends_with(&format!("\n{cut}   {long}\n")));
        let mut table = Table::new(&["A", "B"]).whole_cells(true);
        table.row([long.clone(), "b".to_owned()]);
        assert!(written(&table).ends_with(&format!("\n{long}   b\n")));
    }
}
