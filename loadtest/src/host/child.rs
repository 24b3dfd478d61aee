//! One child: started pinned, watched, ended.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail};
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{ChildStdin, ChildStdout, Command};
use tokio::time::{sleep, timeout};

use super::procfs;

/// Lines of a child's log that an error shows: from its beginning, and from its end.
const HEAD: usize = 4;
const TAIL: usize = 8;

/// How often the end of a process group is looked for: the kernel does not tell of it.
const LOOK: Duration = Duration::from_millis(5);

/// What to start.
#[derive(Debug)]
pub struct Order<'a> {
    /// What errors call it.
    pub name: &'a str,
    /// Program and arguments.
    pub command: &'a [String],
    /// Set on top of the parent's environment.
    pub env: &'a BTreeMap<String, String>,
    /// Cores to run on; none: any.
    pub cores: &'a [usize],
    /// Where its standard error goes, and its standard output unless that is read.
    pub log: PathBuf,
    /// What becomes of its standard output.
    pub output: Output,
}

/// What becomes of a child's standard output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// Into the log.
    Log,
    /// Read by [`Child::line`].
    Read,
}

/// A running child. Its standard input stays open and empty until it is to end, which is when the
/// load test's own children end by themselves. Dropping it kills it and its whole process group.
#[derive(Debug)]
pub struct Child {
    name: String,
    group: Pid,
    process: tokio::process::Child,
    stdin: Option<ChildStdin>,
    stdout: Option<BufReader<ChildStdout>>,
    log: PathBuf,
    over: bool,
}

impl Child {
    /// Starts a command through `harness`, the executable of the load test, which pins itself and
    /// then becomes the command.
    pub fn start(harness: &Path, order: Order<'_>) -> anyhow::Result<Self> {
        let name = order.name;
        let log = File::options()
            .create(true)
            .append(true)
            .open(&order.log)
            .with_context(|| format!("{name}: cannot write its log {}", order.log.display()))?;
        let mut command = Command::new(harness);
        command.arg("exec");
        for core in order.cores {
            command.arg("--core").arg(core.to_string());
        }
        command
            .arg("--")
            .args(order.command)
            .envs(order.env)
            .stdin(Stdio::piped())
            .stderr(log.try_clone().context("cannot share a log")?)
            .process_group(0)
            .kill_on_drop(true);
        match order.output {
            Output::Log => command.stdout(log),
            Output::Read => command.stdout(Stdio::piped()),
        };
        let mut process = command
            .spawn()
            .with_context(|| format!("{name}: cannot start {}", harness.display()))?;
        let group = process
            .id()
            .and_then(|id| Pid::from_raw(i32::try_from(id).ok()?))
            .with_context(|| format!("{name}: ended at once"))?;
        Ok(Self {
            name: name.to_owned(),
            group,
            stdin: process.stdin.take(),
            stdout: process.stdout.take().map(BufReader::new),
            process,
            log: order.log,
            over: false,
        })
    }

    /// What errors call it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its process group, which is also the process id of its first process.
    #[must_use]
    pub fn group(&self) -> u32 {
        self.group.as_raw_nonzero().get().unsigned_abs()
    }

    /// The next line of its standard output. Cancelling loses what was read of the line.
    pub async fn line(&mut self, within: Duration) -> anyhow::Result<String> {
        let Some(stdout) = &mut self.stdout else {
            bail!("{}: its output is not read", self.name);
        };
        let mut line = String::new();
        match timeout(within, stdout.read_line(&mut line)).await {
            Err(_) => bail!(
                "{} said nothing within {within:?}{}",
                self.name,
                self.tail()
            ),
            Ok(read) => match read.with_context(|| format!("{}: cannot be read", self.name))? {
                0 => bail!("{} ended before it was ready{}", self.name, self.tail()),
                _ => Ok(line.trim_end().to_owned()),
            },
        }
    }

