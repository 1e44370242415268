//! Writing a bitmap index: rows are brought together by id with a counting sort, then written
//! bucket by bucket.

use crate::bitmap::{BUCKET_IDS, BUCKET_ROWS, bucket};
use crate::block::NULL_ID;
use crate::error::Result;
use crate::format::bytes::ByteWriter;
use crate::format::sink::PieceSink;
use crate::options::WriteOptions;

/// The rows of every id: those of id `i` are `rows[starts[i]..starts[i + 1]]`.
#[derive(Debug, Default)]
pub(crate) struct Postings {
    starts: Vec<u32>,
    rows: Vec<u32>,
}

impl Postings {
    /// Of a single-value column.
    pub(crate) fn of_ids(ids: &[u32], id_count: usize) -> Self {
        let mut starts = vec![0_u32; id_count + 1];
        ids.iter().for_each(|id| starts[*id as usize + 1] += 1);
        add_up(&mut starts);
        let mut rows = vec![0; ids.len()];
        let mut next = starts.clone();
        for (row, id) in (0_u32..).zip(ids) {
            let at = &mut next[*id as usize];
            rows[*at as usize] = row;
            *at += 1;
        }
        Self { starts, rows }
    }

    /// Of a multi-value column; a row that holds an id twice counts once, and an empty one has the
    /// id of null.
    pub(crate) fn of_lists(offsets: &[u32], ids: &[u32], id_count: usize) -> Self {
        let pairs = || {
            (0_u32..).zip(offsets.windows(2)).flat_map(|(row, pair)| {
                let list = ids.get(pair[0] as usize..pair[1] as usize).unwrap_or_default();
                let list = if list.is_empty() { &[NULL_ID][..] } else { list };
                list.iter().map(move |id| (row, *id))
            })
        };
        Self::gather(pairs, id_count)
    }

    /// Brings pairs of row and id, ascending by row, together by id.
    fn gather<I: Iterator<Item = (u32, u32)>>(pairs: impl Fn() -> I, id_count: usize) -> Self {
        let mut starts = vec![0_u32; id_count + 1];
        let mut last_row = vec![u32::MAX; id_count];
        for (row, id) in pairs() {
            if last_row[id as usize] != row {
                last_row[id as usize] = row;
                starts[id as usize + 1] += 1;
            }
        }
        add_up(&mut starts);
        let mut rows = vec![0; starts[id_count] as usize];
        let mut next = starts.clone();
        for (row, id) in pairs() {
            let at = next[id as usize];
            let repeated = at > starts[id as usize] && rows[at as usize - 1] == row;
            if !repeated {
                rows[at as usize] = row;
                next[id as usize] += 1;
            }
        }
        Self { starts, rows }
    }

    /// The ascending rows of an id.
    pub(crate) fn rows_of(&self, id: usize) -> &[u32] {
        &self.rows[self.starts[id] as usize..self.starts[id + 1] as usize]
    }
}

/// Turns counts, each one place late, into starts.
fn add_up(counts: &mut [u32]) {
    let mut total = 0;
    for count in counts {
        total += *count;
        *count = total;
    }
}

/// Writes the buckets and their index.
pub(crate) fn write(
    sink: &mut PieceSink,
    options: &WriteOptions,
    postings: &Postings,
    directory: &mut Vec<u8>,
) -> Result<()> {
    let id_count = postings.starts.len() - 1;
    let mut index = Vec::new();
    let mut buckets = 0;
    let mut start = 0;
    while start < id_count {
        let end = bucket_end(postings, start, id_count);
        let rows: Vec<&[u32]> = (start..end).map(|id| postings.rows_of(id)).collect();
        index.put_varint((end - start) as u64);
        sink.put(&options.pack(bucket::encode(&rows)), &mut index)?;
        buckets += 1;
        start = end;
    }
    directory.put_varint(buckets);
    sink.put(&options.pack(index), directory)
}

/// The id that the bucket starting at `start` ends before.
fn bucket_end(postings: &Postings, start: usize, id_count: usize) -> usize {
    let mut total = postings.rows_of(start).len();
    let mut end = start + 1;
    // Null is asked for on its own far more often than its neighbours.
    while start > 0 && end < id_count && end - start < BUCKET_IDS {
        total += postings.rows_of(end).len();
        if total > BUCKET_ROWS {
            break;
        }
        end += 1;
    }
    end
}
