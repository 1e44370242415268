//! The work of queries as nodes tell it, in the place of what bytes and age would make one assume.
//!
//! Nodes tell of the segments that took most time. What they say is put in the unit of what is assumed, so that
//! segments with and without a word of them can be added up: all that somebody told of, and all that somebody
//! would have told of, together take as much as was assumed of them. Figures that come and go are no reason to
//! move anything, so that only powers of two are told apart.

/// What is known of the work on a segment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Told {
    /// Nothing: it is as assumed.
    Nothing,
    /// It is not among those that took most time, and has been there for long enough to be.
    Little,
    /// So much, in any unit that is the same for all.
    Work(f64),
}

/// What queries cost on segments, in the unit of what is assumed of each of them. What nobody told anything of
/// stays as it is assumed.
#[must_use]
pub fn told_loads(assumed: &[u32], told: &[Told]) -> Vec<u32> {
    let (mut known, mut work, mut least) = (0.0, 0.0, f64::INFINITY);
    for (assumed, told) in assumed.iter().zip(told) {
        match told {
            Told::Nothing => continue,
            Told::Little => {}
            Told::Work(amount) => {
                work += amount;
                least = amount.min(least);
            }
        }
        known += f64::from(*assumed);
    }
    if work <= 0.0 || known <= 0.0 {
        return assumed.to_vec();
    }
    let unit = known / work;
    let load = |(assumed, told): (&u32, &Told)| match told {
        Told::Nothing => *assumed,
        Told::Little => power_of_two(f64::from(*assumed).min(least * unit)),
        Told::Work(amount) => power_of_two(amount * unit),
    };
    assumed.iter().zip(told).map(load).collect()
}

/// The power of two that is nearest by its ratio; 1 at least, since no segment is never read.
fn power_of_two(amount: f64) -> u32 {
    let nearest = amount.max(1.0).log2().round().exp2();
    nearest.min(f64::from(1_u32 << 31)) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_word_everything_is_as_assumed() {
        let assumed = [7, 0, 1_000];
        assert_eq!(told_loads(&assumed, &[Told::Nothing; 3]), assumed);
        assert_eq!(told_loads(&assumed, &[Told::Little; 3]), assumed);
        assert_eq!(told_loads(&assumed, &[Told::Work(0.0); 3]), assumed);
    }

    #[test]
    fn what_is_told_counts_as_much_as_what_was_assumed_of_the_same_segments() {
        let assumed = [1_000, 1_000, 1_000, 1_000, 300];
        let told = [Told::Work(30.0), Told::Work(10.0), Told::Little, Told::Little, Told::Nothing];
        let loads = told_loads(&assumed, &told);
        assert_eq!(loads, [4_096, 1_024, 1_024, 1_024, 300]);
        // In another unit it is the same.
        let told = told.map(|told| match told {
            Told::Work(work) => Told::Work(work * 1e6),
            other => other,
        });
        assert_eq!(told_loads(&assumed, &told), loads);
    }

    #[test]
    fn small_changes_are_none_and_what_is_read_little_is_never_nothing() {
        let assumed = [100; 4];
        let loads = |first| {
            let told = [Told::Work(first), Told::Work(100.0), Told::Work(0.1), Told::Little];
            told_loads(&assumed, &told)
        };
        assert_eq!(loads(300.0), loads(310.0));
        assert_eq!(loads(300.0)[2..], [1, 1]);
        assert!(told_loads(&[u32::MAX, u32::MAX], &[Told::Work(1e30), Told::Little])[0] >= 1 << 31);
    }
}
