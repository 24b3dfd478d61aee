use proptest::prelude::*;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn settings() -> CircuitBreaker {
    CircuitBreaker {
        failure_threshold: 3,
        recovery_timeout: 10 * SECOND,
        half_open_max_calls: 2,
        window: 60 * SECOND,
        minimum_calls: 5,
    }
}

fn breaker() -> (Breaker, Instant) {
    (Breaker::new(&settings()), crate::rt::now())
}

/// One call that is answered at once.
fn call(breaker: &mut Breaker, verdict: Verdict, now: Instant) {
    let call = breaker.begin(now).unwrap();
    breaker.end(call, verdict, now);
}

fn opened() -> (Breaker, Instant) {
    let (mut breaker, now) = breaker();
    for _ in 0..5 {
        call(&mut breaker, Verdict::Failure, now);
    }
    assert_eq!(breaker.transition().unwrap().to, BreakerState::Open);
    (breaker, now)
}

#[test]
fn it_opens_at_the_threshold_once_there_are_enough_calls() {
    let (mut breaker, now) = breaker();
    for _ in 0..3 {
        call(&mut breaker, Verdict::Failure, now);
    }
    call(&mut breaker, Verdict::Success, now);
    assert_eq!(breaker.state(now), BreakerState::Closed, "four calls");
    call(&mut breaker, Verdict::Failure, now);
    assert_eq!(breaker.state(now), BreakerState::Open);
    let transition = breaker.transition().unwrap();
    assert_eq!(
        (transition.from, transition.to, transition.at),
        (BreakerState::Closed, BreakerState::Open, now)
    );
    assert_eq!(transition.why.to_string(), "4 of the last 5 calls failed");
    assert_eq!(breaker.transition(), None, "handed out once");
    assert_eq!(breaker.begin(now + SECOND), Err(9 * SECOND));
    assert_eq!(breaker.next_at(), Some(now + 10 * SECOND));
}

#[test]
fn failures_that_left_the_window_do_not_count() {
    let (mut breaker, now) = breaker();
    for second in 0..100 {
        let now = now + second * 31 * SECOND;
        call(&mut breaker, Verdict::Failure, now);
        call(&mut breaker, Verdict::Success, now);
        call(&mut breaker, Verdict::Success, now);
    }
    assert_eq!(breaker.transition(), None, "two failures in any minute");
}

#[test]
fn a_plea_for_patience_counts_neither_way() {
    let (mut breaker, now) = breaker();
    for _ in 0..100 {
        call(&mut breaker, Verdict::Neutral, now);
    }
    for _ in 0..4 {
        call(&mut breaker, Verdict::Failure, now);
    }
    assert_eq!(breaker.state(now), BreakerState::Closed, "four calls count");
}

#[test]
fn half_open_lets_as_many_through_as_there_are_places_and_closes_on_their_success() {
    let (mut breaker, now) = opened();
    let later = now + 10 * SECOND;
    assert_eq!(breaker.state(later), BreakerState::HalfOpen);
    let first = breaker.begin(later).unwrap();
    let second = breaker.begin(later).unwrap();
    assert_eq!(breaker.would_begin(later), Err(PLACES_TAKEN));
    assert_eq!(breaker.transition().unwrap().why, Cause::TimePassed);
    breaker.end(first, Verdict::Neutral, later);
    let third = breaker.begin(later).unwrap();
    breaker.end(second, Verdict::Success, later);
    assert_eq!(breaker.state(later), BreakerState::HalfOpen);
    breaker.end(third, Verdict::Success, later);
    let transition = breaker.transition().unwrap();
    assert_eq!(transition.why, Cause::TrialsSucceeded(2));
    assert_eq!(breaker.state(later), BreakerState::Closed);
    for _ in 0..4 {
        call(&mut breaker, Verdict::Failure, later);
    }
    assert_eq!(
        breaker.state(later),
        BreakerState::Closed,
        "failures from before it opened are forgotten"
    );
}

#[test]
fn one_failure_of_a_trial_opens_it_for_another_term() {
    let (mut breaker, now) = opened();
    let later = now + 15 * SECOND;
    let slow = breaker.begin(later).unwrap();
    call(&mut breaker, Verdict::Failure, later);
    assert_eq!(breaker.next_at(), Some(later + 10 * SECOND));
    breaker.end(slow, Verdict::Success, later);
    assert_eq!(
        breaker.state(later),
        BreakerState::Open,
        "the slow one counts for none"
    );
    let whys: Vec<Cause> = std::iter::from_fn(|| breaker.transition())
        .map(|transition| transition.why)
        .collect();
    assert_eq!(whys, [Cause::TimePassed, Cause::TrialFailed]);
}

