//! Whether a reply is one to what was asked: what a node lacks is among that, each segment once, and with
//! what it has it is all of it. A list that was cut on its way would leave segments out in silence.

use std::collections::HashMap;

use henge_data_node::{NodeError, SegmentDescriptor, SegmentReply};
use henge_exec::Partial;
use henge_platform::discovery::ServerId;
use henge_types::ErrorClass;

use crate::route::Place;

/// Fails for a reply that lacks groups without having been asked which are wanted: merged as if it had all
/// of them it would be a wrong answer. One that lacks some is one partial result of groups.
///
/// # Errors
/// When it is no reply to what was asked.
pub(super) fn may_lack_groups(
    server: &ServerId,
    is_ranked: bool,
    reply: &SegmentReply,
) -> Result<(), NodeError> {
    let is_of_groups =
        matches!(reply.partials[..], [Partial::Grouped(_)]) && reply.partitions.is_none();
    if reply.left_out.is_none() || is_ranked && is_of_groups {
        return Ok(());
    }
    let message = format!("data node '{server}' left groups out unasked: its reply is not counted");
    Err(NodeError::failed(ErrorClass::Internal, message))
}

/// The places of what a reply lacks.
///
/// # Errors
/// When it is no reply to what was asked.
pub(super) fn missing_of(
    server: &ServerId,
    segments: &[SegmentDescriptor],
    asked: &[Place],
    reply: &SegmentReply,
) -> Result<Vec<Place>, NodeError> {
    let wrong = |what: &str| {
        let message = format!("data node '{server}' {what}: its reply is not counted");
        NodeError::failed(ErrorClass::Internal, message)
    };
    if let Some(answered) = reply.answered_segments
        && answered.checked_add(reply.missing.len() as u64) != Some(asked.len() as u64)
    {
        let (missing, all) = (reply.missing.len(), asked.len());
        return Err(wrong(&format!(
            "answers for {answered} segments and lacks {missing} of the {all} it was asked for"
        )));
    }
    if reply.missing.is_empty() {
        return Ok(Vec::new());
    }
    // A union may read a datasource several times.
    let mut places: HashMap<&SegmentDescriptor, Vec<Place>> = HashMap::new();
    for place in asked {
        if let Some(segment) = segments.get(*place) {
            places.entry(segment).or_default().push(*place);
        }
    }
    let place_of = |segment: &SegmentDescriptor| {
        let place = places.get_mut(segment).and_then(Vec::pop);
        place.ok_or_else(|| wrong(&format!("lacks '{}', for which nobody asked it", segment.id)))
    };
    reply.missing.iter().map(place_of).collect()
}

#[cfg(test)]
mod tests {
    use henge_exec::{GroupedPartial, LeftOut, Number};
    use henge_types::{Interval, SegmentId, Version};

    use super::*;

    fn segments(count: u32) -> Vec<SegmentDescriptor> {
        let visible = Interval { start_ms: 0, end_ms: 10 };
        let segment = |partition| SegmentDescriptor {
            id: SegmentId::new("t", visible, Version(1), partition),
            visible,
        };
        (0..count).map(segment).collect()
    }

    fn reply(answered: Option<u64>, missing: &[SegmentDescriptor]) -> SegmentReply {
        SegmentReply {
            answered_segments: answered,
            missing: missing.to_vec(),
            ..SegmentReply::default()
        }
    }

    #[test]
    fn f_57_a_list_of_missing_segments_that_was_cut_is_noticed() {
        let segments = segments(20_000);
        let asked: Vec<Place> = (0..20_000).collect();
        let of = |reply: &SegmentReply| missing_of(&"h".into(), &segments, &asked, reply);
        let missing = of(&reply(Some(10_000), &segments[10_000..])).unwrap();
        assert_eq!(missing, (10_000..20_000).collect::<Vec<_>>());
        let error = of(&reply(Some(10_000), &segments[10_001..])).unwrap_err().to_string();
        assert!(error.contains("10000 segments and lacks 9999 of the 20000"), "{error}");
        assert!(of(&reply(Some(u64::MAX), &segments[10_000..])).is_err());
        // A node of an earlier build does not say.
        assert_eq!(of(&reply(None, &segments[10_001..])).unwrap().len(), 9_999);
    }

    #[test]
    fn what_lacks_groups_unasked_or_is_not_of_groups_is_no_reply() {
        let number = Number::Long(1);
        let left_out = Some(LeftOut { at_most: number, at_least: number });
        let of = |is_ranked, left_out, partials: Vec<Partial>| {
            let reply = SegmentReply { left_out, partials, ..SegmentReply::default() };
            may_lack_groups(&"h".into(), is_ranked, &reply).is_ok()
        };
        let groups = || Partial::Grouped(GroupedPartial::default());
        assert!(of(true, left_out, vec![groups()]));
        assert!(of(true, None, vec![groups(), groups()]) && of(false, None, vec![]));
        assert!(!of(false, left_out, vec![groups()]));
        assert!(!of(true, left_out, vec![groups(), groups()]) && !of(true, left_out, vec![]));
        let other = Partial::TimeBoundary { min_ms: None, max_ms: None };
        assert!(!of(true, left_out, vec![other]));
    }

    #[test]
    fn f_57_what_nobody_asked_for_cannot_be_missing() {
        let segments = segments(4);
        let of = |missing: &[SegmentDescriptor]| {
            missing_of(&"h".into(), &segments, &[0, 2], &reply(None, missing))
        };
        assert!(of(&[]).unwrap().is_empty());
        assert_eq!(of(&segments[2..3]).unwrap(), [2]);
        assert!(of(&segments[1..2]).unwrap_err().to_string().contains("nobody asked"));
        let twice = [segments[0].clone(), segments[0].clone()];
        assert!(of(&twice).unwrap_err().to_string().contains("nobody asked"));
    }
}