    /// Hands its standard output to somebody who reads it from now on, as a child that says much
    /// would wait for a reader; none when it is not read.
    pub fn take_output(&mut self) -> Option<BufReader<ChildStdout>> {
        self.stdout.take()
    }

    /// Writes a line to its standard input.
    pub async fn tell(&mut self, line: &str) -> anyhow::Result<()> {
        let Some(stdin) = &mut self.stdin else {
            bail!("{}: it cannot be told", self.name)
        };
        let told = async {
            stdin.write_all(format!("{line}\n").as_bytes()).await?;
            stdin.flush().await
        };
        told.await
            .with_context(|| format!("{} cannot be told {line:?}", self.name))
    }

    /// Whether it has ended, and how.
    pub fn ended(&mut self) -> anyhow::Result<Option<ExitStatus>> {
        let status = self.process.try_wait();
        status.with_context(|| format!("{}: cannot be waited for", self.name))
    }

    /// Waits for its end.
    pub async fn wait(&mut self) -> anyhow::Result<ExitStatus> {
        let status = self.process.wait().await;
        status.with_context(|| format!("{}: cannot be waited for", self.name))
    }

    /// Sends a signal to everything in its group.
    pub fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        match kill_process_group(self.group, signal) {
            Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
            Err(error) => Err(error).with_context(|| format!("{}: cannot be signalled", self.name)),
        }
    }

    /// Asks it to end and waits for it and its whole group; kills what is left after `within`.
    /// Says how it ended, and none when it had to be killed.
    pub async fn end(mut self, within: Duration) -> anyhow::Result<Option<ExitStatus>> {
        self.stdin = None;
        self.signal(Signal::TERM)?;
        let ended = timeout(within, async {
            let status = self.process.wait().await?;
            while !procfs::members(&[self.group()]).is_empty() {
                sleep(LOOK).await;
            }
            Ok::<_, std::io::Error>(status)
        })
        .await;
        match ended {
            Ok(status) => {
                self.over = true;
                Ok(Some(status.with_context(|| {
                    format!("{}: cannot be waited for", self.name)
                })?))
            }
            Err(_) => {
                self.kill().await?;
                Ok(None)
            }
        }
    }

    /// Kills it and its whole group, and waits.
    pub async fn kill(mut self) -> anyhow::Result<()> {
        self.signal(Signal::KILL)?;
        self.over = true;
        self.wait().await.map(drop)
    }

    /// The first and the last lines of its log, as the end of an error.
    #[must_use]
    pub fn tail(&self) -> String {
        let text = fs::read(&self.log).unwrap_or_default();
        excerpt(&String::from_utf8_lossy(&text))
    }
}

/// What went wrong stands at the beginning of some logs and at the end of others.
fn excerpt(log: &str) -> String {
    let lines: Vec<&str> = log.lines().collect();
    let (first, last) = match lines.len().checked_sub(HEAD + TAIL) {
        None | Some(0) => (lines.as_slice(), [].as_slice()),
        Some(left_out) => (&lines[..HEAD], &lines[HEAD + left_out..]),
    };
    let gap = if last.is_empty() { None } else { Some(&"…") };
    let shown = first.iter().chain(gap).chain(last);
    shown.map(|line| format!("\n  | {line}")).collect()
}

impl Drop for Child {
    fn drop(&mut self) {
        if !self.over {
            // Also after its first process has ended: others of its group may be alive.
            kill_process_group(self.group, Signal::KILL).ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_excerpt_has_both_ends_of_a_log() {
        let log = |lines: usize| (1..=lines).map(|n| format!("{n}\n")).collect::<String>();
        assert_eq!(excerpt(""), "");
        assert_eq!(excerpt(&log(2)), "\n  | 1\n  | 2");
        assert_eq!(excerpt(&log(12)).lines().count(), 13);
        let long = excerpt(&log(100));
        assert!(
            long.starts_with("\n  | 1\n") && long.contains("4\n  | …\n  | 93\n"),
            "{long}"
        );
        assert!(long.ends_with("\n  | 100"), "{long}");
    }
}
