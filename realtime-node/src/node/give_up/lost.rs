//! What was lost with a node that was given up.

use henge_types::SegmentId;
use serde::Serialize;

/// What was given up with a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GivenUp {
    /// The node.
    pub node: String,
    /// What that means, in words.
    pub summary: String,
    /// What its logs had and nobody else does.
    pub lost: Vec<LostRecords>,
}

/// Records of a log that nobody has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LostRecords {
    /// Of which datasource.
    pub datasource: String,
    /// The log.
    pub log: String,
    /// The first record that is not wholly published.
    pub first_record: u64,
    /// The last one that is known of. The node noted it at most a minute before it was lost, so there may
    /// have been more; below the first one when none is known of.
    pub last_known_record: u64,
    /// Which records are lost, in words.
    pub records: String,
    /// The segments that the node buffered, by their ids: rows of these times are missing.
    pub segments: Vec<String>,
}

impl GivenUp {
    pub(super) fn of(node: &str, lost: Vec<LostRecords>) -> Self {
        let summary = match lost.len() {
            0 => "nothing is lost: all that the node is known to have acknowledged is published or in \
                  the log of another node"
                .to_owned(),
            1 => "records of one log are lost".to_owned(),
            logs => format!("records of {logs} logs are lost"),
        };
        Self { node: node.to_owned(), summary, lost }
    }
}

impl LostRecords {
    /// Of a log that is published up to one record, and of which the metadata have noted another one.
    pub(super) fn of(
        datasource: &str,
        log: String,
        (published, last_known_record): (u64, u64),
        buffered: &[SegmentId],
    ) -> Self {
        let first_record = published + 1;
        let records = match last_known_record {
            last if last > first_record => {
                format!("records {first_record} to {last}, and any after that")
            }
            last if last == first_record => format!("record {last}, and any after that"),
            _ => format!(
                "none is known for certain: the node noted no record from {first_record} on, what it \
                 took in its last minute is lost"
            ),
        };
        let segments = buffered.len();
        tracing::error!(%datasource, %log, %records, segments, "gave up records of a lost node");
        Self {
            datasource: datasource.to_owned(),
            log,
            first_record,
            last_known_record,
            records,
            segments: buffered.iter().map(ToString::to_string).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f_16_what_is_lost_is_said_in_words() {
        let records = |positions| LostRecords::of("d", "d".into(), positions, &[]).records;
        assert_eq!(records((1, 4)), "records 2 to 4, and any after that");
        assert_eq!(records((1, 2)), "record 2, and any after that");
        assert!(records((1, 0)).starts_with("none is known for certain: "));
        assert!(GivenUp::of("a", Vec::new()).summary.starts_with("nothing is lost: "));
    }
}
