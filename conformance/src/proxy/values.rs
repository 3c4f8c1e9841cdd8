//! Where in a stream of JSON one value ends: engines tell events one behind the other, with a break between
//! them or without.

/// Counts the values that have ended.
#[derive(Debug, Default)]
pub(super) struct Values {
    ended: u64,
    depth: u64,
    in_text: bool,
    escaped: bool,
}

impl Values {
    pub(super) fn ended(&self) -> u64 {
        self.ended
    }

    /// How many of these bytes it takes until so many values in all have ended; `None` where they have not.
    pub(super) fn until(&mut self, values: u64, bytes: &[u8]) -> Option<usize> {
        if self.ended >= values {
            return Some(0);
        }
        for (at, byte) in bytes.iter().enumerate() {
            if self.in_text {
                match byte {
                    _ if self.escaped => self.escaped = false,
                    b'\\' => self.escaped = true,
                    b'"' => self.in_text = false,
                    _ => {}
                }
                continue;
            }
            match byte {
                b'"' => self.in_text = true,
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' => {
                    self.depth = self.depth.saturating_sub(1);
                    if self.depth == 0 {
                        self.ended += 1;
                        if self.ended >= values {
                            return Some(at + 1);
                        }
                    }
                }
                _ => {}
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_told_apart_whatever_is_in_them_and_between_them() {
        let events = br#"{"a":{"b":"}\"}"}}[{}]{"c":1}"#;
        for (values, end) in [(0, 0), (1, 18), (2, 22), (3, 29)] {
            assert_eq!(Values::default().until(values, events), Some(end));
        }
        assert_eq!(Values::default().until(4, events), None);
        let mut bytewise = Values::default();
        let ends = events.chunks(1).map(|byte| bytewise.until(2, byte));
        assert_eq!(ends.take_while(Option::is_none).count(), 21);
    }
}
