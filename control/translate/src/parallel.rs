//! Work on many things at once, where they do not depend on each other: what a start with a large folder waits for.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// More threads wait for memory rather than for each other.
const MOST_THREADS: usize = 8;

/// What `each` makes of items, in their order. How many threads there are makes no difference to that.
///
/// A thread takes `at_a_time` items, which are to be worth its while; with fewer than twice as many there is only one.
pub fn in_parallel<T: Sync, R: Send>(
    items: &[T],
    at_a_time: usize,
    each: impl Fn(&T) -> R + Sync,
) -> Vec<R> {
    let at_a_time = at_a_time.max(1);
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let threads = threads.min(MOST_THREADS).min(items.len() / at_a_time);
    if threads < 2 {
        return items.iter().map(each).collect();
    }
    let chunks: Vec<_> = items.chunks(at_a_time).collect();
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(chunk) = chunks.get(number) else {
                return done;
            };
            done.push((number, chunk.iter().map(&each).collect::<Vec<_>>()));
        }
    };
    let mut done = thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
        let mut done = work();
        for other in others {
            match other.join() {
                Ok(more) => done.extend(more),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        done
    });
    done.sort_unstable_by_key(|(number, _)| *number);
    done.into_iter().flat_map(|(_, made)| made).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_made_of_few_and_of_many_items_is_in_their_order() {
        for count in [0, 1, 8, 16, 807] {
            let items: Vec<usize> = (0..count).collect();
            let doubled: Vec<usize> = items.iter().map(|item| item * 2).collect();
            assert_eq!(in_parallel(&items, 8, |item| item * 2), doubled);
        }
    }
}
