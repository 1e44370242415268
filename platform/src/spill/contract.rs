//! What every [`SpillStorage`] keeps to.

use super::SpillStorage;

/// Runs the contract.
pub(super) fn holds(storage: &dyn SpillStorage) {
    let (mut first, mut second) = (storage.create().unwrap(), storage.create().unwrap());
    assert_eq!(first.append(b"hello").unwrap(), 0);
    assert_eq!(second.append(b"other").unwrap(), 0);
    assert_eq!(first.append(b" world").unwrap(), 5);
    assert_eq!(first.read(0, 11).unwrap(), b"hello world");
    assert_eq!(first.read(4, 3).unwrap(), b"o w");
    assert_eq!(second.read(0, 5).unwrap(), b"other");
    assert!(first.read(6, 6).is_err(), "beyond the end");
    assert_eq!(first.append(b"!").unwrap(), 11);
}
