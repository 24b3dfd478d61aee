//! Records the measurement interval by interval, and what the sender itself cost.

use std::{
    fs::File,
    io::BufWriter,
    rc::Rc,
    time::{Duration, Instant},
};

use anyhow::{Context, anyhow};
use hdrhistogram::serialization::{V2DeflateSerializer, interval_log::IntervalLogWriterBuilder};
use rustix::time::{ClockId, clock_gettime};
use tokio::time::sleep_until;

use super::{Progress, SendPoint, Sender, settings::Settings, window::Window};

const INTERVAL: Duration = Duration::from_secs(1);
/// The log's largest values are told in milliseconds, its histograms are in microseconds.
const MICROS_A_MILLI: f64 = 1000.0;

/// What was recorded.
pub(super) struct Recorded {
    pub(super) points: Vec<SendPoint>,
    /// Share of one core, from the start of the measurement to its end.
    pub(super) cpu_share: f64,
}

/// Records while others send.
pub(super) struct Recorder {
    window: Window,
    title: String,
    log: Option<BufWriter<File>>,
    progress: Progress,
}

impl Recorder {
    pub(super) fn new(settings: &Settings, window: Window) -> anyhow::Result<Self> {
        let log = match &settings.hlog {
            None => None,
            Some(path) => {
                let file = File::create(path);
                let file = file.with_context(|| format!("cannot write {}", path.display()))?;
                Some(BufWriter::new(file))
            }
        };
        Ok(Self {
            window,
            title: settings.title(),
            log,
            progress: Progress::new(settings.quiet, settings.duration),
        })
    }

    /// Records until everything has ended.
    pub(super) async fn record(mut self, sender: Rc<Sender>) -> anyhow::Result<Recorded> {
        let mut serializer = V2DeflateSerializer::new();
        let mut log = match &mut self.log {
            None => None,
            Some(file) => Some(
                IntervalLogWriterBuilder::new()
                    .add_comment(&self.title)
                    .add_comment("microseconds from when a request was due to its acknowledgement")
                    .with_start_time(self.window.date)
                    .with_base_time(self.window.date)
                    .with_max_value_divisor(MICROS_A_MILLI)
                    .begin_log_with(file, &mut serializer)?,
            ),
        };
        let mut ended = wait(&sender, self.window.start).await;
        let (began, cpu) = (Instant::now(), process_cpu());
        let mut cpu_share = None;
        let mut points = Vec::new();
        let mut next = self.window.start;
        while !ended {
            next = following(next, self.window.end);
            ended = wait(&sender, next).await;
            let at = self.window.start.elapsed();
            if cpu_share.is_none() && (ended || next >= self.window.end) {
                let spent = process_cpu().saturating_sub(cpu).as_secs_f64();
                cpu_share = Some(spent / began.elapsed().as_secs_f64().max(f64::EPSILON));
            }
            let interval = sender.tally.borrow_mut().close_interval(at);
            if let Some(log) = &mut log {
                let length = Duration::from_secs_f64(interval.point.length);
                log.write_histogram(&interval.times, at.saturating_sub(length), length, None)
                    .map_err(|error| anyhow!("cannot write the interval log: {error:?}"))?;
            }
            self.progress.show(&interval.point);
            points.push(interval.point);
        }
        self.progress.end();
        Ok(Recorded {
            points,
            cpu_share: cpu_share.unwrap_or_default(),
        })
    }
}

/// The end of the interval that begins at a time; none goes beyond the end of the measurement.
fn following(at: Instant, end: Instant) -> Instant {
    let next = at + INTERVAL;
    if at < end { next.min(end) } else { next }
}

/// Waits for a time; returns early, with true, when everything has ended.
async fn wait(sender: &Sender, until: Instant) -> bool {
    tokio::select! {
        () = sender.ended.notified() => true,
        () = sleep_until(until.into()) => false,
    }
}

/// CPU time of this process.
fn process_cpu() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.try_into().unwrap_or_default()
}
