//! F-17: records that are gone without a broken byte are missed: files and frames name what was
//! before them, and a mark beside the log how far it was durable. Published records are never needed.

use super::marked::{Marked, one_file, several};
use super::*;
use crate::wal::frame::{FrameBuffers, encode_frame};
use crate::wal::header::FileHeader;
use crate::wal::tail::{TAIL, write_tail};
use crate::wal::{ExpectedLog, LogMark, LogMarks, accept_loss, inspect_log};

#[tokio::test]
async fn f_17_a_missing_file_is_named_with_its_records_unless_they_are_published() {
    let origin = several(6).await;
    for missing in 0..6_usize {
        let damaged = origin.copy();
        std::fs::remove_file(damaged.file(missing)).unwrap();
        let record = missing as u64 + 1;
        let error = damaged.error(0);
        assert!(error.contains(&format!("record {record} (1 push) is missing")), "{error}");
        // The operator gives up what is missing, and nothing else.
        let given_up = damaged.accept(0);
        assert_eq!((given_up.kept_records, given_up.damages.len()), (5, 1));
        let rest: Vec<u64> = (1..=6).filter(|sequence| *sequence != record).collect();
        assert_eq!(damaged.open_published(0).unwrap(), rest);
        assert!(given_up.kept_aside.unwrap().is_dir());
        assert_eq!(damaged.accept(0).damages, Vec::<String>::new());
        // Published records are not needed.
        let damaged = origin.copy();
        std::fs::remove_file(damaged.file(missing)).unwrap();
        let expected: Vec<u64> = (record + 1..=6).collect();
        assert_eq!(damaged.open_published(record).unwrap(), expected);
    }
}

#[tokio::test]
async fn f_17_a_cut_between_two_frames_is_noticed_at_the_end_of_any_file() {
    let (log, ends) = one_file(5).await;
    let cut = |kept: usize| {
        let damaged = log.copy();
        damaged.cut_file(0, ends[kept - 1]);
        damaged.error(0)
    };
    let missing = |kept: usize| match kept {
        4 => "record 5 (1 push) is missing".to_owned(),
        _ => format!("records {} to 5 ({} pushes) are missing", kept + 1, 5 - kept),
    };
    for kept in 1..5 {
        let error = cut(kept);
        assert!(error.contains(&format!("ends at record {kept}, but")), "{error}");
        assert!(error.contains(&missing(kept)), "{error}");
    }
    // With a file behind it, that file tells.
    log.open().append(entry("later")).await.unwrap();
    for kept in 1..5 {
        let error = cut(kept);
        assert!(error.contains(&missing(kept)), "{error}");
    }
}

#[tokio::test]
async fn f_17_a_cut_within_the_last_frame_is_an_unfinished_write_and_one_before_it_is_not() {
    let (origin, ends) = one_file(3).await;
    for length in ends[0] + 1..ends[2] {
        let damaged = origin.copy();
        damaged.cut_file(0, length);
        let state = inspect_log(damaged.path(), damaged.expected(0)).unwrap();
        let opened = Wal::open(damaged.path(), damaged.options());
        if length <= ends[1] {
            // Record 3 is gone as well, and no bytes of it are left.
            assert!(opened.is_err() && state.damages.len() == 1, "{length}");
            continue;
        }
        let (wal, report) = opened.unwrap();
        assert_eq!((report.torn_records, report.quarantined), (Some((3, 3)), 1));
        assert!(state.notes[0].contains("records 3 to 3, which were acknowledged"), "{state:?}");
        // The loss is said once; the log goes on, and an older mark of it says nothing any more.
        wal.append(entry("next")).await.unwrap();
        drop(wal);
        let noted = origin.marks.get(0);
        let options = WalOptions { noted, ..damaged.options() };
        assert_eq!(sequences(&Wal::open(damaged.path(), options).unwrap().0, 1), [1, 2, 3]);
    }
}

