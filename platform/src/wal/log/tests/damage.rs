//! F-17 and H-53: an unfinished end is cut off, any other damage is refused.

use super::*;

const FRAMES: usize = 4;

/// A log of one file with a few frames; gives the file and where each frame begins.
async fn written(directory: &Path) -> (PathBuf, Vec<usize>) {
    let (wal, _) = open(directory);
    let mut starts = Vec::new();
    for number in 0..FRAMES {
        starts.push(wal.size_bytes() as usize);
        wal.append(entry(format!("payload number {number}"))).await.unwrap();
    }
    let file = log_files(directory).pop().unwrap();
    assert_eq!(std::fs::read(&file).unwrap().len() as u64, wal.size_bytes());
    (file, starts)
}

#[tokio::test]
async fn f_17_a_torn_last_record_is_cut_off_at_every_length() {
    let origin = tempfile::tempdir().unwrap();
    let (file, starts) = written(origin.path()).await;
    let bytes = std::fs::read(&file).unwrap();
    let last = starts[FRAMES - 1];
    for length in last + 1..bytes.len() {
        let directory = tempfile::tempdir().unwrap();
        let copy = directory.path().join(file.file_name().unwrap());
        std::fs::write(&copy, &bytes[..length]).unwrap();
        let (wal, report) = open(directory.path());
        assert_eq!(report.torn_bytes, (length - last) as u64);
        assert_eq!(sequences(&wal, 0), [1, 2, 3]);
        // The cut-off bytes are kept aside, and the log goes on.
        assert_eq!(std::fs::read_dir(directory.path().join("quarantine")).unwrap().count(), 1);
        assert_eq!(wal.append(entry("next")).await.unwrap(), 4);
        drop(wal);
        let (wal, report) = open(directory.path());
        assert_eq!((report.torn_bytes, sequences(&wal, 0)), (0, vec![1, 2, 3, 4]));
    }
}

#[tokio::test]
async fn f_17_zeros_at_the_end_are_an_unfinished_write() {
    let directory = tempfile::tempdir().unwrap();
    let (file, _) = written(directory.path()).await;
    let mut bytes = std::fs::read(&file).unwrap();
    bytes.extend_from_slice(&[0; 5_000]);
    std::fs::write(&file, bytes).unwrap();
    let (wal, report) = open(directory.path());
    assert_eq!((report.torn_bytes, sequences(&wal, 0)), (5_000, vec![1, 2, 3, 4]));
}

/// Opens a copy of the log with other bytes in its file.
fn open_changed(file: &Path, bytes: &[u8]) -> Result<Vec<u64>> {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join(file.file_name().unwrap()), bytes).unwrap();
    let opened = Wal::open(directory.path(), WalOptions::default());
    opened.map(|(wal, _)| sequences(&wal, 0))
}

#[tokio::test]
async fn f_17_h_53_every_flipped_bit_before_the_last_record_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let (file, starts) = written(directory.path()).await;
    let bytes = std::fs::read(&file).unwrap();
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 1 << (at % 8);
        let opened = open_changed(&file, &changed);
        if at < starts[FRAMES - 1] {
            assert!(matches!(opened, Err(WalError::Corrupt { .. })), "byte {at}: {opened:?}");
        } else {
            // Nothing follows to tell it from an unfinished write; it never becomes a record.
            assert_eq!(opened.unwrap(), [1, 2, 3], "byte {at}");
        }
    }
}

#[tokio::test]
async fn h_53_swapped_repeated_and_removed_frames_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let (file, starts) = written(directory.path()).await;
    let bytes = std::fs::read(&file).unwrap();
    let frame =
        |index: usize| &bytes[starts[index]..*starts.get(index + 1).unwrap_or(&bytes.len())];
    let head = &bytes[..starts[0]];
    let swapped = [head, frame(0), frame(2), frame(1), frame(3)].concat();
    let repeated = [head, frame(0), frame(1), frame(1), frame(2), frame(3)].concat();
    for changed in [swapped, repeated] {
        assert!(matches!(open_changed(&file, &changed), Err(WalError::Corrupt { .. })));
    }
    // An old frame behind the end is cut off like any other rubbish there.
    let replayed = [&bytes, frame(0)].concat();
    assert_eq!(open_changed(&file, &replayed).unwrap(), [1, 2, 3, 4]);
}

#[tokio::test]
async fn h_53_damage_in_an_older_file_is_refused_even_at_its_end() {
    let directory = tempfile::tempdir().unwrap();
    let (wal, _) = Wal::open(directory.path(), small_files()).unwrap();
    for _ in 0..3 {
        wal.append(entry("some payload")).await.unwrap();
    }
    drop(wal);
    let first = log_files(directory.path()).remove(0);
    let bytes = std::fs::read(&first).unwrap();
    std::fs::write(&first, &bytes[..bytes.len() - 1]).unwrap();
    let error = Wal::open(directory.path(), small_files()).unwrap_err();
    assert!(error.to_string().contains("00000000000000000001.wal"), "{error}");
    assert_eq!(error.class(), henge_types::ErrorClass::Corrupt);
}

#[tokio::test]
async fn h_51_strange_files_under_the_name_of_a_log_are_refused() {
    for content in [&b""[..], b"x", &[0; 40], &[0xff; 100]] {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("00000000000000000001.wal"), content).unwrap();
        assert!(Wal::open(directory.path(), WalOptions::default()).is_err());
    }
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir(directory.path().join("00000000000000000001.wal")).unwrap();
    assert!(Wal::open(directory.path(), WalOptions::default()).is_err());
}

#[tokio::test]
async fn payloads_that_look_like_frames_do_not_confuse_recovery() {
    let directory = tempfile::tempdir().unwrap();
    let other = tempfile::tempdir().unwrap();
    let (stranger, starts) = written(other.path()).await;
    let frames = std::fs::read(&stranger).unwrap().split_off(starts[0]);
    let options = WalOptions { codec: WalCodec::None, ..WalOptions::default() };
    let (wal, _) = Wal::open(directory.path(), options).unwrap();
    wal.append(entry("good")).await.unwrap();
    wal.append(entry(frames)).await.unwrap();
    drop(wal);
    let file = log_files(directory.path()).remove(0);
    let bytes = std::fs::read(&file).unwrap();
    std::fs::write(&file, &bytes[..bytes.len() - 1]).unwrap();
    // The torn record holds whole frames of another log: they are not taken for this one's.
    let (wal, report) = open(directory.path());
    assert!(report.torn_bytes > 0);
    assert_eq!(sequences(&wal, 0), [1]);
}
