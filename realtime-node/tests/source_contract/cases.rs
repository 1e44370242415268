//! The suite.

use std::sync::Arc;

use henge_platform::metadata::manifest::Manifest;
use henge_platform::metadata::{
    MetadataStore, PartitionAdvance, PublishRequest, SourceAdvance, SourceMark, SourceMarks,
};
use henge_realtime_node::RealtimeError;

use crate::script::{SOURCE, Script, position};
use crate::world::{DATASOURCE, World, hour};

fn world() -> World {
    World::new(Arc::new(Script::default()))
}

#[test]
fn f_01_what_was_buffered_when_the_process_ended_comes_again() {
    let mut world = world();
    world.append("0", 10);
    world.append("1", 7);
    let mut life = world.start().unwrap();
    life.read_all();
    world.storage_gate().close(true);
    life.begin_to_flush();
    life.wait(world.storage_gate().somebody_waits());
    life.kill();
    world.storage_gate().close(false);
    world.append("1", 4);
    let mut life = world.start().unwrap();
    life.read_all();
    life.flush();
    world.assert_counted_once(&[]);
}

#[test]
fn f_02_f_04_what_is_published_is_not_published_again_though_the_source_was_not_told() {
    let mut world = world();
    world.append("0", 10);
    world.append("1", 5);
    let mut life = world.start().unwrap();
    life.read_all();
    life.reader.commits.close(true);
    life.begin_to_flush();
    life.wait(life.reader.commits.somebody_waits());
    life.kill();
    // A source that knows less than the metadata begins earlier.
    world.append("0", 3);
    world.stream.repeat("0", 6);
    world.stream.repeat("1", 5);
    let mut life = world.start().unwrap();
    life.read_all();
    life.flush();
    world.assert_counted_once(&[]);
}

#[test]
fn i_01_what_a_source_repeats_is_left_out() {
    let mut world = world();
    let mut life = world.start().unwrap();
    for round in 0..4 {
        world.append("0", 5);
        life.read_all();
        world.stream.repeat("0", 4 * round);
        world.append("1", 2);
        life.read_all();
        if round == 2 {
            life.flush();
        }
    }
    life.flush();
    world.assert_counted_once(&[]);
}

#[test]
fn i_03_partitions_are_published_in_one_transaction_and_new_ones_are_picked_up() {
    let mut world = world();
    world.append("0", 4);
    world.append("1", 6);
    let mut life = world.start().unwrap();
    life.read_all();
    life.flush();
    world.append("2", 2);
    life.read_all();
    life.flush();
    world.assert_counted_once(&[]);
    let manifests = life.wait(world.metadata.waiting_manifests(usize::MAX)).unwrap();
    let at = |name: &str, messages| (name.to_owned(), position(messages));
    let mut moved = Vec::new();
    for manifest in manifests {
        let manifest = Manifest::decode("w", manifest.text.as_bytes()).unwrap();
        let of_script = manifest.positions.iter().filter(|of| of.source_id == SOURCE);
        let names: Vec<_> =
            of_script.map(|of| (of.partition.clone(), of.position.clone())).collect();
        // Before all time chunks are ready some may be published ahead of the positions.
        if names.iter().any(|(_, position)| *position != crate::script::position(0)) {
            moved.push(names);
        }
    }
    assert_eq!(moved, [vec![at("0", 4), at("1", 6)], vec![at("2", 2)]]);
}

#[test]
fn f_22_time_chunks_that_are_published_are_left_out_in_every_partition_when_one_of_them_waits() {
    let mut world = world();
    world.append("0", 20);
    world.append("1", 20);
    world.refuse(Some(hour(1)));
    let mut life = world.start().unwrap();
    life.read_all();
    let mut commits = world.metadata.commits();
    life.begin_to_flush();
    let two_hours = async {
        while world.metadata.used_segments().await.unwrap().segments.len() < 2 {
            commits.changed().await.unwrap();
        }
    };
    life.wait(two_hours);
    life.kill();
    world.refuse(None);
    world.append("0", 10);
    // Cut otherwise than in the first life.
    world.stream.repeat("0", 7);
    let mut life = world.start().unwrap();
    life.read_all();
    life.flush();
    world.assert_counted_once(&[]);
}

#[test]
fn f_06_who_loses_the_publication_lets_go_and_reads_on_behind_the_winner() {
    let mut world = world();
    world.append("0", 9);
    world.append("1", 9);
    let mut winner = world.start().unwrap();
    let mut loser = world.read_too(&winner);
    winner.read_all();
    loser.read_all();
    winner.flush();
    loser.flush();
    world.assert_counted_once(&[]);
    world.append("0", 5);
    loser.read_all();
    loser.flush();
    assert_eq!(loser.source.failure(), None);
    world.assert_counted_once(&[]);
}

