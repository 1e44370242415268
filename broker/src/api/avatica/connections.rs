//! [`Connections`]: what clients have open, within bounds and not for longer than they use it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use henge_platform::runtime::spawn;
use henge_types::ErrorClass;
use parking_lot::Mutex;
use serde_json::{Map, Value};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use super::cursor::Cursor;
use super::failure::{Failure, Result};
use super::message::Handle;

/// Bounds, as Druid has them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) max_connections: usize,
    pub(super) max_statements: usize,
    /// After this time without a request a connection is closed.
    pub(super) idle_timeout: Duration,
    pub(super) min_frame_rows: u64,
    pub(super) max_frame_rows: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_connections: 25,
            max_statements: 4,
            idle_timeout: Duration::from_secs(5 * 60),
            min_frame_rows: 100,
            max_frame_rows: 5_000,
        }
    }
}

/// All connections.
#[derive(Debug, Default)]
pub(super) struct Connections {
    limits: Limits,
    open: Mutex<BTreeMap<String, Arc<Connection>>>,
}

/// A connection.
#[derive(Debug)]
pub(super) struct Connection {
    /// What its statements have as their context.
    pub(super) context: Map<String, Value>,
    max_statements: usize,
    last_used: Mutex<Instant>,
    uses: AtomicUsize,
    last_statement: AtomicU32,
    statements: Mutex<BTreeMap<u32, Arc<Statement>>>,
}

/// A connection that a request is at work on: it does not time out.
#[derive(Debug)]
pub(super) struct InUse(Arc<Connection>);

/// A statement of a connection.
#[derive(Debug, Default)]
pub(super) struct Statement {
    /// What it runs when it is executed.
    pub(super) prepared: Mutex<Option<PreparedText>>,
    /// What it gives; nothing before it was executed. Who reads holds it.
    pub(super) cursor: tokio::sync::Mutex<Option<Cursor>>,
    is_closed: AtomicBool,
    closes: Notify,
}

/// A text that may be run again and again.
#[derive(Debug, Clone)]
pub(super) struct PreparedText {
    pub(super) sql: String,
    pub(super) max_rows: Option<u64>,
}

impl Connections {
    /// Within these bounds.
    pub(super) fn within(limits: Limits) -> Self {
        Self { limits, open: Mutex::default() }
    }

    /// Opens a connection.
    ///
    /// # Errors
    /// When it is open, or there are too many.
    pub(super) fn open(self: &Arc<Self>, id: &str, context: Map<String, Value>) -> Result<()> {
        let connection = Arc::new(Connection {
            context,
            max_statements: self.limits.max_statements,
            last_used: Mutex::new(Instant::now()),
            uses: AtomicUsize::new(0),
            last_statement: AtomicU32::new(0),
            statements: Mutex::default(),
        });
        let mut open = self.open.lock();
        if open.contains_key(id) {
            return Err(Failure::invalid(format!("connection '{id}' is already open")));
        }
        if open.len() >= self.limits.max_connections && !close_an_empty_one(&mut open) {
            let message = format!(
                "too many connections: {} are open, and all of them have statements; close some",
                open.len()
            );
            return Err(Failure::Other { class: ErrorClass::Capacity, message });
        }
        open.insert(id.to_owned(), Arc::clone(&connection));
        drop(open);
        spawn(expire(Arc::downgrade(self), id.to_owned(), Arc::downgrade(&connection)));
        Ok(())
    }

    /// A connection to work on.
    ///
    /// # Errors
    /// `NoConnection`
    pub(super) fn get(&self, id: &str) -> Result<InUse> {
        let open = self.open.lock();
        let connection = open.get(id).ok_or_else(|| Failure::NoConnection(id.to_owned()))?;
        Ok(InUse::of(Arc::clone(connection)))
    }

    /// Closes a connection and its statements; one that is not known is closed already.
    pub(super) fn close(&self, id: &str) {
        let closed = self.open.lock().remove(id);
        if let Some(connection) = closed {
            connection.close();
        }
    }
}

/// Makes room by closing the connection without statements that was not used for longest.
fn close_an_empty_one(open: &mut BTreeMap<String, Arc<Connection>>) -> bool {
    let empty = open.iter().filter(|(_, connection)| {
        connection.uses.load(Ordering::Acquire) == 0 && connection.statements.lock().is_empty()
    });
    let longest = empty.min_by_key(|(_, connection)| *connection.last_used.lock());
    let Some(id) = longest.map(|(id, _)| id.clone()) else { return false };
    open.remove(&id).is_some()
}

/// Closes a connection once it was idle for too long.
async fn expire(connections: Weak<Connections>, id: String, connection: Weak<Connection>) {
    loop {
        let (Some(all), Some(one)) = (connections.upgrade(), connection.upgrade()) else { return };
        let now = Instant::now();
        // Whoever begins to use it holds this, too.
        let mut open = all.open.lock();
        if one.uses.load(Ordering::Acquire) > 0 {
            *one.last_used.lock() = now;
        }
        let due = *one.last_used.lock() + all.limits.idle_timeout;
        if due <= now {
            if open.get(&id).is_some_and(|known| Arc::ptr_eq(known, &one)) {
                open.remove(&id);
            }
            drop(open);
            return one.close();
        }
        drop(open);
        drop((all, one));
        sleep_until(due).await;
    }
}

impl Connection {
    /// A new statement.
    ///
    /// # Errors
    /// When there are too many.
    pub(super) fn add(&self) -> Result<(u32, Arc<Statement>)> {
        let mut statements = self.statements.lock();
        if statements.len() >= self.max_statements {
            let message = format!(
                "too many statements: a connection may have {} open; close some",
                self.max_statements
            );
            return Err(Failure::Other { class: ErrorClass::Capacity, message });
        }
        let (id, statement) = (self.next_id(), Arc::<Statement>::default());
        statements.insert(id, Arc::clone(&statement));
        Ok((id, statement))
    }

    /// An id that no other statement has.
    pub(super) fn next_id(&self) -> u32 {
        self.last_statement.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// A statement; `None` when it was closed.
    pub(super) fn statement(&self, handle: &Handle) -> Option<Arc<Statement>> {
        self.statements.lock().get(&handle.statement).cloned()
    }

    /// Closes a statement; one that is not known is closed already.
    pub(super) fn close_statement(&self, id: u32) {
        let closed = self.statements.lock().remove(&id);
        if let Some(statement) = closed {
            statement.close();
        }
    }

    fn close(&self) {
        let statements = std::mem::take(&mut *self.statements.lock());
        statements.values().for_each(|statement| statement.close());
    }
}

impl Statement {
    /// Stops whoever works on it; what it holds goes with its last user.
    fn close(&self) {
        self.is_closed.store(true, Ordering::Release);
        self.closes.notify_waiters();
    }

    /// Completes when it is closed.
    pub(super) async fn closed(&self) {
        loop {
            let closes = self.closes.notified();
            if self.is_closed.load(Ordering::Acquire) {
                return;
            }
            closes.await;
        }
    }
}

impl InUse {
    fn of(connection: Arc<Connection>) -> Self {
        connection.uses.fetch_add(1, Ordering::AcqRel);
        Self(connection)
    }
}

impl std::ops::Deref for InUse {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.0
    }
}

impl Drop for InUse {
    fn drop(&mut self) {
        *self.0.last_used.lock() = Instant::now();
        self.0.uses.fetch_sub(1, Ordering::AcqRel);
    }
}
