//! Files that may only grow as room is found for them.

use std::io::{Error, ErrorKind, Result, Write};

use super::Reservation;

/// Room is set aside in steps of this while a file grows.
const ROOM_STEP_BYTES: u64 = 16 << 20;

/// A writer that sets room aside before it writes.
#[derive(Debug)]
pub(crate) struct Metered<W> {
    out: W,
    written_bytes: u64,
    room: Reservation,
}

impl<W: Write> Metered<W> {
    /// Nothing is written so far.
    pub(crate) fn new(out: W, room: Reservation) -> Self {
        Self { out, written_bytes: 0, room }
    }

    /// The room of what was written.
    pub(crate) fn into_room(self, size_bytes: u64) -> Reservation {
        let mut room = self.room;
        room.shrink_to(size_bytes);
        room
    }
}

impl<W: Write> Write for Metered<W> {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        let needed_bytes = self.written_bytes + bytes.len() as u64;
        if needed_bytes > self.room.size_bytes() {
            self.room
                .grow_to(needed_bytes.next_multiple_of(ROOM_STEP_BYTES))
                .map_err(|full| Error::new(ErrorKind::StorageFull, full.to_string()))?;
        }
        let taken = self.out.write(bytes)?;
        self.written_bytes += taken as u64;
        Ok(taken)
    }

    fn flush(&mut self) -> Result<()> {
        self.out.flush()
    }
}
