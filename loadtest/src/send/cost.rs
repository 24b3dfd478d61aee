//! What the sender itself costs: the time of the scheduler, for its one thread.

use std::time::Duration;

/// Time of the thread since it began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Spent {
    /// On a core.
    pub(super) cpu: Duration,
    /// Ready to run while something else had the core.
    pub(super) waited: Duration,
}

impl Spent {
    /// Up to now; nothing where the kernel does not tell.
    pub(super) fn now() -> Self {
        let text = std::fs::read_to_string("/proc/thread-self/schedstat");
        Self::parse(&text.unwrap_or_default()).unwrap_or_default()
    }

    fn parse(schedstat: &str) -> Option<Self> {
        let mut nanos = schedstat.split_whitespace().map(str::parse);
        let mut next = || nanos.next()?.ok().map(Duration::from_nanos);
        Some(Self {
            cpu: next()?,
            waited: next()?,
        })
    }

    /// Since an earlier time.
    pub(super) fn since(self, earlier: Self) -> Self {
        Self {
            cpu: self.cpu.saturating_sub(earlier.cpu),
            waited: self.waited.saturating_sub(earlier.waited),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_reads_what_the_kernel_writes() {
        let spent = Spent::parse("1500 250 7\n").unwrap();
        assert_eq!((spent.cpu.as_nanos(), spent.waited.as_nanos()), (1500, 250));
        assert_eq!(Spent::parse("1500"), None);
        let later = Spent::parse("1600 300 8\n").unwrap().since(spent);
        assert_eq!((later.cpu.as_nanos(), later.waited.as_nanos()), (100, 50));
    }
}
