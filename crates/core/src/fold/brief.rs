//! What most peers' attendance comes to, in sixteen bytes: one stay, opened by a join, that was closed by a leave, by evidence, or not at all.
//!
//! Everything else of such an attendance follows from the peer's events, and is put together where it is asked for.

use super::facts::{Facts, PeerIx};
use super::group::Attendance;
use super::record::{Act, RecordIx};
use super::stay::{ClosedBy, Stay, Validity};
use crate::id::StreamKind;
use crate::time::Timestamp;
use std::ops::Deref;

/// An attendance in brief.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Brief {
    /// When the stay began; or one of the two below.
    start: i64,
    /// When it ended, + [`STEP`] for each place of what closed it in [`EVIDENCE`]; of one that is open the last place, and when it would have
    /// lasted for too long.
    end: i64,
}

/// In place of a start: no stay.
const NONE: i64 = i64::MAX;
/// In place of a start: there is more to say than fits here.
const MORE: i64 = i64::MIN;
/// Instants are far from its half.
const STEP: i64 = 1 << 59;
const FITS: std::ops::Range<i64> = -(1 << 58)..1 << 58;
const EVIDENCE: [Option<ClosedBy>; 7] = [
    None,
    Some(ClosedBy::SessionEnded),
    Some(ClosedBy::Roster),
    Some(ClosedBy::SourceStopped),
    Some(ClosedBy::SourceStarted),
    Some(ClosedBy::SlotTaken),
    Some(ClosedBy::MaxStay),
];
const OPEN: i64 = EVIDENCE.len() as i64;

impl Brief {
    pub(super) const NONE: Self = Self { start: NONE, end: 0 };
    pub(super) const MORE: Self = Self { start: MORE, end: 0 };

    /// A stay from a join to a leave.
    pub(super) fn gone(start: Timestamp, out: Timestamp) -> Option<Self> {
        Self::new(start, out, 0)
    }

    /// A stay that goes on, but for the maximum stay.
    pub(super) fn present(start: Timestamp, until: Timestamp) -> Option<Self> {
        Self::new(start, until, OPEN)
    }

    fn new(start: Timestamp, end: Timestamp, steps: i64) -> Option<Self> {
        let fits = FITS.contains(&start.micros()) && FITS.contains(&end.micros());
        fits.then(|| Self { start: start.micros(), end: end.micros() + steps * STEP })
    }

    /// An attendance in brief, if the peer's events, and a leave by slot where that closed the stay, make up for what is left out.
    pub(super) fn of(facts: &Facts, attendance: &Attendance) -> Option<(Self, Option<RecordIx>)> {
        let Attendance { stays, anomalies, entries, opened_by, validity } = attendance;
        let mut by_slot = None;
        let follows = |(place, (record, stay)): (usize, &(RecordIx, Option<u32>))| match facts.entry(*record).act {
            Act::Created => stay.is_none(),
            Act::LeftSlot(_) => *stay == Some(0) && by_slot.replace(*record).is_none(),
            act => *stay == Some(0) && (act == Act::Joined) == (opened_by.first().is_some_and(|ix| *ix as usize == place)),
        };
        if !anomalies.is_empty() || !entries.iter().enumerate().all(follows) {
            return None;
        }
        let endless = Validity { until: validity.until, ..Validity::default() };
        let brief = match stays[..] {
            [] if *validity == Validity::default() => Some(Self::NONE),
            [Stay { start, out: None, .. }] if *validity == endless => Self::present(start, validity.until),
            [Stay { start, out: Some(out), closed_by, uncertain }] if *validity == Validity::default() => {
                let steps = EVIDENCE.iter().position(|evidence| *evidence == closed_by)?;
                if uncertain == unheard(start, out, closed_by) { Self::new(start, out, steps as i64) } else { None }
            }
            _ => None,
        };
        Some((brief?, by_slot))
    }

    fn steps(self) -> i64 {
        (self.end + STEP / 2).div_euclid(STEP)
    }

    pub(super) fn is_more(self) -> bool {
        self.start == MORE
    }

    /// Its stay, where there is one.
    pub(super) fn stay(self) -> Option<Stay> {
        if !FITS.contains(&self.start) {
            return None;
        }
        let start = Timestamp::from_micros(self.start);
        let steps = self.steps();
        if steps == OPEN {
            return Some(Stay { start, out: None, closed_by: None, uncertain: 0 });
        }
        let out = Timestamp::from_micros(self.end - steps * STEP);
        let closed_by = usize::try_from(steps).ok().and_then(|steps| EVIDENCE.get(steps).copied()).flatten();
        Some(Stay { start, out: Some(out), closed_by, uncertain: unheard(start, out, closed_by) })
    }

    /// When the stay that goes on will have lasted for too long.
    pub(super) fn deadline(self) -> Option<Timestamp> {
        (FITS.contains(&self.start) && self.steps() == OPEN).then(|| Timestamp::from_micros(self.end - OPEN * STEP))
    }

