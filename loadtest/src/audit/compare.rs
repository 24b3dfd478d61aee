//! The comparison of both ends.

use roaring::RoaringTreemap;

use super::{Acknowledged, Arrivals};
use crate::results::Audit;
use crate::telemetry::Level;

/// Compares what the senders were promised with what arrived. Senders have different numbers.
///
/// At [`Level::Count`] only totals are known: loss is by how much fewer items arrived than were
/// acknowledged, so that a duplicate can hide a loss, and the rest of the findings is zero.
#[must_use]
pub fn compare(senders: &[Acknowledged], arrivals: &Arrivals) -> Audit {
    let acknowledged = union(senders.iter().map(Acknowledged::accepted));
    let level = arrivals.level().to_string();
    if arrivals.level() == Level::Count {
        return Audit {
            level,
            acknowledged: acknowledged.len(),
            arrived: arrivals.items(),
            lost: acknowledged.len().saturating_sub(arrivals.items()),
            ..Audit::default()
        };
    }
    let given_out: Vec<_> = senders.iter().map(Acknowledged::given_out).collect();
    let given_out = union(&given_out);
    let of_senders = arrivals.ids() & &given_out;
    Audit {
        level,
        acknowledged: acknowledged.len(),
        arrived: arrivals.ids().len(),
        lost: acknowledged.difference_len(arrivals.ids()),
        duplicated: arrivals.duplicated(),
        altered: arrivals.altered().len(),
        foreign: arrivals.foreign() + arrivals.ids().difference_len(&given_out),
        unacknowledged: of_senders.difference_len(&acknowledged),
    }
}

fn union<'a>(sets: impl IntoIterator<Item = &'a RoaringTreemap>) -> RoaringTreemap {
    sets.into_iter()
        .fold(RoaringTreemap::new(), |union, set| union | set)
}

#[cfg(test)]
mod tests {
    use std::collections::{HashMap, HashSet};

    use proptest::prelude::*;

    use super::*;
    use crate::telemetry::{Count, Found, ItemId};

    /// What can happen to items of a sender.
    #[derive(Clone, Debug)]
    enum Step {
        Accept(u16, u64, u64),
        Refuse(u16, u64, u64),
        Unanswered(u16, u64, u64),
        /// Items that arrive in one request, of which some are altered, and so many without an id.
        Arrive(Vec<(u16, u64, bool)>, u64),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        // Around a boundary of the sets' containers, with few enough items for steps to meet.
        let range = || (0..2_u16, 65_520..65_560_u64, 0..20_u64);
        let item = (0..3_u16, 65_515..65_580_u64, prop::bool::weighted(0.1));
        prop::collection::vec(
            prop_oneof![
                range().prop_map(|(sender, first, length)| Step::Accept(sender, first, length)),
                range().prop_map(|(sender, first, length)| Step::Refuse(sender, first, length)),
                range().prop_map(|(sender, first, length)| Step::Unanswered(sender, first, length)),
                (prop::collection::vec(item, 0..30), 0..3_u64)
                    .prop_map(|(items, foreign)| Step::Arrive(items, foreign)),
                // A run of items, as they were sent.
                (0..2_u16, 65_510..65_560_u64, 0..40_u64).prop_map(|(sender, first, length)| {
                    let run = (first..first + length).map(|item| (sender, item, false));
                    Step::Arrive(run.collect(), 0)
                }),
            ],
            0..25,
        )
    }

    /// The same, item by item.
    #[derive(Default)]
    struct Model {
        accepted: HashSet<u64>,
        given_out: HashSet<u64>,
        arrived: HashMap<u64, u64>,
        altered: HashSet<u64>,
        without: u64,
    }

    impl Model {
        fn audit(&self) -> Audit {
            let arrived: HashSet<_> = self.arrived.keys().copied().collect();
            let foreign = arrived.difference(&self.given_out).count() as u64;
            let given_out = arrived.intersection(&self.given_out);
            Audit {
                level: "full".to_owned(),
                acknowledged: self.accepted.len() as u64,
                arrived: arrived.len() as u64,
                lost: self.accepted.difference(&arrived).count() as u64,
                duplicated: self.arrived.values().map(|times| times - 1).sum(),
                altered: self.altered.len() as u64,
                foreign: foreign + self.without,
                unacknowledged: given_out.filter(|id| !self.accepted.contains(id)).count() as u64,
            }
        }
    }

    fn ids(sender: u16, first: u64, length: u64) -> std::ops::Range<u64> {
        ItemId::new(sender, first).0..ItemId::new(sender, first + length).0
    }

    proptest! {
        #[test]
        fn an_audit_is_what_counting_item_by_item_gives(steps in steps()) {
            let mut senders = [Acknowledged::new(), Acknowledged::new()];
            let mut arrivals = Arrivals::new(Level::Full);
            let mut model = Model::default();
            for step in steps {
                match step {
                    Step::Accept(sender, first, length) => {
                        senders[usize::from(sender)].accept(ids(sender, first, length));
                        model.accepted.extend(ids(sender, first, length));
                        model.given_out.extend(ids(sender, first, length));
                    }
                    Step::Refuse(sender, first, length) => {
                        senders[usize::from(sender)].refuse(ids(sender, first, length));
                        model.given_out.extend(ids(sender, first, length));
                    }
                    Step::Unanswered(sender, first, length) => {
                        senders[usize::from(sender)].unanswered(ids(sender, first, length));
                        model.given_out.extend(ids(sender, first, length));
                    }
                    Step::Arrive(items, foreign) => {
                        let mut found = Found { foreign, ..Found::default() };
                        model.without += foreign;
                        for (sender, item, altered) in items {
                            let id = ItemId::new(sender, item).0;
                            found.ids.push(id);
                            *model.arrived.entry(id).or_default() += 1;
                            if altered {
                                found.altered.push(id);
                                model.altered.insert(id);
                            }
                        }
                        let items = found.ids.len() as u64 + foreign;
                        arrivals.record(Count { items }, &found);
                    }
                }
            }
            prop_assert_eq!(compare(&senders, &arrivals), model.audit());

            let mut saved = Vec::new();
            arrivals.write_to(&mut saved).unwrap();
            prop_assert_eq!(Arrivals::read_from(saved.as_slice()).unwrap(), arrivals);
            for sender in senders {
                let mut saved = Vec::new();
                sender.write_to(&mut saved).unwrap();
                prop_assert_eq!(Acknowledged::read_from(saved.as_slice()).unwrap(), sender);
            }
        }
    }

    #[test]
    fn totals_alone_tell_a_loss() {
        let mut sender = Acknowledged::new();
        sender.accept(0..100);
        sender.refuse(100..200);
        let mut arrivals = Arrivals::new(Level::Count);
        arrivals.record(Count { items: 97 }, &Found::default());
        let audit = compare(&[sender], &arrivals);
        assert_eq!(
            (audit.acknowledged, audit.arrived, audit.lost),
            (100, 97, 3)
        );
        assert_eq!(audit.level, "count");
    }
}
