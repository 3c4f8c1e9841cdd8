//! Who starts after whom.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Puts the numbers `0..after.len()` in an order in which each comes after those in its list, and otherwise
/// stays where it is. `Err`: a cycle, each waiting for the next and the last for the first.
pub(crate) fn order(after: &[Vec<usize>]) -> Result<Vec<usize>, Vec<usize>> {
    let mut waits_for: Vec<usize> = after.iter().map(Vec::len).collect();
    let mut followers = vec![Vec::new(); after.len()];
    for (one, others) in after.iter().enumerate() {
        for &other in others {
            followers[other].push(one);
        }
    }
    let mut free: BinaryHeap<Reverse<usize>> = (0..after.len())
        .filter(|&one| waits_for[one] == 0)
        .map(Reverse)
        .collect();
    let mut ordered = Vec::with_capacity(after.len());
    while let Some(Reverse(one)) = free.pop() {
        ordered.push(one);
        for &follower in &followers[one] {
            waits_for[follower] -= 1;
            if waits_for[follower] == 0 {
                free.push(Reverse(follower));
            }
        }
    }
    if ordered.len() == after.len() {
        Ok(ordered)
    } else {
        Err(cycle(after, &waits_for))
    }
}

/// Everyone who still waits, waits for one who still waits: following them comes round.
fn cycle(after: &[Vec<usize>], waits_for: &[usize]) -> Vec<usize> {
    let mut path: Vec<usize> = Vec::new();
    let mut at = waits_for.iter().position(|&count| count > 0);
    while let Some(one) = at {
        if let Some(start) = path.iter().position(|&seen| seen == one) {
            path.drain(..start);
            break;
        }
        path.push(one);
        at = after[one]
            .iter()
            .copied()
            .find(|&other| waits_for[other] > 0);
    }
    // Told from the first in the file, so that it reads the same however it was found.
    if let Some(first) = (0..path.len()).min_by_key(|&at| path[at]) {
        path.rotate_left(first);
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_that_wait_for_nobody_stay_in_their_order() {
        assert_eq!(order(&[vec![], vec![], vec![]]), Ok(vec![0, 1, 2]));
        assert_eq!(order(&[]), Ok(vec![]));
    }

    #[test]
    fn each_comes_after_those_it_waits_for_and_no_later_than_it_must() {
        assert_eq!(
            order(&[vec![2], vec![], vec![3], vec![]]),
            Ok(vec![1, 3, 2, 0])
        );
        // Named twice is named once.
        assert_eq!(order(&[vec![1, 1], vec![]]), Ok(vec![1, 0]));
    }

    #[test]
    fn a_cycle_is_found_without_those_that_merely_lead_to_it() {
        assert_eq!(order(&[vec![0]]), Err(vec![0]));
        assert_eq!(
            order(&[vec![3], vec![], vec![3, 1], vec![2]]),
            Err(vec![2, 3])
        );
    }
}