#[tokio::test]
async fn f_17_a_kill_while_a_torn_write_is_cut_off_leaves_no_log_behind_its_mark() {
    let (origin, ends) = one_file(3).await;
    let torn = origin.copy();
    torn.cut_file(0, ends[2] - 1);
    let opened = torn.copy();
    opened.open();
    // The mark was taken back, and the bytes were still there; then they were gone, and no file begun.
    for length in [ends[2] - 1, ends[1]] {
        let killed = Marked { marks: opened.marks.copied(), ..torn.copy() };
        killed.cut_file(0, length);
        assert_eq!(killed.open_published(0).unwrap(), [1, 2]);
    }
}

#[tokio::test]
async fn f_17_an_older_copy_or_another_file_under_a_name_is_noticed() {
    let log = Marked::new();
    let wal = log.open();
    wal.append(entry("one")).await.unwrap();
    let older = log.copy();
    wal.append(entry("two")).await.unwrap();
    drop(wal);
    let newest = log.copy();
    newest.restore(&older);
    assert!(newest.error(0).contains("record 2 (1 push) is missing"), "{}", newest.error(0));
    // What is published is not needed, and its numbers are not given out again.
    assert_eq!(newest.copy().open_published(2).unwrap(), Vec::<u64>::new());
    assert_eq!(newest.accept(0).kept_records, 1);
    assert_eq!(newest.open_published(0).unwrap(), [1]);
    // A file of the same name and sequences, from another life of the log.
    let other = Marked::new();
    let wal = other.open();
    wal.append(entry("other one")).await.unwrap();
    wal.append(entry("other two")).await.unwrap();
    let mixed = log.copy();
    mixed.restore(&other);
    assert!(mixed.error(0).contains("not the one that was written"), "{}", mixed.error(0));
    // Also when it is longer than what is missing.
    wal.append(entry("other three")).await.unwrap();
    drop(wal);
    mixed.restore(&other);
    assert!(mixed.error(0).contains("record 2 is not the one"), "{}", mixed.error(0));
    // And in the middle.
    log.open().append(entry("three")).await.unwrap();
    let mixed = log.copy();
    std::fs::copy(other.file(0), mixed.file(0)).unwrap();
    assert!(mixed.error(0).contains("replaced or changed"), "{}", mixed.error(0));
    // Without a mark, what was published since tells that all of the log is an older copy.
    let old = Marked { marks: LogMarks::default(), ..log.copy() };
    assert!(old.error(9).contains("older copy"), "{}", old.error(9));
}

#[tokio::test]
async fn f_17_every_earlier_state_of_a_log_is_noticed_until_the_rest_is_published() {
    let log = Marked::new();
    let options = WalOptions { max_file_bytes: 300, ..log.options() };
    let (wal, _) = Wal::open(log.path(), options).unwrap();
    let mut states = Vec::new();
    for number in 0..8 {
        states.push(log.copy());
        wal.append(entry(format!("payload number {number}"))).await.unwrap();
        if number == 4 {
            assert!(wal.truncate_before(3).unwrap() > 0);
        }
    }
    drop(wal);
    let newest = log.copy();
    for (number, older) in states.iter().enumerate() {
        let number = number as u64;
        for committed in 2..=8 {
            let restored = newest.copy();
            restored.restore(older);
            let found = restored.open_published(committed);
            match committed {
                8 => assert_eq!(found.unwrap(), Vec::<u64>::new()),
                _ => {
                    let first = number.max(committed) + 1;
                    let error = found.unwrap_err().to_string();
                    let missing = [format!("records {first} to 8"), format!("record {first} (1")];
                    assert!(missing.iter().any(|text| error.contains(text)), "{error}");
                    // The right one is put back, and all is there.
                    restored.restore(&newest);
                    let expected: Vec<u64> = (committed + 1..=8).collect();
                    assert_eq!(restored.open_published(committed).unwrap(), expected);
                }
            }
        }
    }
}

