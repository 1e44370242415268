//! F-17: records that are gone without a broken byte are missed: files and frames name what was
//! before them, and the tail how far the log was durable. Published records are never needed.

use super::*;
use crate::wal::header::FileHeader;
use crate::wal::{accept_loss, inspect_log};

/// A log of several files, a frame each; gives its files.
async fn several(directory: &Path, count: u64) -> Vec<PathBuf> {
    let (wal, _) = Wal::open(directory, small_files()).unwrap();
    for number in 0..count {
        wal.append(entry(format!("payload number {number}"))).await.unwrap();
    }
    log_files(directory)
}

fn copy(from: &Path) -> tempfile::TempDir {
    let to = tempfile::tempdir().unwrap();
    for file in std::fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        if file.file_type().unwrap().is_file() {
            std::fs::copy(file.path(), to.path().join(file.file_name())).unwrap();
        }
    }
    to
}

fn open_published(directory: &Path, committed: u64) -> Result<Vec<u64>> {
    let options = WalOptions { minimum_next_sequence: committed + 1, ..WalOptions::default() };
    Wal::open(directory, options).map(|(wal, _)| sequences(&wal, committed + 1))
}

#[tokio::test]
async fn f_17_a_missing_file_is_named_with_its_records_unless_they_are_published() {
    let origin = tempfile::tempdir().unwrap();
    let files = several(origin.path(), 6).await;
    for missing in 0..6_u64 {
        let damaged = copy(origin.path());
        let name = files[usize::try_from(missing).unwrap()].file_name().unwrap();
        std::fs::remove_file(damaged.path().join(name)).unwrap();
        let record = missing + 1;
        let error = open_published(damaged.path(), 0).unwrap_err().to_string();
        assert!(error.contains(&format!("records {record} to {record} ")), "{record}: {error}");
        // The operator gives up what is missing, and nothing else.
        let given_up = accept_loss(damaged.path(), 0, 0).unwrap();
        assert_eq!((given_up.kept_records, given_up.damages.len()), (5, 1));
        let rest: Vec<u64> = (1..=6).filter(|sequence| *sequence != record).collect();
        assert_eq!(open_published(damaged.path(), 0).unwrap(), rest);
        assert!(given_up.kept_aside.unwrap().is_dir());
        assert_eq!(accept_loss(damaged.path(), 0, 0).unwrap().damages, Vec::<String>::new());
        // Published records are not needed.
        let damaged = copy(origin.path());
        std::fs::remove_file(damaged.path().join(name)).unwrap();
        let expected: Vec<u64> = (record + 1..=6).collect();
        assert_eq!(open_published(damaged.path(), record).unwrap(), expected);
    }
}

#[tokio::test]
async fn f_17_giving_up_what_is_lost_may_be_killed_anywhere() {
    let origin = tempfile::tempdir().unwrap();
    let files = several(origin.path(), 6).await;
    for committed in 0..3_u64 {
        let damaged = copy(origin.path());
        std::fs::remove_file(damaged.path().join(files[3].file_name().unwrap())).unwrap();
        let kept = accept_loss(damaged.path(), 0, committed).unwrap().kept_aside.unwrap();
        let wanted: Vec<u64> = (committed + 1..=6).filter(|sequence| *sequence != 4).collect();
        let mut old: Vec<_> =
            std::fs::read_dir(kept).unwrap().map(|entry| entry.unwrap().path()).collect();
        old.sort();
        // Old files are removed in their order: the first so many of them are gone.
        for removed in 0..old.len() {
            let killed = copy(damaged.path());
            for path in &old[removed..] {
                let place = killed.path().join(path.file_name().unwrap());
                if !place.exists() {
                    std::fs::copy(path, place).unwrap();
                }
            }
            match open_published(killed.path(), committed) {
                Ok(found) => assert_eq!(found, wanted, "{committed} {removed}"),
                Err(_) => {
                    accept_loss(killed.path(), 0, committed).unwrap();
                    assert_eq!(open_published(killed.path(), committed).unwrap(), wanted);
                }
            }
        }
    }
}

