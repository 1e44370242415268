//! F-17: what is given up is named, is given up once, and does not come back.

use super::marked::{Marked, one_file, several};
use super::*;

#[tokio::test]
async fn f_17_giving_up_what_is_lost_may_be_killed_anywhere() {
    let origin = several(6).await;
    for committed in 0..3_u64 {
        let damaged = origin.copy();
        std::fs::remove_file(damaged.file(3)).unwrap();
        let kept = damaged.accept(committed).kept_aside.unwrap();
        let wanted: Vec<u64> = (committed + 1..=6).filter(|sequence| *sequence != 4).collect();
        let mut old: Vec<_> =
            std::fs::read_dir(kept).unwrap().map(|entry| entry.unwrap().path()).collect();
        old.sort();
        // Old files are removed in their order, and the new end is marked at last.
        for removed in 0..=old.len() {
            let killed = Marked { marks: origin.marks.copied(), ..damaged.copy() };
            for path in &old[removed..] {
                let place = killed.path().join(path.file_name().unwrap());
                if !place.exists() {
                    std::fs::copy(path, place).unwrap();
                }
            }
            if killed.open_published(committed).is_err() {
                killed.accept(committed);
            }
            assert_eq!(killed.open_published(committed).unwrap(), wanted, "{committed} {removed}");
        }
    }
}

#[tokio::test]
async fn f_17_a_log_that_was_given_up_does_not_come_back() {
    for kept in 0..3 {
        let (log, ends) = one_file(3).await;
        let whole = log.copy();
        match kept {
            0 => std::fs::remove_dir_all(log.path()).unwrap(),
            kept => log.cut_file(0, ends[kept - 1]),
        }
        assert_eq!(log.accept(0).kept_records, kept as u64);
        let put_back = Marked { marks: log.marks.copied(), ..whole.copy() };
        assert!(put_back.error(0).contains("is not the one that was written"), "{kept}");
        for round in 0..3 {
            assert_eq!(log.open_published(0).unwrap().len(), kept + round);
            log.open().append(entry("more")).await.unwrap();
        }
    }
}

/// What was acknowledged and is torn is given up as well, and named.
#[tokio::test]
async fn f_17_a_torn_write_beside_other_damage_is_named_when_it_is_given_up() {
    let (log, ends) = one_file(4).await;
    let path = log.file(0);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[ends[1] as usize - 1] ^= 1;
    bytes[ends[3] as usize - 1] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let given_up = log.accept(0);
    assert_eq!(given_up.kept_records, 2, "{given_up:?}");
    let named = |text| given_up.damages.iter().any(|damage| damage.contains(text));
    assert!(named("record 2 (1 push) is missing"), "{given_up:?}");
    assert!(named("record 4 (1 push) is damaged"), "{given_up:?}");
}