#[tokio::test]
async fn f_17_a_log_that_is_gone_is_noticed_until_all_of_it_is_published() {
    let origin = several(3).await;
    for emptied in [false, true] {
        let gone = origin.copy();
        std::fs::remove_dir_all(gone.path()).unwrap();
        if emptied {
            std::fs::create_dir(gone.path()).unwrap();
        }
        for committed in 0..3 {
            let error = gone.error(committed);
            assert!(error.contains("was durable up to record 3"), "{error}");
            assert!(error.contains(if emptied { "has no files" } else { "is gone" }), "{error}");
            // Nothing was made that would look like a new log.
            assert_eq!(gone.path().exists(), emptied);
        }
        let published = Marked { marks: gone.marks.copied(), ..Marked::without_folder() };
        assert_eq!(published.open_published(3).unwrap(), Vec::<u64>::new());
        let given_up = gone.accept(1);
        assert_eq!((given_up.kept_records, given_up.kept_aside), (0, None));
        let options = WalOptions { minimum_next_sequence: 2, ..gone.options() };
        let (wal, _) = Wal::open(gone.path(), options).unwrap();
        assert_eq!(wal.append(entry("next")).await.unwrap(), 2);
    }
    // One that was never made is not missed.
    assert_eq!(Marked::without_folder().open_published(0).unwrap(), Vec::<u64>::new());
}

#[tokio::test]
async fn f_17_a_lost_mark_is_said_and_what_was_noted_elsewhere_still_counts() {
    let (log, ends) = one_file(4).await;
    let noted = log.marks.get(0);
    let unmarked = |log: &Marked| Marked { marks: LogMarks::default(), ..log.copy() };
    let expected = |log: &Marked, committed| ExpectedLog {
        known: log.marks.known_end(0, noted),
        ..log.expected(committed)
    };
    let whole = unmarked(&log);
    let state = inspect_log(whole.path(), expected(&whole, 0)).unwrap();
    assert_eq!((state.damages.len(), state.notes.len()), (0, 1), "{state:?}");
    assert!(state.notes[0].contains("the mark of the log"), "{state:?}");
    let cut = unmarked(&log);
    cut.cut_file(0, ends[1]);
    let state = inspect_log(cut.path(), expected(&cut, 0)).unwrap();
    assert!(state.damages[0].contains("records 3 to 4 (2 pushes) are missing"), "{state:?}");
    // Without the log nobody knows what it held.
    let gone = Marked::without_folder();
    for (committed, text) in [(2, "records 3 to 4"), (4, "and so is its mark")] {
        let state = inspect_log(gone.path(), expected(&gone, committed)).unwrap();
        assert!(state.damages[0].contains(text), "{state:?}");
    }
}

#[tokio::test]
async fn f_17_a_log_that_went_on_after_its_mark_was_written_is_fine() {
    let log = Marked::new();
    let wal = log.open();
    for number in 0..4 {
        let marks = log.marks.copied();
        wal.append(entry("some payload")).await.unwrap();
        // After a power cut the mark may be an earlier one.
        let behind = Marked { marks, ..log.copy() };
        let expected: Vec<u64> = (1..=number + 1).collect();
        assert_eq!(behind.open_published(0).unwrap(), expected);
        assert_eq!(behind.marks.get(0).unwrap().sequence, number + 1);
    }
}

#[tokio::test]
async fn f_17_the_tail_of_an_earlier_version_is_the_mark_until_there_is_one() {
    let (log, ends) = one_file(3).await;
    let old = Marked { marks: LogMarks::default(), ..log.copy() };
    write_tail(old.path(), &log.marks.get(0).unwrap());
    let cut = old.copy();
    cut.cut_file(0, ends[1]);
    assert!(cut.error(0).contains("record 3 (1 push) is missing"), "{}", cut.error(0));
    assert_eq!(old.open_published(0).unwrap(), [1, 2, 3]);
    assert!(!old.path().join(TAIL).exists());
    assert_eq!(old.marks.get(0).unwrap().sequence, 3);
    // An earlier version that ran in between leaves one that is not asked any more.
    write_tail(old.path(), &LogMark { sequence: 9, ..log.marks.get(0).unwrap() });
    assert_eq!(old.open_published(0).unwrap(), [1, 2, 3]);
}

