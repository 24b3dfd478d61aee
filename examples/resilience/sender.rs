//! Senders as programs with an SDK are: a request is sent again until it was taken.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use opentelemetry_proto::tonic::{
    collector::trace::v1::{ExportTraceServiceRequest, trace_service_client::TraceServiceClient},
    trace::v1::{ResourceSpans, ScopeSpans, Span},
};
use tokio::{runtime::Runtime, task::JoinHandle};
use tonic::transport::Endpoint;

use super::Failure;

/// Senders, each with one request under way at the most.
const COUNT: usize = 8;

/// Spans of a request.
const SPANS: u64 = 10;

/// From one request of a sender to its next.
const PAUSE: Duration = Duration::from_millis(100);

/// How long a sender waits after a refusal.
const REFUSED_PAUSE: Duration = Duration::from_millis(500);

/// What the senders have seen.
#[derive(Debug, Default)]
pub struct Counts {
    issued: AtomicU64,
    taken: AtomicU64,
    refused: AtomicU64,
}

impl Counts {
    /// Spans sent; they are numbered from 1 to this.
    pub fn issued(&self) -> u64 {
        self.issued.load(Relaxed)
    }

    /// Spans whose sender heard OK.
    pub fn taken(&self) -> u64 {
        self.taken.load(Relaxed)
    }

    /// Requests that were refused, and sent again.
    pub fn refused(&self) -> u64 {
        self.refused.load(Relaxed)
    }
}

/// The senders.
pub struct Senders {
    pub counts: Arc<Counts>,
    stop: Arc<AtomicBool>,
    runtime: Runtime,
    tasks: Vec<JoinHandle<()>>,
}

impl Senders {
    /// Sends to this address from now on.
    pub fn start(address: SocketAddr) -> Result<Self, Failure> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()?;
        let endpoint = Endpoint::from_shared(format!("http://{address}"))?;
        let (counts, stop) = (Arc::<Counts>::default(), Arc::<AtomicBool>::default());
        let tasks = (0..COUNT).map(|_| {
            let (counts, stop) = (Arc::clone(&counts), Arc::clone(&stop));
            runtime.spawn(send(endpoint.clone(), counts, stop))
        });
        Ok(Self {
            tasks: tasks.collect(),
            counts,
            stop,
            runtime,
        })
    }

    /// Sends nothing new, and waits until everything was taken.
    pub fn finish(&mut self) -> Result<(), Failure> {
        self.stop.store(true, Relaxed);
        for task in self.tasks.drain(..) {
            self.runtime.block_on(task)?;
        }
        Ok(())
    }
}

async fn send(endpoint: Endpoint, counts: Arc<Counts>, stop: Arc<AtomicBool>) {
    let mut client = TraceServiceClient::new(endpoint.connect_lazy());
    while !stop.load(Relaxed) {
        let first = counts.issued.fetch_add(SPANS, Relaxed) + 1;
        let request = request(first..first + SPANS);
        while client.export(request.clone()).await.is_err() {
            counts.refused.fetch_add(1, Relaxed);
            tokio::time::sleep(REFUSED_PAUSE).await;
        }
        counts.taken.fetch_add(SPANS, Relaxed);
        tokio::time::sleep(PAUSE).await;
    }
}

/// A request whose spans have these numbers.
fn request(numbers: std::ops::Range<u64>) -> ExportTraceServiceRequest {
    let spans = numbers.map(|number| Span {
        trace_id: u128::from(number).to_be_bytes().to_vec(),
        span_id: number.to_be_bytes().to_vec(),
        name: "work".to_owned(),
        ..Span::default()
    });
    let scope_spans = vec![ScopeSpans {
        spans: spans.collect(),
        ..ScopeSpans::default()
    }];
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            scope_spans,
            ..ResourceSpans::default()
        }],
    }
}