#[tokio::test]
async fn f_17_a_cut_between_two_frames_is_noticed_at_the_end_of_any_file() {
    let directory = tempfile::tempdir().unwrap();
    let mut ends = Vec::new();
    let (wal, _) = open(directory.path());
    for number in 0..5 {
        wal.append(entry(format!("payload number {number}"))).await.unwrap();
        ends.push(wal.size_bytes());
    }
    drop(wal);
    let name = log_files(directory.path()).remove(0);
    let cut = |kept: usize| {
        let damaged = copy(directory.path());
        let file = damaged.path().join(name.file_name().unwrap());
        let file = std::fs::OpenOptions::new().write(true).open(file).unwrap();
        file.set_len(ends[kept - 1]).unwrap();
        open_published(damaged.path(), 0).unwrap_err().to_string()
    };
    for kept in 1..5 {
        let error = cut(kept);
        let expected = format!("records {} to 5 were durable and are missing", kept + 1);
        assert!(error.contains(&expected), "{error}");
    }
    // With a file behind it, that file tells.
    open(directory.path()).0.append(entry("later")).await.unwrap();
    for kept in 1..5 {
        let error = cut(kept);
        assert!(error.contains(&format!("records {} to 5 are missing", kept + 1)), "{error}");
    }
}

#[tokio::test]
async fn f_17_a_cut_within_the_last_frame_is_an_unfinished_write_and_one_before_it_is_not() {
    let origin = tempfile::tempdir().unwrap();
    let (wal, _) = open(origin.path());
    let mut ends = Vec::new();
    for _ in 0..3 {
        wal.append(entry("some payload")).await.unwrap();
        ends.push(wal.size_bytes());
    }
    drop(wal);
    let name = log_files(origin.path()).remove(0);
    for length in ends[0] + 1..ends[2] {
        let damaged = copy(origin.path());
        let file = damaged.path().join(name.file_name().unwrap());
        std::fs::OpenOptions::new().write(true).open(file).unwrap().set_len(length).unwrap();
        let state = inspect_log(damaged.path(), 0, 0).unwrap();
        let opened = Wal::open(damaged.path(), WalOptions::default());
        if length <= ends[1] {
            // Record 3 is gone as well, and no bytes of it are left.
            assert!(opened.is_err() && state.damages.len() == 1, "{length}");
            continue;
        }
        let (wal, report) = opened.unwrap();
        assert_eq!((report.torn_records, report.quarantined), (Some((3, 3)), 1));
        assert!(state.notes[0].contains("records 3 to 3, which were acknowledged"), "{state:?}");
        // The loss is said once; the log goes on.
        wal.append(entry("next")).await.unwrap();
        drop(wal);
        assert_eq!(open_published(damaged.path(), 0).unwrap(), [1, 2, 3]);
    }
}

#[tokio::test]
async fn f_17_an_older_copy_or_another_file_under_a_name_is_noticed() {
    let directory = tempfile::tempdir().unwrap();
    let (wal, _) = open(directory.path());
    wal.append(entry("one")).await.unwrap();
    let file = log_files(directory.path()).remove(0);
    let older = std::fs::read(&file).unwrap();
    wal.append(entry("two")).await.unwrap();
    drop(wal);
    let newest = copy(directory.path());
    std::fs::write(newest.path().join(file.file_name().unwrap()), &older).unwrap();
    assert!(open_published(newest.path(), 0).is_err());
    // A file of the same name and sequences, from another life of the log.
    let other = tempfile::tempdir().unwrap();
    let (wal, _) = open(other.path());
    wal.append(entry("other one")).await.unwrap();
    wal.append(entry("other two")).await.unwrap();
    drop(wal);
    let mixed = copy(directory.path());
    let stranger = log_files(other.path()).remove(0);
    std::fs::copy(&stranger, mixed.path().join(file.file_name().unwrap())).unwrap();
    let error = open_published(mixed.path(), 0).unwrap_err().to_string();
    assert!(error.contains("not the one that was written"), "{error}");
    // And in the middle.
    open(directory.path()).0.append(entry("three")).await.unwrap();
    let mixed = copy(directory.path());
    std::fs::copy(&stranger, mixed.path().join(file.file_name().unwrap())).unwrap();
    let error = open_published(mixed.path(), 0).unwrap_err().to_string();
    assert!(error.contains("replaced or changed"), "{error}");
    // What was published since tells that all of the log is an older copy.
    let old = copy(directory.path());
    let error = open_published(old.path(), 9).unwrap_err().to_string();
    assert!(error.contains("older copy"), "{error}");
}

