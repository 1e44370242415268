//! A value that is followed by many, who see the newest one and wake in the order in which they began to
//! wait: as `tokio::sync::watch`, which draws that order from a source that cannot be seeded.

use std::fmt::Debug;
use std::ops::Deref;
use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};
use tokio::sync::Notify;

/// Everybody who could change the value is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("nobody changes the value any more")]
pub struct Closed;

#[derive(Debug)]
struct Shared<T> {
    state: Mutex<State<T>>,
    changed: Notify,
}

#[derive(Debug)]
struct State<T> {
    value: T,
    version: u64,
    is_closed: bool,
}

/// Changes the value.
#[derive(Debug)]
pub struct Sender<T> {
    shared: Arc<Shared<T>>,
}

/// Follows the value.
#[derive(Debug)]
pub struct Receiver<T> {
    shared: Arc<Shared<T>>,
    seen: u64,
}

/// The value as it is; nobody changes it while this is held.
#[derive(Debug)]
pub struct Ref<'a, T>(MutexGuard<'a, State<T>>);

impl<T> Deref for Ref<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0.value
    }
}

impl<T: Default> Default for Sender<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T> Sender<T> {
    /// A value that nobody follows yet.
    #[must_use]
    pub fn new(value: T) -> Self {
        let state = State { value, version: 0, is_closed: false };
        Self { shared: Arc::new(Shared { state: Mutex::new(state), changed: Notify::new() }) }
    }

    /// Follows the value from now on.
    #[must_use]
    pub fn subscribe(&self) -> Receiver<T> {
        let seen = self.shared.state.lock().version;
        Receiver { shared: Arc::clone(&self.shared), seen }
    }

    /// The value.
    #[must_use]
    pub fn borrow(&self) -> Ref<'_, T> {
        Ref(self.shared.state.lock())
    }

    /// Sets the value; gives the one before.
    pub fn send_replace(&self, value: T) -> T {
        let mut before = value;
        self.send_modify(|now| std::mem::swap(now, &mut before));
        before
    }

    /// Changes the value.
    pub fn send_modify(&self, modify: impl FnOnce(&mut T)) {
        self.send_if_modified(|value| {
            modify(value);
            true
        });
    }

    /// Changes the value, or leaves it and says so; gives what was said.
    pub fn send_if_modified(&self, modify: impl FnOnce(&mut T) -> bool) -> bool {
        let mut state = self.shared.state.lock();
        let modified = modify(&mut state.value);
        state.version += u64::from(modified);
        drop(state);
        if modified {
            self.shared.changed.notify_waiters();
        }
        modified
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        self.shared.state.lock().is_closed = true;
        self.shared.changed.notify_waiters();
    }
}

impl<T> Clone for Receiver<T> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared), seen: self.seen }
    }
}

impl<T> Receiver<T> {
    /// The value.
    #[must_use]
    pub fn borrow(&self) -> Ref<'_, T> {
        Ref(self.shared.state.lock())
    }

    /// The value, which is seen now.
    pub fn borrow_and_update(&mut self) -> Ref<'_, T> {
        let state = self.shared.state.lock();
        self.seen = state.version;
        Ref(state)
    }

    /// The value as it is counts as seen.
    pub fn mark_unchanged(&mut self) {
        self.seen = self.shared.state.lock().version;
    }

    /// True when there is a value that was not seen.
    ///
    /// # Errors
    /// When there is none and will be none.
    pub fn has_changed(&self) -> Result<bool, Closed> {
        let state = self.shared.state.lock();
        match state.version != self.seen {
            true => Ok(true),
            false if state.is_closed => Err(Closed),
            false => Ok(false),
        }
    }

    /// Waits for a value that was not seen, and sees it.
    ///
    /// # Errors
    /// When there will be none.
    pub async fn changed(&mut self) -> Result<(), Closed> {
        loop {
            let notified = self.shared.changed.notified();
            tokio::pin!(notified);
            notified.as_mut().enable();
            {
                let state = self.shared.state.lock();
                if state.version != self.seen {
                    self.seen = state.version;
                    return Ok(());
                }
                if state.is_closed {
                    return Err(Closed);
                }
            }
            notified.await;
        }
    }

    /// Waits until the value is as wanted, and sees it; it may be already.
    ///
    /// # Errors
    /// When it never will be.
    pub async fn wait_for(
        &mut self,
        mut is_wanted: impl FnMut(&T) -> bool,
    ) -> Result<Ref<'_, T>, Closed> {
        loop {
            let (found, is_closed) = {
                let state = self.shared.state.lock();
                self.seen = state.version;
                (is_wanted(&state.value), state.is_closed)
            };
            if found {
                return Ok(self.borrow());
            }
            if is_closed {
                return Err(Closed);
            }
            self.changed().await?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_newest_value_is_seen_once_and_in_the_order_of_waiting() {
        let sender = Sender::new(0);
        let order = Arc::new(Mutex::new(Vec::new()));
        let waiting: Vec<_> = (0..20)
            .map(|number| {
                let (mut receiver, order) = (sender.subscribe(), Arc::clone(&order));
                tokio::spawn(async move {
                    receiver.changed().await.unwrap();
                    order.lock().push((number, *receiver.borrow()));
                })
            })
            .collect();
        tokio::task::yield_now().await;
        sender.send_modify(|value| *value = 1);
        assert_eq!(sender.send_replace(2), 1);
        for waiting in waiting {
            waiting.await.unwrap();
        }
        assert_eq!(*order.lock(), (0..20).map(|number| (number, 2)).collect::<Vec<_>>());
        assert!(!sender.send_if_modified(|_| false));
    }

    #[tokio::test]
    async fn whoever_waits_learns_that_nothing_will_come() {
        let sender = Sender::new(1);
        let (mut first, mut second) = (sender.subscribe(), sender.subscribe());
        assert_eq!(*second.wait_for(|value| *value == 1).await.unwrap(), 1);
        sender.send_modify(|value| *value = 5);
        drop(sender);
        assert_eq!(first.changed().await, Ok(()));
        assert_eq!(*first.borrow_and_update(), 5);
        assert_eq!(first.changed().await, Err(Closed));
        assert!(second.wait_for(|value| *value == 7).await.is_err());
    }
}
