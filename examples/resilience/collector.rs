//! A collector that can be made slow, and be killed and started again.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
        mpsc::Sender,
    },
    time::Duration,
};

use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
    trace_service_server::{TraceService, TraceServiceServer},
};
use tokio::{net::TcpListener, runtime::Runtime};
use tonic::{
    Request, Response, Status,
    transport::{Server, server::TcpIncoming},
};

use super::Failure;

/// A collector on a free port of the loopback address.
pub struct Collector {
    /// Where it listens while it lives.
    pub address: SocketAddr,
    service: Service,
    /// Its threads and sockets; none while it is dead.
    running: Option<Runtime>,
}

#[derive(Clone)]
struct Service {
    delay_millis: Arc<AtomicU64>,
    taken: Arc<AtomicU64>,
    tell: Sender<u64>,
}

impl Collector {
    /// Starts one that tells the number of each span that it takes.
    pub fn start(tell: Sender<u64>) -> Result<Self, Failure> {
        let mut collector = Self {
            address: (Ipv4Addr::LOCALHOST, 0).into(),
            service: Service {
                delay_millis: Arc::default(),
                taken: Arc::default(),
                tell,
            },
            running: None,
        };
        collector.rise()?;
        Ok(collector)
    }

    /// Lets every answer take so long from now on.
    pub fn slow_down(&self, delay: Duration) {
        let millis = delay.as_millis().try_into().unwrap_or(u64::MAX);
        self.service.delay_millis.store(millis, Relaxed);
    }

    /// Spans that it has taken.
    pub fn taken(&self) -> u64 {
        self.service.taken.load(Relaxed)
    }

    /// Ends it at once, with every connection and every call.
    pub fn die(&mut self) {
        if let Some(running) = self.running.take() {
            running.shutdown_background();
        }
    }

    /// Starts it again where it was, as quick as at first.
    pub fn rise(&mut self) -> Result<(), Failure> {
        self.slow_down(Duration::ZERO);
        let running = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()?;
        let listener = running.block_on(TcpListener::bind(self.address))?;
        self.address = listener.local_addr()?;
        let service = TraceServiceServer::new(self.service.clone());
        running.spawn(async move {
            let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
            let server = Server::builder().add_service(service);
            // It ends when its runtime does.
            drop(server.serve_with_incoming(incoming).await);
        });
        self.running = Some(running);
        Ok(())
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.die();
    }
}

#[tonic::async_trait]
impl TraceService for Service {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let delay = Duration::from_millis(self.delay_millis.load(Relaxed));
        tokio::time::sleep(delay).await;
        let resources = request.into_inner().resource_spans.into_iter();
        let spans = resources
            .flat_map(|resource| resource.scope_spans)
            .flat_map(|scope| scope.spans);
        for span in spans {
            let number = span.span_id.try_into().map(u64::from_be_bytes);
            let number = number.map_err(|_| Status::invalid_argument("no span id"))?;
            self.taken.fetch_add(1, Relaxed);
            self.tell.send(number).unwrap_or_default();
        }
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}
