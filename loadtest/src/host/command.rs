//! What a child does before it becomes its command: it takes its cores and ties its life to its
//! parent's. Done by the child itself, because both must happen between fork and exec.

use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use anyhow::{Context as _, bail};
use rustix::process::{Signal, set_parent_process_death_signal};
use rustix::thread::{CpuSet, sched_setaffinity};

/// Pins the calling thread, and whatever it starts, to the cores; none given: leaves it alone.
pub fn pin(cores: &[usize]) -> anyhow::Result<()> {
    if cores.is_empty() {
        return Ok(());
    }
    let mut set = CpuSet::new();
    for &core in cores {
        if core >= CpuSet::MAX_CPU {
            bail!(
                "core {core} is beyond the last that can be named, {}",
                CpuSet::MAX_CPU - 1
            );
        }
        set.set(core);
    }
    sched_setaffinity(None, &set).with_context(|| {
        let there = std::thread::available_parallelism().map_or(1, usize::from);
        format!("cannot use cores {cores:?}: this process may use {there}; name cores that exist")
    })
}

/// Becomes the command, pinned to the cores and killed when its parent dies. Returns only when
/// that fails.
pub fn become_command(cores: &[usize], command: &[OsString]) -> anyhow::Result<()> {
    let Some((program, arguments)) = command.split_first() else {
        bail!("there is no command to run: name one after --");
    };
    pin(cores)?;
    set_parent_process_death_signal(Some(Signal::KILL)).context("cannot tie to the parent")?;
    let error = Command::new(program).args(arguments).exec();
    Err(error).with_context(|| format!("cannot run {}", program.display()))
}