#[tokio::test]
async fn f_34_the_log_of_another_cluster_or_datasource_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let of = |identity| WalOptions { identity, ..WalOptions::default() };
    let (wal, _) = Wal::open(directory.path(), of(7)).unwrap();
    wal.append(entry("x")).await.unwrap();
    drop(wal);
    let error = Wal::open(directory.path(), of(8)).unwrap_err().to_string();
    assert!(error.contains("another datasource or cluster"), "{error}");
    assert!(accept_loss(directory.path(), 8, 0).is_err());
    Wal::open(directory.path(), of(7)).unwrap();
}

#[tokio::test]
async fn f_17_damage_among_published_records_stops_nobody() {
    let directory = tempfile::tempdir().unwrap();
    let (wal, _) = open(directory.path());
    let mut ends = vec![wal.size_bytes()];
    for _ in 0..5 {
        wal.append(entry("some payload")).await.unwrap();
        ends.push(wal.size_bytes());
    }
    drop(wal);
    let name = log_files(directory.path()).remove(0);
    let bytes = std::fs::read(&name).unwrap();
    for at in 56..bytes.len() {
        let record = ends.iter().filter(|end| **end <= at as u64).count() as u64;
        let damaged = copy(directory.path());
        let mut changed = bytes.clone();
        changed[at] ^= 1 << (at % 8);
        std::fs::write(damaged.path().join(name.file_name().unwrap()), &changed).unwrap();
        let expected: Vec<u64> = (record + 1..=5).collect();
        assert_eq!(open_published(damaged.path(), record).unwrap(), expected, "byte {at}");
    }
}

/// A file as version 1 wrote it.
fn plain_file(directory: &Path, records: std::ops::RangeInclusive<u64>) {
    let header = FileHeader::plain(*records.start(), 99);
    let mut bytes = header.encode();
    for sequence in records.clone() {
        let record = WalRecord { sequence, entry: entry(format!("old {sequence}")) };
        let (frame, _) = crate::wal::frame::encode_frame(
            &[record],
            WalCodec::Lz4,
            &header,
            crate::wal::header::Link::default(),
        );
        bytes.extend_from_slice(&frame);
    }
    let path = directory.join(format!("{:020}.wal", records.start()));
    std::fs::write(path, bytes).unwrap();
}

#[tokio::test]
async fn logs_of_the_first_version_are_read_and_missing_files_in_them_noticed() {
    let directory = tempfile::tempdir().unwrap();
    for records in [1..=3, 4..=6, 7..=9] {
        plain_file(directory.path(), records);
    }
    let damaged = copy(directory.path());
    let (wal, _) = open(directory.path());
    assert_eq!(wal.append(entry("new")).await.unwrap(), 10);
    drop(wal);
    assert_eq!(open_published(directory.path(), 0).unwrap(), (1..=10).collect::<Vec<_>>());
    std::fs::remove_file(&log_files(damaged.path())[1]).unwrap();
    let error = open_published(damaged.path(), 0).unwrap_err().to_string();
    assert!(error.contains("records 4 to 6 are missing"), "{error}");
    assert_eq!(open_published(damaged.path(), 6).unwrap(), [7, 8, 9]);
    std::fs::remove_file(&log_files(damaged.path())[0]).unwrap();
    assert!(open_published(damaged.path(), 5).is_err());
}
