//! The forwarder's ledger, read from its `/metrics`. Pure.

use std::collections::BTreeMap;

/// Items by signal and state, at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Scrape {
    items: BTreeMap<(String, String), f64>,
}

/// The gauges and counters that hold the ledger.
const NAMES: [&str; 2] = ["otlp_items", "otlp_items_total"];

impl Scrape {
    /// Reads the Prometheus text format.
    pub(super) fn parse(text: &str) -> Self {
        let mut items = BTreeMap::new();
        for line in text.lines() {
            let Some((series, value)) = line.rsplit_once(' ') else {
                continue;
            };
            let Some((name, labels)) = series.split_once('{') else {
                continue;
            };
            let (Some(signal), Some(state)) = (label(labels, "signal"), label(labels, "state"))
            else {
                continue;
            };
            if let (true, Ok(value)) = (NAMES.contains(&name), value.parse::<f64>()) {
                *items.entry((signal, state)).or_default() += value;
            }
        }
        Self { items }
    }

    /// Items of all signals in that state.
    pub(super) fn items(&self, state: &str) -> f64 {
        let of_state = self.items.iter().filter(|((_, it), _)| it == state);
        of_state.map(|(_, items)| items).sum()
    }

    /// Whether there is a ledger at all.
    pub(super) fn has_ledger(&self) -> bool {
        self.items.keys().any(|(_, state)| state == "received")
    }

    /// Items that are neither in memory nor on disk any more: nothing is on its way.
    pub(super) fn is_drained(&self) -> bool {
        self.items("waiting") == 0.0 && self.items("stored") == 0.0
    }

    /// A signal whose places do not add up to what was received, with both sums.
    pub(super) fn unbalanced(&self) -> Option<String> {
        let mut sums: BTreeMap<&str, (f64, f64)> = BTreeMap::new();
        for ((signal, state), items) in &self.items {
            let (received, places) = sums.entry(signal).or_default();
            match state.as_str() {
                "received" => *received += items,
                _ => *places += items,
            }
        }
        let wrong = sums
            .into_iter()
            .find(|(_, (received, places))| received != places);
        wrong.map(|(signal, (received, places))| {
            format!("{signal}: {received} received, {places} in all places")
        })
    }
}

/// The value of a label.
fn label(labels: &str, name: &str) -> Option<String> {
    let key = format!("{name}=\"");
    let begin = labels.find(&key)? + key.len();
    let value = labels.get(begin..)?;
    Some(value.split_once('"')?.0.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# HELP otlp_items Items\n\
        otlp_items{signal=\"logs\",state=\"waiting\"} 2\n\
        otlp_items{signal=\"logs\",state=\"stored\"} 0\n\
        otlp_items_total{signal=\"logs\",state=\"received\",reason=\"\"} 12\n\
        otlp_items_total{signal=\"logs\",state=\"refused\",reason=\"timeout\"} 3\n\
        otlp_items_total{signal=\"logs\",state=\"refused\",reason=\"connection\"} 1\n\
        otlp_items_total{signal=\"logs\",state=\"delivered\",reason=\"\"} 6\n\
        otlp_batches_total{signal=\"logs\",state=\"delivered\"} 99\n";

    #[test]
    fn the_ledger_is_summed_by_state() {
        let scrape = Scrape::parse(TEXT);
        assert_eq!(
            (scrape.items("refused"), scrape.items("delivered")),
            (4.0, 6.0)
        );
        assert!(scrape.has_ledger() && !scrape.is_drained());
        assert_eq!(scrape.unbalanced(), None);
        assert!(!Scrape::parse("up 1\n").has_ledger());
    }

    #[test]
    fn a_ledger_that_misses_an_item_is_told() {
        let scrape = Scrape::parse(&TEXT.replace("\"waiting\"} 2", "\"waiting\"} 0"));
        assert!(scrape.is_drained());
        let wrong = scrape.unbalanced().unwrap();
        assert_eq!(wrong, "logs: 12 received, 10 in all places");
    }
}
