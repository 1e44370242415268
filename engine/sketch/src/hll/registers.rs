//! The registers of many HLL sketches side by side, for aggregation: adding a value is a load, a
//! maximum and a store. Sketches are made of them at the end.

use datasketches::hll as ds;
use henge_types::HllType;

use super::words::{WORDS, bits_of_words};
use super::{HllHash, HllSketch, NAME, SLOT_BITS, State};
use crate::error::{Result, SketchError};
use crate::hll_image;

/// Sketches of one size by group.
///
/// The library's sketches list their values while these are few, and estimate from how many there
/// are. So values are listed here too, and registers are believed when the library would.
#[derive(Debug)]
pub struct HllRegisters {
    lg_k: u8,
    hll_type: HllType,
    /// `2^lg_k` a group.
    registers: Vec<u8>,
    groups: Vec<Group>,
    /// The most distinct values that a sketch lists.
    most_listed: usize,
}

/// What a group has besides its registers.
#[derive(Debug, Default)]
struct Group {
    /// All values, some of them twice, as long as they are few.
    listed: Vec<u32>,
    /// There were too many values to list.
    is_full: bool,
}

impl HllRegisters {
    /// Tables of sketches like this one, for no group yet.
    #[must_use]
    pub fn like(sketch: &HllSketch) -> Self {
        let (lg_k, hll_type) = (sketch.lg_k, sketch.hll_type);
        // Below 2^8 buckets the library makes registers of the eighth value, else of sets that would
        // take as much memory.
        let most_listed = if lg_k < 8 { 7 } else { 3 << lg_k >> 5 };
        Self { lg_k, hll_type, registers: Vec::new(), groups: Vec::new(), most_listed }
    }

    /// Makes room for so many groups.
    pub fn resize(&mut self, groups: usize) {
        let needed = groups << self.lg_k;
        if self.registers.is_empty() {
            // The system hands out zeros without writing them.
            self.registers = vec![0; needed];
        }
        self.registers.resize(needed.max(self.registers.len()), 0);
        self.groups.resize_with(groups.max(self.groups.len()), Group::default);
    }

    /// Adds a value to a group.
    #[inline]
    pub fn update(&mut self, group: usize, hash: HllHash) {
        self.update_bits(group, hash.bits());
    }

    /// Adds values to a group each.
    pub fn update_each(&mut self, groups: &[u32], hashes: &[HllHash]) {
        let mut all_bits = [0; WORDS];
        for (groups, hashes) in groups.chunks(WORDS).zip(hashes.chunks(WORDS)) {
            all_bits.iter_mut().zip(hashes).for_each(|(bits, hash)| *bits = hash.bits());
            self.update_all_bits(groups, &all_bits);
        }
    }

    /// Adds the values of words, as [`HllHash::of_i64`] hashes them, to a group.
    pub fn update_words(&mut self, group: usize, words: &[u64]) {
        let mut all_bits = [0; WORDS];
        for words in words.chunks(WORDS) {
            let all_bits = &mut all_bits[..words.len()];
            bits_of_words(words, all_bits);
            if !self.groups[group].is_full {
                all_bits.iter().for_each(|&bits| self.update_bits(group, bits));
                continue;
            }
            let registers = &mut self.registers[group << self.lg_k..][..1 << self.lg_k];
            for &bits in &*all_bits {
                let at = bits as usize & (registers.len() - 1);
                registers[at] = registers[at].max((bits >> SLOT_BITS) as u8);
            }
        }
    }

    /// Adds the values of words to a group each.
    pub fn update_words_of(&mut self, groups: &[u32], words: &[u64]) {
        let mut all_bits = [0; WORDS];
        for (groups, words) in groups.chunks(WORDS).zip(words.chunks(WORDS)) {
            bits_of_words(words, &mut all_bits);
            self.update_all_bits(groups, &all_bits);
        }
    }

    /// Registers first, then lists: the shorter a loop, the more of it the processor does at once.
    fn update_all_bits(&mut self, groups: &[u32], all_bits: &[u32; WORDS]) {
        let mut places = [0; WORDS];
        let slots = (1 << self.lg_k) - 1;
        for (place, (group, bits)) in places.iter_mut().zip(groups.iter().zip(all_bits)) {
            *place = (*group as usize) << self.lg_k | (bits & slots) as usize;
        }
        for (place, bits) in places[..groups.len()].iter().zip(all_bits) {
            self.registers[*place] = self.registers[*place].max((bits >> SLOT_BITS) as u8);
        }
        for (group, bits) in groups.iter().zip(all_bits) {
            if !self.groups[*group as usize].is_full {
                self.list(*group as usize, *bits);
            }
        }
    }

    #[inline(always)]
    fn update_bits(&mut self, group: usize, bits: u32) {
        let at = group << self.lg_k | bits as usize & ((1 << self.lg_k) - 1);
        // Stored whether it is greater or not: that is sooner done than guessed.
        self.registers[at] = self.registers[at].max((bits >> SLOT_BITS) as u8);
        if !self.groups[group].is_full {
            self.list(group, bits);
        }
    }

    #[inline(never)]
    fn list(&mut self, group: usize, bits: u32) {
        let most = self.most_listed;
        let Group { listed, is_full } = &mut self.groups[group];
        if listed.last() == Some(&bits) {
            return;
        }
        listed.push(bits);
        if listed.len() > 2 * most {
            listed.sort_unstable();
            listed.dedup();
            if listed.len() > most {
                *is_full = true;
                *listed = Vec::new();
            }
        }
    }

    /// Bytes that groups take, each.
    #[must_use]
    pub fn group_bytes(&self) -> usize {
        size_of::<Group>() + (1 << self.lg_k)
    }

    /// Bytes of memory.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        let listed = self.groups.iter().map(|group| group.listed.capacity() * size_of::<u32>());
        let groups = self.groups.capacity() * size_of::<Group>();
        self.registers.len() + groups + listed.sum::<usize>()
    }

    /// The sketch of a group; `None` when it has no value.
    ///
    /// # Errors
    /// None in practice: the library reads what is written here.
    pub fn sketch(&self, group: usize) -> Result<Option<HllSketch>> {
        let Some(Group { listed, is_full }) = self.groups.get(group) else { return Ok(None) };
        if listed.is_empty() && !is_full {
            return Ok(None);
        }
        let (lg_k, hll_type) = (self.lg_k, self.hll_type);
        let mut listed = listed.clone();
        listed.sort_unstable();
        listed.dedup();
        let image = match *is_full || listed.len() > self.most_listed {
            true => {
                let start = group << lg_k;
                hll_image::of_registers(lg_k, &self.registers[start..start + (1 << lg_k)])
            }
            false => hll_image::of_coupons(lg_k, hll_type, &listed),
        };
        let single = ds::HllSketch::deserialize(&image)
            .map_err(|error| SketchError::corrupt(NAME, error.message()))?;
        Ok(Some(HllSketch { lg_k, hll_type, state: State::Single(single) }))
    }
}
