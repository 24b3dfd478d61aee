use proptest::prelude::*;

use super::*;

const SECOND: Duration = Duration::from_secs(1);
const FAST: Duration = Duration::from_millis(5);

fn triggers() -> (Triggers, Instant) {
    let degradation = Degradation {
        enabled: true,
        high_error_rate: Some(0.5),
        high_latency: Some(2 * SECOND),
        ..Degradation::default()
    };
    let triggers = Triggers::new(&degradation, &CircuitBreaker::default());
    (triggers, crate::rt::now())
}

fn observe(triggers: &mut Triggers, calls: u32, success: bool, latency: Duration, now: Instant) {
    for _ in 0..calls {
        triggers.observe(success, latency, now);
    }
}

/// Judges once a second until something changes, at most `seconds` long: when and what.
fn until_change(triggers: &mut Triggers, now: Instant, seconds: u32) -> Option<(u32, Change)> {
    (0..=seconds).find_map(|second| {
        let change = triggers.evaluate(false, now + SECOND * second)?;
        Some((second, change))
    })
}

#[test]
fn a_share_of_failures_starts_it_once_there_are_enough_calls() {
    let (mut triggers, now) = triggers();
    observe(&mut triggers, 9, false, FAST, now);
    assert_eq!(triggers.evaluate(false, now), None, "nine of ten calls");
    observe(&mut triggers, 9, true, FAST, now);
    let active = Active {
        since: now,
        why: Why::HighErrorRate(0.5),
    };
    assert_eq!(triggers.evaluate(false, now), Some(Change::Began(active)));
    assert_eq!(triggers.evaluate(false, now), None, "told once");
    assert_eq!(triggers.active(), Some(active));
}

#[test]
fn slow_calls_start_it_and_fast_ones_do_not() {
    let (mut triggers, now) = triggers();
    observe(&mut triggers, 94, true, FAST, now);
    assert_eq!(triggers.evaluate(false, now), None);
    observe(&mut triggers, 6, true, 3 * SECOND, now);
    let Some(Change::Began(Active { why, .. })) = triggers.evaluate(false, now) else {
        panic!("six of a hundred are slow");
    };
    assert!(matches!(why, Why::HighLatency(time) if time.abs_diff(3 * SECOND) < SECOND / 10));
}

#[test]
fn an_open_breaker_starts_it_at_once_and_keeps_it() {
    let (mut triggers, now) = triggers();
    let began = triggers.evaluate(true, now);
    assert!(
        matches!(began, Some(Change::Began(active)) if active.why == Why::BreakerOpen),
        "{began:?}"
    );
    for second in 1..1000 {
        assert_eq!(triggers.evaluate(true, now + SECOND * second), None);
    }
    let ended = until_change(&mut triggers, now + SECOND * 1000, 20);
    assert!(
        matches!(ended, Some((10, Change::Ended(active))) if active.since == now),
        "{ended:?}"
    );
}

#[test]
fn between_the_marks_it_goes_on_and_below_them_it_ends_after_the_hold() {
    let (mut triggers, now) = triggers();
    observe(&mut triggers, 50, false, FAST, now);
    observe(&mut triggers, 50, true, FAST, now);
    assert!(triggers.evaluate(false, now).is_some());
    observe(&mut triggers, 20, true, FAST, now);
    let until = until_change(&mut triggers, now, 50);
    assert_eq!(until, None, "50 of 120 are over four fifths of a half");
    observe(&mut triggers, 20, true, FAST, now + 50 * SECOND);
    let ended = until_change(&mut triggers, now + 50 * SECOND, 30);
    assert!(matches!(ended, Some((10, Change::Ended(_)))), "{ended:?}");
}

#[test]
fn latency_between_the_marks_goes_on_too() {
    let (mut triggers, now) = triggers();
    observe(&mut triggers, 10, true, 3 * SECOND, now);
    assert!(triggers.evaluate(false, now).is_some());
    let later = now + 55 * SECOND;
    observe(&mut triggers, 10, true, SECOND * 17 / 10, later);
    assert_eq!(until_change(&mut triggers, now, 55), None);
    assert_eq!(until_change(&mut triggers, later, 40), None, "1.7 s of 2 s");
    observe(
        &mut triggers,
        1000,
        true,
        SECOND * 3 / 2,
        later + 40 * SECOND,
    );
    let ended = until_change(&mut triggers, later + 40 * SECOND, 20);
    assert!(matches!(ended, Some((10, Change::Ended(_)))), "{ended:?}");
}

#[test]
fn a_single_bad_moment_begins_the_hold_anew() {
    let (mut triggers, now) = triggers();
    assert!(triggers.evaluate(true, now).is_some());
    assert_eq!(until_change(&mut triggers, now, 9), None);
    assert_eq!(triggers.evaluate(true, now + 9 * SECOND), None);
    assert_eq!(until_change(&mut triggers, now + 10 * SECOND, 9), None);
    assert!(triggers.evaluate(false, now + 20 * SECOND).is_some());
}

#[test]
fn nothing_starts_where_degradation_is_off() {
    let off = Degradation {
        high_error_rate: Some(0.1),
        ..Degradation::default()
    };
    let mut triggers = Triggers::new(&off, &CircuitBreaker::default());
    let now = crate::rt::now();
    observe(&mut triggers, 100, false, FAST, now);
    assert_eq!(triggers.evaluate(true, now), None);
    assert_eq!(triggers.active(), None);
}

#[test]
fn each_reason_reads_as_a_sentence_and_a_label() {
    for (why, text, name) in [
        (
            Why::BreakerOpen,
            "a circuit breaker is open",
            "breaker_open",
        ),
        (
            Why::HighErrorRate(0.625),
            "62 % of the calls failed",
            "high_error_rate",
        ),
        (
            Why::HighLatency(SECOND * 5 / 2),
            "95 % of the calls took up to 2.5s",
            "high_latency",
        ),
    ] {
        assert_eq!((why.to_string().as_str(), why.name()), (text, name));
    }
}

proptest! {
    #[test]
    fn it_never_flaps_and_never_sticks(
        steps in proptest::collection::vec(
            (0_u64..4_000, any::<bool>(), 0_u64..4_000, 0_u8..20),
            1..200,
        ),
    ) {
        let (mut triggers, mut now) = triggers();
        let mut began: Option<Instant> = None;
        let mut last_open = None;
        for (wait, success, latency, breaker) in steps {
            now += Duration::from_millis(wait);
            triggers.observe(success, Duration::from_millis(latency), now);
            let open = breaker == 0;
            if open {
                last_open = Some(now);
            }
            match triggers.evaluate(open, now) {
                Some(Change::Began(active)) => {
                    prop_assert_eq!(began.replace(now), None);
                    prop_assert_eq!(active.since, now);
                }
                Some(Change::Ended(active)) => {
                    prop_assert_eq!(began.take(), Some(active.since));
                    prop_assert!(now - active.since >= HOLD, "flapped");
                    prop_assert!(last_open.is_none_or(|at| now - at >= HOLD), "just open");
                }
                None => prop_assert!(!open || began.is_some(), "an open breaker is a reason"),
            }
            prop_assert_eq!(triggers.active().is_some(), began.is_some());
        }
        // The calls stop. As good ones leave the window sooner than bad ones it may even begin
        // once more; with the window empty and the hold over it is off.
        for second in 1..=72 {
            triggers.evaluate(false, now + SECOND * second);
        }
        prop_assert_eq!(triggers.active(), None, "stuck");
    }
}
