//! What the keys of compression come to: the level of the codec, and which signals are merged.

use super::{
    draft::Draft,
    problem::{Complaint, Problem},
    source::Origin,
    url::Url,
};
use crate::{encoding::Encoding, signal::Signal};

/// The level that is used where none is set, and the highest.
///
/// - Source: the defaults were measured (docs/benchmarks.md, "Compression"). Above 19 zstd takes
///   memory that a core should not hold beside its budget.
const fn levels(encoding: Encoding) -> (u32, u32) {
    match encoding {
        Encoding::Identity => (0, 0),
        Encoding::Gzip => (1, 9),
        Encoding::Zstd => (1, 19),
    }
}

impl Draft {
    /// Settles the level and the signals whose compressed requests are merged.
    pub(super) fn resolve_compression(
        &mut self,
        origin_of: &dyn Fn(&str) -> Origin,
        problems: &mut Vec<Problem>,
        warnings: &mut Vec<String>,
    ) {
        let encoding = self.config.export.compression;
        let (default, max) = levels(encoding);
        self.config.export.compression_level = match self.compression_level {
            Some(level) if encoding.is_packed() => {
                if level > max {
                    let what = format!("{level} is over the highest level of {encoding}, {max}");
                    let complaint = Complaint::new(what, format!("write 1 to {max}"));
                    let origin = origin_of("compression_level");
                    problems.push(Problem::new("compression_level", &origin, complaint));
                }
                level
            }
            set => {
                if set.is_some() {
                    warnings.push(
                        "compression_level does nothing while compression is \"none\"".to_owned(),
                    );
                }
                default
            }
        };
        self.resolve_merging(problems);
    }

    fn resolve_merging(&mut self, problems: &mut Vec<Problem>) {
        let own = self.signal_urls.iter().flatten();
        let known: Vec<&Url> = own.chain(&self.urls).map(|(url, _)| url).collect();
        for (url, origin) in &self.merge_urls {
            if !known.contains(&url) {
                let Url { host, port, path } = url;
                let complaint = Complaint::new(
                    format!("http://{host}:{port}{path} is not the URL of any endpoint"),
                    "write it as it stands in endpoint or in a signal's endpoint, or remove it",
                );
                problems.push(Problem::new("merge_compressed", origin, complaint));
            }
        }
        let is_listed = |(url, _): &(Url, Origin)| self.merge_urls.iter().any(|it| it.0 == *url);
        self.config.export.merge_compressed = Signal::ALL.map(|signal| {
            let own = &self.signal_urls[signal.index()];
            let urls = if own.is_empty() { &self.urls } else { own };
            !urls.is_empty() && urls.iter().all(is_listed)
        });
    }
}
