//! Tells on stdout how many requests were acknowledged, for who waits for a number of them.

use std::{
    io::{Write, stdout},
    rc::Rc,
    time::Duration,
};

use serde_json::json;
use tokio::time::sleep;

use super::Sender;

/// Tells whenever the number has changed; ends when nobody reads any more.
pub(super) async fn acknowledged(sender: Rc<Sender>, every: Duration) {
    let mut told = 0;
    loop {
        sleep(every).await;
        let now = sender.tally.borrow().acknowledged_requests;
        if now == told {
            continue;
        }
        told = now;
        let line = json!({ "acknowledged": now });
        let mut stdout = stdout().lock();
        if writeln!(stdout, "{line}")
            .and_then(|()| stdout.flush())
            .is_err()
        {
            return;
        }
    }
}