#[test]
fn f_08_a_gap_ends_the_reading_of_its_partition_and_of_no_other() {
    let mut world = world();
    world.append("0", 4);
    world.append("1", 4);
    let mut life = world.start().unwrap();
    life.read_all();
    life.flush();
    life.kill();
    world.append("0", 4);
    world.append("1", 4);
    world.stream.delete_first("0", 6);
    // A restart does not pass over it either.
    for _ in 0..2 {
        let mut life = world.start().unwrap();
        let failure = life.wait(life.source.partition_failed("0"));
        for part in ["'0'", &*position(4).to_string(), &*position(6).to_string(), "missing"] {
            assert!(failure.contains(part), "{failure}");
        }
        assert_eq!(life.source.partition_failures().len(), 1);
        assert_eq!(life.source.failure(), None);
        world.append("1", 3);
        life.read_all();
        life.flush();
        world.assert_counted_once(&[8, 9, 10, 11]);
        life.kill();
    }
}

#[test]
fn f_11_a_partition_that_was_made_anew_is_noticed() {
    let mut world = world();
    world.append("0", 4);
    let mut life = world.start().unwrap();
    life.read_all();
    life.flush();
    life.kill();
    world.stream.remake("0");
    let Err(error) = world.start() else { panic!("rewound") };
    assert!(matches!(&error, RealtimeError::SourceRewound { partition, .. } if partition == "0"));
    assert!(error.to_string().contains(&position(4).to_string()), "{error}");
}

#[test]
fn p_10_positions_that_went_back_stop_the_publication() {
    let mut world = world();
    world.append("0", 4);
    let mut life = world.start().unwrap();
    life.read_all();
    life.flush();
    // As when the metadata are put back from a copy.
    let marks = life.wait(world.metadata.source(SOURCE)).unwrap();
    let next = SourceMark { position: position(2), ..marks["0"].clone() };
    let advance = PartitionAdvance { expected: marks["0"].clone(), next };
    let source =
        SourceAdvance { source_id: SOURCE.into(), partitions: [("0".to_owned(), advance)].into() };
    let request = PublishRequest {
        transaction_id: "back".into(),
        source: Some(source),
        ..PublishRequest::default()
    };
    life.wait(world.metadata.publish(&request)).unwrap();
    world.append("0", 1);
    life.read_all();
    life.begin_to_flush();
    let failure = life.wait(life.source.failed());
    assert!(failure.contains("earlier position of partition '0'"), "{failure}");
    world.assert_counted_once(&[4]);
}

#[test]
fn f_21_a_message_that_is_no_event_is_kept_and_harms_no_other() {
    let mut world = world();
    world.append("0", 2);
    world.stream.append("0", &["{\"t\":1".into(), "nonsense".into(), "{\"id\":7}".into()]);
    world.append("0", 2);
    let mut life = world.start().unwrap();
    life.read_all();
    life.flush();
    world.assert_counted_once(&[]);
    let letters = life.wait(world.metadata.list_dead_letters(DATASOURCE, 0, 10)).unwrap();
    assert_eq!(letters.len(), 3, "{letters:?}");
    let origins = letters.iter().map(|stored| stored.letter.origin.as_str());
    let at = |messages: u64| format!("partition '0', up to position {}", position(messages));
    assert_eq!(origins.collect::<Vec<_>>(), [at(3), at(4), at(5)]);
}

#[test]
fn a_source_that_fails_for_a_moment_is_asked_again() {
    let mut world = world();
    let mut life = world.start().unwrap();
    world.append("0", 3);
    life.read_all();
    world.stream.fail_once();
    world.append("0", 3);
    life.read_all();
    life.flush();
    world.assert_counted_once(&[]);
}

#[test]
fn a_source_that_ends_is_published_to_its_end() {
    let mut world = world();
    world.append("0", 6);
    world.stream.end();
    let life = world.start().unwrap();
    let mut commits = world.metadata.commits();
    life.wait(async {
        let at_the_end =
            |marks: SourceMarks| marks.get("0").is_some_and(|mark| mark.position == position(6));
        while !at_the_end(world.metadata.source(SOURCE).await.unwrap()) {
            commits.changed().await.unwrap();
        }
    });
    world.assert_counted_once(&[]);
}

/// Random lives, each ended somewhere.
#[test]
fn i_01_every_event_is_counted_once_through_random_lives() {
    for seed in 0..12_u64 {
        println!("seed {seed}");
        let mut random = random_numbers(seed);
        let mut world = world();
        for _ in 0..4 {
            let mut life = world.start().unwrap();
            for _ in 0..random(5) {
                let partition = ["0", "1", "2"][random(3) as usize];
                match random(4) {
                    0 => world.stream.repeat(partition, random(12)),
                    1 => life.flush(),
                    _ => world.append(partition, random(9) as i64 + 1),
                }
                life.read_all();
            }
            match random(3) {
                0 => {
                    world.storage_gate().close(true);
                    life.begin_to_flush();
                }
                1 => {
                    life.reader.commits.close(true);
                    life.begin_to_flush();
                }
                _ => {}
            }
            life.kill();
            world.storage_gate().close(false);
        }
        let mut life = world.start().unwrap();
        life.read_all();
        life.flush();
        world.assert_counted_once(&[]);
    }
}

/// Numbers below a bound, the same for a seed.
fn random_numbers(seed: u64) -> impl FnMut(u64) -> u64 {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    move |bound| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % bound
    }
}
