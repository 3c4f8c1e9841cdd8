//! Which row of a list is meant, and which are seen.

/// A place in a list that changes under it: by what is there, and not by how far down that is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Cursor {
    /// The row that is meant.
    at: Option<String>,
    /// Where it was, for when it is gone.
    place: usize,
    /// The first row that is seen.
    top: usize,
}

impl Cursor {
    /// The row that is meant, of those whose keys these are; the nearest where that one is gone.
    pub(crate) fn of(&self, keys: &[&str]) -> Option<usize> {
        let last = keys.len().checked_sub(1)?;
        let found = self
            .at
            .as_deref()
            .and_then(|at| keys.iter().position(|key| *key == at));
        Some(found.unwrap_or(self.place.min(last)))
    }

    /// Means the row at this place, or the last.
    pub(crate) fn set(&mut self, keys: &[&str], place: usize) {
        let Some(last) = keys.len().checked_sub(1) else {
            return;
        };
        self.place = place.min(last);
        self.at = Some(keys[self.place].to_owned());
    }

    /// Means the row so far below the one that was meant, or above it.
    pub(crate) fn step(&mut self, keys: &[&str], by: isize) {
        if let Some(place) = self.of(keys) {
            self.set(keys, place.saturating_add_signed(by));
        }
    }

    /// Has what is meant among the rows that are seen, of which there is room for so many.
    pub(crate) fn fit(&mut self, keys: &[&str], room: usize) {
        let Some(place) = self.of(keys) else {
            self.top = 0;
            return;
        };
        // What is there is what is meant from now on, so that it stays so when others come and go.
        self.set(keys, place);
        let room = room.max(1);
        self.top = self
            .top
            .clamp((place + 1).saturating_sub(room), place)
            .min(keys.len().saturating_sub(room));
    }

    /// The first row that is seen.
    pub(crate) fn top(&self) -> usize {
        self.top
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_meant_stays_so_when_others_come_and_go() {
        let mut cursor = Cursor::default();
        cursor.fit(&["a", "b", "c"], 9);
        cursor.step(&["a", "b", "c"], 1);
        assert_eq!(cursor.of(&["0", "a", "b", "c"]), Some(2));
        // It is gone: the one that took its place.
        assert_eq!(cursor.of(&["a", "c"]), Some(1));
        assert_eq!(cursor.of(&["a"]), Some(0));
        assert_eq!(cursor.of(&[]), None);
    }

    #[test]
    fn no_step_leads_out_of_the_list() {
        let keys = ["a", "b", "c"];
        let mut cursor = Cursor::default();
        cursor.step(&keys, -1);
        assert_eq!(cursor.of(&keys), Some(0));
        cursor.step(&keys, isize::MAX);
        assert_eq!(cursor.of(&keys), Some(2));
    }

    #[test]
    fn what_is_meant_is_seen_and_no_room_is_wasted() {
        let keys = ["a", "b", "c", "d", "e"];
        let mut cursor = Cursor::default();
        for (by, room, top) in [
            (0, 2, 0),
            (3, 2, 2),
            (-1, 2, 2),
            (-1, 2, 1),
            (9, 2, 3),
            (0, 4, 1),
        ] {
            cursor.step(&keys, by);
            cursor.fit(&keys, room);
            assert_eq!(cursor.top(), top, "{by} {room}");
        }
    }
}