#[tokio::test]
async fn f_34_the_log_of_another_cluster_or_datasource_is_refused() {
    let log = Marked::new();
    let of = |identity| WalOptions { identity, ..log.options() };
    let (wal, _) = Wal::open(log.path(), of(7)).unwrap();
    wal.append(entry("x")).await.unwrap();
    drop(wal);
    let error = Wal::open(log.path(), of(8)).unwrap_err().to_string();
    assert!(error.contains("another datasource or cluster"), "{error}");
    let expected = ExpectedLog { identity: 8, ..log.expected(0) };
    assert!(accept_loss(log.path(), expected, &log.marks).is_err());
    Wal::open(log.path(), of(7)).unwrap();
}

#[tokio::test]
async fn f_17_damage_among_published_records_stops_nobody() {
    let (log, ends) = one_file(5).await;
    let bytes = std::fs::read(log.file(0)).unwrap();
    for at in 56..bytes.len() {
        let record = 1 + ends.iter().filter(|end| **end <= at as u64).count() as u64;
        let damaged = log.copy();
        let mut changed = bytes.clone();
        changed[at] ^= 1 << (at % 8);
        std::fs::write(damaged.file(0), &changed).unwrap();
        let expected: Vec<u64> = (record + 1..=5).collect();
        assert_eq!(damaged.open_published(record).unwrap(), expected, "byte {at}");
    }
}

/// A file as version 1 wrote it.
fn plain_file(directory: &Path, records: std::ops::RangeInclusive<u64>) {
    let header = FileHeader::plain(*records.start(), 99);
    let mut bytes = header.encode();
    for sequence in records.clone() {
        let record = WalRecord { sequence, entry: entry(format!("old {sequence}")) };
        let mut buffers = FrameBuffers::default();
        let (frame, _) = encode_frame(
            &[record],
            WalCodec::Lz4,
            &header,
            crate::wal::header::Link::default(),
            &mut buffers,
        );
        bytes.extend_from_slice(frame);
    }
    let path = directory.join(format!("{:020}.wal", records.start()));
    std::fs::write(path, bytes).unwrap();
}

#[tokio::test]
async fn logs_of_the_first_version_are_read_and_missing_files_in_them_noticed() {
    let log = Marked::new();
    for records in [1..=3, 4..=6, 7..=9] {
        plain_file(log.path(), records);
    }
    let damaged = log.copy();
    assert_eq!(log.open().append(entry("new")).await.unwrap(), 10);
    assert_eq!(log.open_published(0).unwrap(), (1..=10).collect::<Vec<_>>());
    std::fs::remove_file(damaged.file(1)).unwrap();
    assert!(
        damaged.error(0).contains("records 4 to 6 (3 pushes) are missing"),
        "{}",
        damaged.error(0)
    );
    assert_eq!(damaged.copy().open_published(6).unwrap(), [7, 8, 9]);
    std::fs::remove_file(damaged.file(0)).unwrap();
    damaged.error(5);
}

#[tokio::test]
async fn f_17_rows_that_are_published_prove_how_long_the_log_was() {
    let (log, ends) = one_file(4).await;
    let older = Marked { marks: LogMarks::default(), ..log.copy() };
    older.cut_file(0, ends[1]);
    let of = |published_of| ExpectedLog { published_of, ..older.expected(1) };
    assert_eq!(inspect_log(older.path(), of(2)).unwrap().damages, Vec::<String>::new());
    let state = inspect_log(older.path(), of(3)).unwrap();
    assert!(state.damages[0].contains("rows of records up to 3 were published"), "{state:?}");
    let gone = Marked::without_folder();
    let state = inspect_log(gone.path(), ExpectedLog { published_of: 3, ..gone.expected(1) });
    assert!(state.unwrap().damages[0].contains("records 2 to 3 (2 pushes) are missing"));
    // No write was torn that was published.
    let torn = log.copy();
    torn.cut_file(0, ends[3] - 1);
    let of = |published_of| ExpectedLog { published_of, ..torn.expected(1) };
    assert_eq!(inspect_log(torn.path(), of(3)).unwrap().damages, Vec::<String>::new());
    assert_eq!(inspect_log(torn.path(), of(4)).unwrap().damages.len(), 1);
}
