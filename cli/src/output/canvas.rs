//! A terminal that shows one page, drawn again and again.

use std::io::{self, BufWriter, IsTerminal, Write};

use rustix::termios::tcgetwinsize;
use unicode_width::UnicodeWidthStr;

use super::table::cut;

/// The second screen of the terminal that stdout is, until it is dropped: what was on the first is there again then.
#[derive(Debug)]
pub(crate) struct Canvas {
    terminal: io::Stdout,
}

const ENTER: &[u8] = b"\x1b[?1049h\x1b[?25l";
const LEAVE: &[u8] = b"\x1b[?25h\x1b[?1049l";

/// How large a terminal is taken to be that does not say.
const USUAL: (usize, usize) = (80, 24);

impl Canvas {
    /// Takes the terminal; none where stdout is none.
    pub(crate) fn begin() -> io::Result<Option<Self>> {
        if !io::stdout().is_terminal() {
            return Ok(None);
        }
        super::print_bytes(ENTER)?;
        Ok(Some(Self {
            terminal: io::stdout(),
        }))
    }

    /// Shows these lines and nothing else: as much of each as there is room for, and as many.
    pub(crate) fn draw(&self, lines: &[String]) -> io::Result<()> {
        let mut out = BufWriter::new(self.terminal.lock());
        let (width, height) = size();
        // Over what was there, line by line: nothing flickers.
        out.write_all(b"\x1b[H")?;
        for (number, line) in page(lines, width, height).into_iter().enumerate() {
            if number > 0 {
                out.write_all(b"\r\n")?;
            }
            write!(out, "{line}\x1b[K")?;
        }
        out.write_all(b"\x1b[J")?;
        out.flush()
    }
}

impl Drop for Canvas {
    fn drop(&mut self) {
        // Where the terminal is gone there is nothing to put back.
        let _ = super::print_bytes(LEAVE);
    }
}

fn size() -> (usize, usize) {
    match tcgetwinsize(io::stdout()) {
        Ok(size) if size.ws_col > 0 && size.ws_row > 0 => (size.ws_col.into(), size.ws_row.into()),
        _ => USUAL,
    }
}

/// What of these lines there is room for. Where that is not all, the last one says so.
fn page(lines: &[String], width: usize, height: usize) -> Vec<String> {
    let shown = if lines.len() > height {
        height.saturating_sub(1)
    } else {
        lines.len()
    };
    let mut page: Vec<String> = lines[..shown]
        .iter()
        .map(|line| {
            if line.width() > width {
                cut(line.clone(), width)
            } else {
                line.clone()
            }
        })
        .collect();
    if shown < lines.len() {
        page.push(cut(format!("… and {} more", lines.len() - shown), width));
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_no_more_lines_and_no_longer_ones_than_there_is_room_for() {
        let lines: Vec<String> = (1..=4).map(|n| format!("{n} 蜂蜂蜂")).collect();
        assert_eq!(page(&lines, 20, 4), lines);
        assert_eq!(page(&lines, 7, 2), ["1 蜂蜂…", "… and …"]);
        assert_eq!(page(&lines, 20, 3)[2], "… and 2 more");
        assert!(page(&[], 20, 3).is_empty());
    }
}
