//! Work side by side, on threads that have all ended when the result is there; a panic in one of them goes on here.

use std::panic::resume_unwind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// As many at once as a machine and a cloud can bear.
const AT_ONCE: usize = 8;

/// The results in the order of `items`.
pub fn map<I: Sync, T: Send>(items: &[I], work: impl Fn(&I) -> T + Sync) -> Vec<T> {
    let next = AtomicUsize::new(0);
    let worker = || {
        let mut done = Vec::new();
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(at) else { return done };
            done.push((at, work(item)));
        }
    };
    let mut done: Vec<(usize, T)> = thread::scope(|scope| {
        let workers: Vec<_> = (0..items.len().min(AT_ONCE)).map(|_| scope.spawn(worker)).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap_or_else(|panic| resume_unwind(panic))).collect()
    });
    done.sort_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, result)| result).collect()
}

/// The results of two.
pub fn both<A: Send, B>(one: impl FnOnce() -> A + Send, other: impl FnOnce() -> B) -> (A, B) {
    thread::scope(|scope| {
        let one = scope.spawn(one);
        let other = other();
        (one.join().unwrap_or_else(|panic| resume_unwind(panic)), other)
    })
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::Barrier;

    use super::*;

    #[test]
    fn results_have_the_order_of_the_items_and_run_at_the_same_time() {
        let items: Vec<usize> = (0..3 * AT_ONCE).collect();
        // Each waits for as many others as may run at once.
        let all = Barrier::new(AT_ONCE);
        let doubled = map(&items, |item| {
            all.wait();
            item * 2
        });
        assert_eq!(doubled, items.iter().map(|item| item * 2).collect::<Vec<_>>());
        assert!(map(&[] as &[u8], |item| *item).is_empty());
        let two = Barrier::new(2);
        assert_eq!(both(|| (two.wait(), 1).1, || (two.wait(), "two").1), (1, "two"));
    }

    #[test]
    fn a_panic_goes_on() {
        let panics = |work: &dyn Fn()| catch_unwind(AssertUnwindSafe(work)).is_err();
        assert!(panics(&|| drop(map(&[1, 2, 3], |item| assert_ne!(*item, 2)))));
        assert!(panics(&|| assert_eq!(both(|| panic!("one"), || 1).1, 1)));
    }
}
