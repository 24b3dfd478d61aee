//! The spool's folder, taken before anything starts and divided among the shards.

use std::sync::Arc;

use crate::{
    config::Config,
    metrics::{ShardMetrics, SpoolState, SpoolStatus},
    rt,
    shard::{ReplayRate, SpoolSetup},
    spool::{Directory, FoundSegment, Settings, assign},
};

/// Takes the folder where the configuration spools, and gives each shard its part; no part where it
/// does not.
pub(super) fn divide(
    config: &Config,
    metrics: &[Arc<ShardMetrics>],
) -> Result<Vec<Option<SpoolSetup>>, String> {
    let shards = metrics.len();
    if !config.spools() {
        return Ok((0..shards).map(|_| None).collect());
    }
    let spool = &config.spool;
    let directory = Directory::open(&spool.directory).map_err(|error| error.to_string())?;
    let found = directory.segments();
    let found =
        found.map_err(|error| format!("cannot list {}: {error}", directory.path().display()))?;
    warn_of(&directory, spool.bytes_max, &found);
    let directory = Arc::new(directory);
    let count = u64::try_from(shards).unwrap_or(1).max(1);
    let settings = Settings::new(spool, count);
    let replay_rate = Arc::new(ReplayRate::new(spool.replay_rate, rt::now()));
    for metrics in metrics {
        metrics.set_spool_max(settings.bytes_max);
        metrics.post(|board| {
            board.spool = Some(SpoolStatus {
                directory: spool.directory.display().to_string(),
                state: SpoolState::Recovering,
                since: rt::unix_time(),
                error: None,
            });
        });
    }
    let setups = assign(found, shards).into_iter().map(|found| {
        Some(SpoolSetup {
            directory: Arc::clone(&directory),
            found,
            settings,
            replay_rate: Arc::clone(&replay_rate),
        })
    });
    Ok(setups.collect())
}

/// What the operator should know of the folder.
fn warn_of(directory: &Directory, bytes_max: u64, found: &[FoundSegment]) {
    let path = directory.path().display();
    if directory.is_in_memory().unwrap_or(false) {
        tracing::warn!("{path} lies in memory: what is spooled is lost when the host stops");
    }
    if directory.is_open_to_others().unwrap_or(false) {
        tracing::warn!("{path} can be entered by others than its owner, and it holds telemetry");
    }
    let wanted = bytes_max.saturating_sub(found.iter().map(|it| it.bytes).sum());
    if let Ok(free) = directory.free_bytes()
        && free < wanted
    {
        tracing::warn!(
            "spool.max_bytes allows {wanted} bytes more in {path}, and {free} are free there: the \
             disk will be full first, and refuse; lower spool.max_bytes or make room"
        );
    }
}
