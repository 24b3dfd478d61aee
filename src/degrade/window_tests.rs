use proptest::prelude::*;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn what_is_older_than_the_window_is_forgotten() {
    let start = crate::rt::now();
    let mut window = Window::new(10 * SECOND);
    window.observe(false, SECOND, start);
    window.observe(true, SECOND, start + 5 * SECOND);
    let counts = |calls, failures| Counts { calls, failures };
    assert_eq!(window.counts(start + 9 * SECOND), counts(2, 1));
    assert_eq!(window.counts(start + 10 * SECOND), counts(1, 0));
    assert_eq!(window.counts(start + 15 * SECOND), counts(0, 0));
    assert_eq!(window.p95(start + 15 * SECOND), None);
}

#[test]
fn a_long_silence_empties_it_at_once() {
    let start = crate::rt::now();
    let mut window = Window::new(SECOND);
    window.observe(false, SECOND, start);
    let late = start + SECOND * 1_000_000;
    assert_eq!(window.counts(late), Counts::default());
    window.observe(true, SECOND, late);
    assert_eq!(window.counts(late).calls, 1);
}

proptest! {
    /// The window against a list of all calls: none younger than nine tenths is missing, none
    /// older than the window is left.
    #[test]
    fn it_counts_what_a_list_of_the_calls_would(
        steps in proptest::collection::vec((0_u64..3_000, any::<bool>()), 1..80),
    ) {
        let mut now = crate::rt::now();
        let mut window = Window::new(10 * SECOND);
        let mut calls: Vec<(Instant, bool)> = Vec::new();
        for (step, success) in steps {
            now += Duration::from_millis(step);
            window.observe(success, SECOND, now);
            calls.push((now, success));
            let within = |age: Duration| {
                let young = calls.iter().filter(|(at, _)| now.duration_since(*at) < age);
                young.fold(Counts::default(), |mut counts, (_, success)| {
                    counts.add(*success);
                    counts
                })
            };
            let (least, most) = (within(9 * SECOND), within(10 * SECOND));
            let counts = window.counts(now);
            prop_assert!((least.calls..=most.calls).contains(&counts.calls));
            prop_assert!((least.failures..=most.failures).contains(&counts.failures));
        }
    }
}