    /// What it was made from.
    pub(super) fn in_full(self, facts: &Facts, peer: PeerIx, by_slot: Option<RecordIx>) -> Attendance {
        let mut entries: Vec<(RecordIx, Option<u32>)> = facts.newest_first(peer).map(|record| (record, None)).collect();
        entries.reverse();
        entries.extend(by_slot.map(|leave| (leave, None)));
        let (mut stays, mut opened_by) = (Vec::new(), Vec::new());
        if let Some(stay) = self.stay() {
            for (place, (record, of_stay)) in (0..).zip(&mut entries) {
                let act = facts.entry(*record).act;
                *of_stay = (act != Act::Created).then_some(0);
                if act == Act::Joined {
                    opened_by.push(place);
                }
            }
            stays.push(stay);
        }
        let validity = self.deadline().map_or_else(Validity::default, |until| Validity { until, ..Validity::default() });
        Attendance { stays, anomalies: Vec::new(), entries, opened_by, validity }
    }
}

/// How long before a stay's end its peer was last known in, where that was when it joined.
fn unheard(start: Timestamp, out: Timestamp, closed_by: Option<ClosedBy>) -> i64 {
    if closed_by.is_some() { out.since(start) } else { 0 }
}

/// The stays of one peer, in order of their starts.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Stays<'a> {
    One(Stay),
    Many(&'a [Stay]),
}

impl Stays<'_> {
    /// Those that start from one time on and before another.
    pub(super) fn between(self, from: Timestamp, to: Timestamp) -> Self {
        match self {
            Self::One(stay) if from <= stay.start && stay.start < to => self,
            Self::One(_) => Self::Many(&[]),
            Self::Many(stays) => {
                let start = |time| stays.partition_point(|stay| stay.start < time);
                Self::Many(&stays[start(from)..start(to)])
            }
        }
    }
}

impl Deref for Stays<'_> {
    type Target = [Stay];

    fn deref(&self) -> &[Stay] {
        match self {
            Self::One(stay) => std::slice::from_ref(stay),
            Self::Many(stays) => stays,
        }
    }
}

/// The attendance of a peer that is folded alone and of whom nothing is known but a join, and perhaps a later leave. None where anything
/// else might matter: then the fold decides.
pub(super) fn at_a_glance(facts: &Facts, peer: PeerIx, now: Timestamp) -> Option<Brief> {
    if facts.group(peer).is_some() {
        return None;
    }
    let mut records = facts.newest_first(peer).map(|record| facts.entry(record));
    let last = records.next()?;
    let leave = (last.act == Act::Left).then_some(last);
    let join = if leave.is_some() { records.next()? } else { last };
    if join.act != Act::Joined || records.next().is_some() {
        return None;
    }
    let source = facts.source(join.record);
    let undisturbed = facts.life_after(source, join.time).is_none();
    match leave {
        Some(leave) => {
            let plain = join.time < leave.time && facts.leave(leave.record).uncertain == 0;
            let in_session = facts.stream.kind == StreamKind::Meeting || facts.ends.last().is_none_or(|end| join.time < *end);
            if plain && undisturbed && in_session { Brief::gone(join.time, leave.time) } else { None }
        }
        None => {
            let until = join.time.plus(super::stay::MAX_STAY);
            let goes_on = facts.stream.kind == StreamKind::Meeting && facts.ends.last().is_none_or(|end| *end <= join.time);
            let alone = (goes_on || facts.ends.is_empty()) && facts.rosters_after(source, join.time).is_empty();
            if undisturbed && alone && now <= until { Brief::present(join.time, until) } else { None }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_stay_fits(start in Timestamp::MIN.micros()..=Timestamp::MAX.micros(), end in Timestamp::MIN.micros()..=Timestamp::MAX.micros(), steps in 0..=OPEN) {
            let (start, end) = (Timestamp::from_micros(start), Timestamp::from_micros(end));
            let brief = Brief::new(start, end, steps).unwrap();
            let stay = brief.stay().unwrap();
            prop_assert_eq!((brief.is_more(), stay.start, stay.out), (false, start, (steps < OPEN).then_some(end)));
            prop_assert_eq!(brief.deadline(), (steps == OPEN).then_some(end));
            prop_assert_eq!(stay.closed_by, EVIDENCE.get(steps as usize).copied().flatten());
        }
    }

    #[test]
    fn what_is_no_instant_does_not_fit() {
        let far = Timestamp::from_micros(1 << 58);
        assert_eq!((Brief::gone(far, far), Brief::present(Timestamp::MIN, far)), (None, None));
        assert_eq!((Brief::NONE.stay(), Brief::MORE.stay(), Brief::NONE.deadline(), Brief::MORE.deadline()), (None, None, None, None));
    }
}
