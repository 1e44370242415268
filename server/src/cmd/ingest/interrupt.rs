//! Ctrl-C while a load runs: it stops on the server as well.

use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result};
use parking_lot::Mutex;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::cmd::http::{Client, path_segment};

/// What a shell says of a program that Ctrl-C ended.
pub(super) const INTERRUPTED: u8 = 130;

/// Listens for Ctrl-C as long as the process lives.
#[derive(Debug, Clone)]
pub(super) struct Interrupts(Arc<State>);

#[derive(Debug)]
struct State {
    client: Client,
    /// The task at work.
    task: Mutex<Option<String>>,
    was_pressed: AtomicBool,
}

impl Interrupts {
    /// Listens from now on.
    ///
    /// # Errors
    /// When the process may not.
    pub(super) fn listen(client: Client) -> Result<Self> {
        let state =
            Arc::new(State { client, task: Mutex::default(), was_pressed: AtomicBool::new(false) });
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.context("start the runtime")?;
        let signals = {
            let _inside = runtime.enter();
            signal(SignalKind::interrupt()).context("listen for Ctrl-C")?
        };
        let told = Arc::clone(&state);
        std::thread::spawn(move || runtime.block_on(follow(signals, &told)));
        Ok(Self(state))
    }

    /// A task begins: Ctrl-C stops it from now on.
    pub(super) fn watch(&self, id: &str) {
        *self.0.task.lock() = Some(id.to_owned());
    }

    /// Whether somebody wants no more of it.
    pub(super) fn was_pressed(&self) -> bool {
        self.0.was_pressed.load(Ordering::Acquire)
    }
}

async fn follow(mut signals: Signal, state: &State) {
    while signals.recv().await.is_some() {
        let task = state.task.lock().clone();
        let is_again = state.was_pressed.swap(true, Ordering::AcqRel);
        match task {
            Some(id) if !is_again => stop(&state.client, &id),
            // Nothing was submitted, or the server does not answer and whoever presses it again wants out.
            _ => process::exit(INTERRUPTED.into()),
        }
    }
}

/// Asks the server to stop a task, and says so.
#[expect(clippy::print_stderr, reason = "it is for whoever pressed it")]
fn stop(client: &Client, id: &str) {
    eprintln!("\nStopping task {id}; Ctrl-C again leaves it to the server.");
    let path = format!("/druid/indexer/v1/task/{}/shutdown", path_segment(id));
    if let Err(error) = client.post(&path, &serde_json::json!({})) {
        eprintln!("It goes on: {error}");
    }
}
