//! Ctrl-C: it stops the statement that runs, and not the shell.

use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result};
use parking_lot::Mutex;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::super::http::Client;
use super::ask::cancel;

/// What a shell says of a program that Ctrl-C ended.
pub(super) const INTERRUPTED: u8 = 130;

/// Listens for Ctrl-C as long as the process lives.
#[derive(Debug, Clone)]
pub(super) struct Interrupts(Arc<State>);

#[derive(Debug)]
struct State {
    client: Client,
    running: Mutex<Option<String>>,
    was_pressed: AtomicBool,
    /// True while a shell goes on after Ctrl-C.
    is_shell: AtomicBool,
}

/// A statement that Ctrl-C stops until this is dropped.
#[derive(Debug)]
pub(super) struct Running<'a>(&'a State);

impl Interrupts {
    /// Listens from now on.
    ///
    /// # Errors
    /// When the process may not.
    pub(super) fn listen(client: Client) -> Result<Self> {
        let state = Arc::new(State {
            client,
            running: Mutex::default(),
            was_pressed: AtomicBool::new(false),
            is_shell: AtomicBool::new(false),
        });
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

    /// A shell goes on when Ctrl-C comes while nothing runs.
    pub(super) fn of_shell(&self) {
        self.0.is_shell.store(true, Ordering::Release);
    }

    /// A statement begins.
    pub(super) fn running(&self, id: &str) -> Running<'_> {
        self.0.was_pressed.store(false, Ordering::Release);
        *self.0.running.lock() = Some(id.to_owned());
        Running(&self.0)
    }
}

impl Running<'_> {
    /// Whether somebody wants no more of it.
    pub(super) fn was_interrupted(&self) -> bool {
        self.0.was_pressed.load(Ordering::Acquire)
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        *self.0.running.lock() = None;
    }
}

async fn follow(mut signals: Signal, state: &State) {
    while signals.recv().await.is_some() {
        let running = state.running.lock().clone();
        let is_again = state.was_pressed.swap(true, Ordering::AcqRel);
        match running {
            // The server does not answer: whoever presses it again wants out.
            Some(_) if is_again => process::exit(INTERRUPTED.into()),
            // That it could not be told shows when the statement goes on.
            Some(id) => drop(cancel(&state.client, &id)),
            None if state.is_shell.load(Ordering::Acquire) => {}
            None => process::exit(INTERRUPTED.into()),
        }
    }
}
