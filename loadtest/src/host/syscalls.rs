//! System calls of a running process group, by `perf` or else `strace`. Both slow the process, so
//! they are for a pass of their own.

use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use super::procfs;

/// How long a counter may take to print its sum.
const PATIENCE: Duration = Duration::from_secs(5);

/// A counter that is attached.
#[derive(Debug)]
pub struct SystemCalls {
    counter: Child,
    read: fn(&str) -> Option<u64>,
}

impl SystemCalls {
    /// Attaches to all processes of the group; none where no counter is installed.
    #[must_use]
    pub fn attach(group: u32) -> Option<Self> {
        let members: Vec<String> = procfs::members(&[group])
            .iter()
            .map(ToString::to_string)
            .collect();
        let ids = members.join(",");
        let perf = [
            "stat",
            "-x",
            ",",
            "-e",
            "raw_syscalls:sys_enter",
            "-p",
            &ids,
        ];
        let strace = ["-c", "-f", "-p", &ids];
        start("perf", &perf)
            .map(|counter| Self {
                counter,
                read: perf_sum,
            })
            .or_else(|| {
                start("strace", &strace).map(|counter| Self {
                    counter,
                    read: strace_sum,
                })
            })
    }

    /// Detaches and says how many there were; none where counting is not allowed.
    pub async fn count(self) -> Option<u64> {
        let id = Pid::from_raw(i32::try_from(self.counter.id()?).ok()?)?;
        kill_process(id, Signal::INT).ok()?;
        let output = timeout(PATIENCE, self.counter.wait_with_output())
            .await
            .ok()?
            .ok()?;
        (self.read)(&String::from_utf8_lossy(&output.stderr))
    }
}

fn start(program: &str, arguments: &[&str]) -> Option<Child> {
    Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .ok()
}

/// `1837239,,raw_syscalls:sys_enter,…`; `<not counted>` in the first place where it may not.
fn perf_sum(text: &str) -> Option<u64> {
    text.lines()
        .find(|line| line.contains("sys_enter"))?
        .split(',')
        .next()?
        .parse()
        .ok()
}

/// The last line of the table: `100.00    0.063336          11      5306           total`.
fn strace_sum(text: &str) -> Option<u64> {
    let total = text.lines().find(|line| line.ends_with(" total"))?;
    total.split_whitespace().nth(3)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_sum_of_either_counter() {
        assert_eq!(
            perf_sum("1837239,,raw_syscalls:sys_enter,908677741,100.00,,\n"),
            Some(1_837_239)
        );
        assert_eq!(
            perf_sum("<not counted>,,raw_syscalls:sys_enter,0,100.00,,\n"),
            None
        );
        assert_eq!(perf_sum("Error: no permission\n"), None);
        let table = "% time     seconds  usecs/call     calls    errors syscall\n\
                     100.00    0.063336          11      5306           getppid\n\
                     100.00    0.063336          11      5306           total\n";
        assert_eq!(strace_sum(table), Some(5306));
        assert_eq!(strace_sum(""), None);
    }
}