#[test]
fn an_answer_to_a_call_from_before_it_opened_is_no_trial() {
    let (mut breaker, now) = breaker();
    let old = [breaker.begin(now).unwrap(), breaker.begin(now).unwrap()];
    for _ in 0..5 {
        call(&mut breaker, Verdict::Failure, now);
    }
    let later = now + 10 * SECOND;
    let trials = [breaker.begin(later).unwrap(), breaker.begin(later).unwrap()];
    for old in old {
        breaker.end(old, Verdict::Success, later);
    }
    assert_eq!(breaker.state(later), BreakerState::HalfOpen);
    assert!(breaker.begin(later).is_err(), "it frees no place");
    for trial in trials {
        breaker.end(trial, Verdict::Success, later);
    }
    assert_eq!(breaker.state(later), BreakerState::Closed);
}

#[test]
fn a_good_probe_ends_the_wait_and_does_nothing_else() {
    let (mut breaker, now) = opened();
    breaker.probe_succeeded(now);
    assert_eq!(breaker.transition().unwrap().why, Cause::ProbeSucceeded);
    let trial = breaker.begin(now).unwrap();
    breaker.probe_succeeded(now);
    assert_eq!(breaker.transition(), None, "half-open already");
    breaker.end(trial, Verdict::Success, now);
    call(&mut breaker, Verdict::Success, now);
    assert_eq!(breaker.transition().unwrap().to, BreakerState::Closed);
    breaker.probe_succeeded(now);
    assert_eq!(breaker.transition(), None, "closed already");
}

#[test]
fn the_numbers_are_those_of_the_metric() {
    let (mut breaker, now) = opened();
    assert_eq!(breaker.state(now).number(), 1);
    breaker.tick(now + 10 * SECOND);
    assert_eq!(breaker.state(now).number(), 2);
    assert_eq!(Breaker::new(&settings()).state(now).number(), 0);
}

#[derive(Clone, Debug)]
enum Step {
    Begin,
    End(usize, Verdict),
    Probe,
    Tick,
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let verdict = prop_oneof![
        1 => Just(Verdict::Success),
        3 => Just(Verdict::Failure),
        1 => Just(Verdict::Neutral),
    ];
    prop_oneof![
        4 => Just(Step::Begin),
        4 => (any::<usize>(), verdict).prop_map(|(which, verdict)| Step::End(which, verdict)),
        1 => Just(Step::Probe),
        1 => Just(Step::Tick),
        2 => (0_u64..12_000).prop_map(Step::Wait),
    ]
}

proptest! {
    #[test]
    fn its_laws_hold_under_any_calls(steps in proptest::collection::vec(step(), 1..200)) {
        let (mut breaker, mut now) = breaker();
        // Calls under way, each with the count of changes that it began after.
        let mut calls: Vec<(Call, usize)> = Vec::new();
        let mut changes = 0;
        let mut state = BreakerState::Closed;
        let mut opened_at = None;
        for step in steps {
            match step {
                Step::Begin => {
                    let would = breaker.would_begin(now);
                    let begun = breaker.begin(now);
                    prop_assert_eq!(begun.map(|_| ()), would);
                    if let Ok(call) = begun {
                        let turned = usize::from(breaker.next_at().is_none() && opened_at.is_some());
                        calls.push((call, changes + turned));
                    }
                }
                Step::End(which, verdict) => {
                    if !calls.is_empty() {
                        let (call, began_after) = calls.swap_remove(which % calls.len());
                        breaker.end(call, verdict, now);
                        if began_after < changes {
                            prop_assert!(breaker.transitions.is_empty(), "an old call counted");
                        }
                    }
                }
                Step::Probe => breaker.probe_succeeded(now),
                Step::Tick => breaker.tick(now),
                Step::Wait(ms) => now += Duration::from_millis(ms),
            }
            while let Some(transition) = breaker.transition() {
                prop_assert_eq!(transition.from, state, "none is lost, none comes twice");
                prop_assert_ne!(transition.to, state);
                state = transition.to;
                changes += 1;
                opened_at = (state == BreakerState::Open).then_some(transition.at);
            }
            if let Some(at) = opened_at {
                prop_assert_eq!(
                    breaker.would_begin(now).is_ok(),
                    now >= at + settings().recovery_timeout,
                    "open for its term and no longer"
                );
            }
            if state == BreakerState::HalfOpen {
                let trials = calls.iter().filter(|(_, after)| *after == changes).count();
                prop_assert!(trials <= 2, "{} calls half-open", trials);
            }
        }
    }
}
