//! The last of what was written.

/// Keeps the last bytes of a stream.
#[derive(Debug, Default)]
pub(super) struct Tail {
    kept: Vec<u8>,
    cut: bool,
}

impl Tail {
    const KEPT: usize = 4096;

    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.kept.extend_from_slice(bytes);
        if self.kept.len() > Self::KEPT {
            self.kept.drain(..self.kept.len() - Self::KEPT);
            self.cut = true;
        }
    }

    /// What is kept, as text: from the first whole line if the begin was cut.
    pub(super) fn text(&self) -> String {
        let whole = match self.kept.iter().position(|&byte| byte == b'\n') {
            Some(end) if self.cut && end + 1 < self.kept.len() => &self.kept[end + 1..],
            _ => &self.kept,
        };
        String::from_utf8_lossy(whole).trim_end().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_cut_begins_with_a_whole_line() {
        let mut tail = Tail::default();
        for line in 0..2000 {
            tail.push(format!("line {line}\n").as_bytes());
        }
        let text = tail.text();
        assert!(text.len() <= Tail::KEPT);
        assert!(
            text.starts_with("line ") && text.ends_with("line 1999"),
            "{text}"
        );
    }

    #[test]
    fn a_single_long_line_is_cut_at_its_begin() {
        let mut tail = Tail::default();
        tail.push(&[b'x'; 10_000]);
        assert_eq!(tail.text().len(), Tail::KEPT);
    }
}
