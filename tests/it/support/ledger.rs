//! The ledger read back from `/metrics`: where every item that was taken in is now.

use std::collections::BTreeMap;

use otlp::signal::Signal;

/// Every series of a scrape, by its name and labels as they are written.
#[derive(Clone, Debug)]
pub(crate) struct Ledger(BTreeMap<String, f64>);

impl Ledger {
    /// Reads the Prometheus text format, without time stamps.
    pub(crate) fn parse(text: &str) -> Self {
        let series = text
            .lines()
            .filter(|line| !line.is_empty() && !line.starts_with('#'));
        let parsed = series.map(|line| {
            let (name, value) = line.rsplit_once(' ').unwrap();
            (name.to_owned(), value.parse().unwrap())
        });
        Self(parsed.collect())
    }

    /// The sum of the series of this name that have all of these labels.
    pub(crate) fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let labels: Vec<_> = labels
            .iter()
            .map(|(key, value)| format!("{key}=\"{value}\""))
            .collect();
        let matching = self.0.iter().filter(|(series, _)| {
            let series_name = series
                .split_once('{')
                .map_or(series.as_str(), |(name, _)| name);
            series_name == name && labels.iter().all(|label| series.contains(label))
        });
        matching.map(|(_, value)| value).sum()
    }

    /// The items of a signal in a state of the ledger.
    pub(crate) fn items(&self, signal: Signal, state: &str) -> f64 {
        let labels = [("signal", signal.name()), ("state", state)];
        self.sum("otlp_items_total", &labels) + self.sum("otlp_items", &labels)
    }

    /// received = delivered + rejected + refused + dropped + sampled + waiting + stored.
    pub(crate) fn assert_balanced(&self) {
        const PLACES: [&str; 7] = [
            "delivered",
            "rejected",
            "refused",
            "dropped",
            "sampled",
            "waiting",
            "stored",
        ];
        for signal in Signal::ALL {
            let received = self.items(signal, "received");
            let places = PLACES.map(|state| (state, self.items(signal, state)));
            let sum: f64 = places.iter().map(|(_, items)| items).sum();
            assert_eq!(
                received, sum,
                "{signal}: {received} received, but {places:?}"
            );
        }
    }

    /// The same with nothing waiting: every call has its answer.
    pub(crate) fn assert_adds_up(&self) {
        self.assert_balanced();
        for signal in Signal::ALL {
            assert_eq!(
                self.items(signal, "waiting"),
                0.0,
                "{signal}: items wait for an answer"
            );
        }
    }
}
