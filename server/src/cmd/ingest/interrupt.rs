//! Ctrl-C while a load runs: it stops on the server as well.

use std::process;
use std::sync::Arc;

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
    /// One lock over what is at work and what was pressed, so that neither misses the other.
    now: Mutex<Now>,
}

#[derive(Debug, Default)]
struct Now {
    work: Work,
    was_pressed: bool,
}

/// What there is to be stopped on the server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
enum Work {
    #[default]
    Nothing,
    /// A task that the server may have and that has no name here yet.
    Submitted,
    /// The task at work, by its id.
    Task(String),
}

/// What Ctrl-C does.
#[derive(Debug, PartialEq, Eq)]
enum Effect {
    Exit,
    /// The task is stopped as soon as its id is known.
    Wait,
    Stop(String),
}

impl Interrupts {
    /// Listens from now on.
    ///
    /// # Errors
    /// When the process may not.
    pub(super) fn listen(client: Client) -> Result<Self> {
        let state = Arc::new(State { client, now: Mutex::default() });
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

    /// A task is about to be sent, which is to end with this process: Ctrl-C waits for its id.
    pub(super) fn submits(&self) {
        self.0.now.lock().work = Work::Submitted;
    }

    /// A task begins: Ctrl-C stops it from now on, or did before its id was known.
    pub(super) fn watch(&self, id: &str) {
        let is_unwanted = self.0.now.lock().watch(id);
        if is_unwanted {
            stop(&self.0.client, id);
        }
    }

    /// Whether somebody wants no more of it.
    pub(super) fn was_pressed(&self) -> bool {
        self.0.now.lock().was_pressed
    }
}

impl Now {
    fn watch(&mut self, id: &str) -> bool {
        self.work = Work::Task(id.to_owned());
        self.was_pressed
    }

    fn press(&mut self) -> Effect {
        let is_again = std::mem::replace(&mut self.was_pressed, true);
        match &self.work {
            // The server does not answer, and whoever presses it again wants out.
            _ if is_again => Effect::Exit,
            Work::Nothing => Effect::Exit,
            Work::Submitted => Effect::Wait,
            Work::Task(id) => Effect::Stop(id.clone()),
        }
    }
}

#[expect(clippy::print_stderr, reason = "it is for whoever pressed it")]
async fn follow(mut signals: Signal, state: &State) {
    while signals.recv().await.is_some() {
        let effect = state.now.lock().press();
        match effect {
            Effect::Exit => process::exit(INTERRUPTED.into()),
            Effect::Wait => {
                eprintln!(
                    "\nStopping once the server has answered; Ctrl-C again leaves it to the server."
                );
            }
            Effect::Stop(id) => stop(&state.client, &id),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ctrl_c_stops_a_task_that_is_being_submitted_as_soon_as_it_has_an_id() {
        let mut now = Now { work: Work::Submitted, ..Now::default() };
        assert_eq!(now.press(), Effect::Wait);
        assert!(now.watch("t1"), "it is stopped when its id is known");
        assert_eq!(now.press(), Effect::Exit);
        // Nobody pressed it before the id came.
        let mut now = Now { work: Work::Submitted, ..Now::default() };
        assert!(!now.watch("t1"));
        assert_eq!(now.press(), Effect::Stop("t1".into()));
        assert_eq!(now.press(), Effect::Exit);
    }

    #[test]
    fn ctrl_c_ends_a_process_that_submitted_nothing_or_does_not_get_an_answer() {
        assert_eq!(Now::default().press(), Effect::Exit);
        let mut now = Now { work: Work::Submitted, ..Now::default() };
        assert_eq!([now.press(), now.press()], [Effect::Wait, Effect::Exit]);
    }
}
