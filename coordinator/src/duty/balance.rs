//! Balance: copies that are much better off elsewhere are loaded there; the copy that is one too many then is
//! dropped by the other duty. Only while nothing comes and goes.

use std::sync::Arc;

use henge_placement::balance::{MoveLimits, TimeBox};

use crate::action::Action;
use crate::picture::Picture;

/// Moves that are worth most, a few at once.
#[must_use]
pub(crate) fn plan(picture: &mut Picture<'_>, time: &TimeBox<'_>) -> Vec<Action> {
    let snapshot = picture.snapshot;
    if !snapshot.is_calm || snapshot.servers.len() < 2 || snapshot.limits.moves == 0 {
        return Vec::new();
    }
    let under_way = snapshot.servers.values().map(|server| server.coming.len()).sum::<usize>();
    let moves = snapshot.limits.moves.saturating_sub(under_way);
    if moves == 0 {
        return Vec::new();
    }
    let rooms = picture.rooms.clone();
    let limits = MoveLimits { moves, ..MoveLimits::none(rooms.len()) };
    let limits = MoveLimits { rooms, ..limits };
    let plan = picture.balancer.plan_moves(&limits, snapshot.seed, time);
    let action = |planned: henge_placement::balance::PlannedMove| Action::Move {
        server: picture.server(planned.to),
        from: picture.server(planned.from),
        segment: Arc::clone(picture.segment(planned.segment)),
        before: planned.before,
        after: planned.after,
    };
    plan.moves.into_iter().map(action).collect()
}
