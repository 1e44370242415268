//! [`Writer`]: arrays and objects, with line breaks and indents when they are wanted.

use henge_types::json as scalar;

/// Spaces a level.
const INDENT: usize = 2;

/// Writes JSON to a buffer, front to back.
pub(super) struct Writer<'o> {
    out: &'o mut Vec<u8>,
    indented: bool,
    depth: usize,
    /// True while the innermost array or object has nothing in it.
    is_empty: bool,
}

impl<'o> Writer<'o> {
    pub(super) fn new(out: &'o mut Vec<u8>, indented: bool) -> Self {
        Self { out, indented, depth: 0, is_empty: true }
    }

    /// Length of the buffer.
    pub(super) fn len(&self) -> usize {
        self.out.len()
    }

    /// The buffer, for a value: it comes after an [`Writer::item`] or a [`Writer::key`].
    pub(super) fn out(&mut self) -> &mut Vec<u8> {
        self.out
    }

    /// Writes somewhere else what will stand so much deeper than here.
    pub(super) fn aside<'a>(&self, out: &'a mut Vec<u8>) -> Writer<'a> {
        Writer { out, indented: self.indented, depth: self.depth, is_empty: true }
    }

    pub(super) fn depth(&self) -> usize {
        self.depth
    }

    /// Goes on at another depth, within something that is written already.
    pub(super) fn set_depth(&mut self, depth: usize) {
        self.depth = depth;
    }

    /// Begins an array or an object.
    pub(super) fn open(&mut self, bracket: u8) {
        self.out.push(bracket);
        self.depth += 1;
        self.is_empty = true;
    }

    /// Ends it.
    pub(super) fn close(&mut self, bracket: u8) {
        self.depth -= 1;
        if !self.is_empty {
            self.new_line();
        }
        self.out.push(bracket);
        self.is_empty = false;
    }

    /// Begins the next element of an array.
    #[inline]
    pub(super) fn item(&mut self) {
        if !self.is_empty {
            self.out.push(b',');
        }
        self.is_empty = false;
        self.new_line();
    }

    /// Begins the next member of an object.
    pub(super) fn key(&mut self, name: &str) {
        self.item();
        scalar::write_string(self.out, name);
        self.out.push(b':');
        if self.indented {
            self.out.push(b' ');
        }
    }

    /// An array of all of them.
    pub(super) fn list<T>(
        &mut self,
        items: impl IntoIterator<Item = T>,
        mut write_item: impl FnMut(&mut Self, T),
    ) {
        self.open(b'[');
        for item in items {
            self.item();
            write_item(self, item);
        }
        self.close(b']');
    }

    /// A member that is text.
    pub(super) fn text_member(&mut self, name: &str, text: &str) {
        self.key(name);
        scalar::write_string(self.out, text);
    }

    /// A member that `write` writes, or null.
    pub(super) fn optional_member<T>(
        &mut self,
        name: &str,
        value: Option<T>,
        write: impl FnOnce(&mut Self, T),
    ) {
        self.key(name);
        match value {
            Some(value) => write(self, value),
            None => scalar::write_null(self.out),
        }
    }

    #[inline]
    fn new_line(&mut self) {
        if self.indented {
            self.out.push(b'\n');
            self.out.resize(self.out.len() + INDENT * self.depth, b' ');
        }
    }
}
