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
