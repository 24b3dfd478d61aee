//! The control port: what arrived so far, and how to behave from now on.

use std::{convert::Infallible, rc::Rc};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};

use super::{
    exchange::State,
    server::{SHORT, report},
};

/// The longest script of behaviour, in bytes.
const LONGEST: usize = 64 << 10;

/// Serves the control port; never ends.
pub(super) async fn run(listener: TcpListener, state: Rc<State>) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let state = Rc::clone(&state);
                tokio::task::spawn_local(serve(stream, state));
            }
            Err(_) => tokio::time::sleep(SHORT).await,
        }
    }
}

async fn serve(stream: TcpStream, state: Rc<State>) {
    let service = service_fn(|request| async {
        let answer = answer(&state, request).await;
        let (status, kind, body) = answer.unwrap_or_else(|(status, message)| {
            let message = format!("{message}\n");
            (status, "text/plain; charset=utf-8", message.into())
        });
        let mut response = Response::new(Full::new(body));
        *response.status_mut() = status;
        let kind = http::HeaderValue::from_static(kind);
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        Ok::<_, Infallible>(response)
    });
    let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    // One that breaks off concerns nobody else.
    drop(connection.await);
}

type Answer = (StatusCode, &'static str, Bytes);

async fn answer(state: &State, request: Request<Incoming>) -> Result<Answer, (StatusCode, String)> {
    let text = |body: String| (StatusCode::OK, "text/plain; charset=utf-8", body.into());
    let failed = |why: String| (StatusCode::INTERNAL_SERVER_ERROR, why);
    match (request.method(), request.uri().path()) {
        (&Method::GET, "/health") => Ok(text("ok\n".to_owned())),
        (&Method::GET, "/stats") => {
            let report = serde_json::to_vec(&report(state)).map_err(|it| failed(it.to_string()))?;
            Ok((StatusCode::OK, "application/json", report.into()))
        }
        (&Method::GET, "/ids") => {
            let mut ids = Vec::new();
            let written = state.tally.borrow().arrivals().write_to(&mut ids);
            written.map_err(|it| failed(it.to_string()))?;
            Ok((StatusCode::OK, "application/octet-stream", ids.into()))
        }
        (&Method::GET, "/behave") => Ok(text(format!("{}\n", state.switch.script()))),
        (&Method::PUT, "/behave") => {
            let wrong = |why: String| (StatusCode::BAD_REQUEST, why);
            let body = Limited::new(request.into_body(), LONGEST).collect().await;
            let body =
                body.map_err(|why| wrong(format!("behaviour: {why}: at most {LONGEST} B")))?;
            let body = String::from_utf8(body.to_bytes().into());
            let script = body.map_err(|_| wrong("behaviour: not UTF-8: send text".to_owned()))?;
            let script = script.parse();
            let script = script.map_err(|why: super::behave::SpecError| wrong(why.to_string()))?;
            state.switch.set(script);
            Ok(text(format!("{}\n", state.switch.script())))
        }
        (_, "/health" | "/stats" | "/ids" | "/behave") => Err((
            StatusCode::METHOD_NOT_ALLOWED,
            "use GET, or PUT for /behave".to_owned(),
        )),
        (_, path) => Err((
            StatusCode::NOT_FOUND,
            format!("{path} is not known: known are /health, /stats, /ids, /behave"),
        )),
    }
}
