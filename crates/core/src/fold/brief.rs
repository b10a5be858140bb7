//! What most peers' attendance comes to, in sixteen bytes: one stay, opened by a join, that was closed by a leave or not at all.
//!
//! Everything else of such an attendance follows from the peer's events, and is put together where it is asked for.

use super::facts::{Facts, PeerIx};
use super::group::Attendance;
use super::record::{Act, RecordIx};
use super::stay::{Stay, Validity};
use crate::id::StreamKind;
use crate::time::Timestamp;
use std::ops::Deref;

/// An attendance in brief.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Brief {
    /// When the stay began; or one of the two below.
    start: i64,
    /// When it ended; of one that is open [`OPEN`] + when it would have lasted for too long.
    end: i64,
}

/// In place of a start: no stay.
const NONE: i64 = i64::MAX;
/// In place of a start: there is more to say than fits here.
const MORE: i64 = i64::MIN;
/// Far from any instant.
const OPEN: i64 = 1 << 62;
/// Instants that can be told from all of the above.
const FITS: std::ops::Range<i64> = -(1 << 60)..1 << 60;

impl Brief {
    pub(super) const NONE: Self = Self { start: NONE, end: 0 };
    pub(super) const MORE: Self = Self { start: MORE, end: 0 };

    /// A stay from a join to a leave.
    pub(super) fn gone(start: Timestamp, out: Timestamp) -> Option<Self> {
        let fits = FITS.contains(&start.micros()) && FITS.contains(&out.micros());
        fits.then_some(Self { start: start.micros(), end: out.micros() })
    }

    /// A stay that goes on, but for the maximum stay.
    pub(super) fn present(start: Timestamp, until: Timestamp) -> Option<Self> {
        let fits = FITS.contains(&start.micros()) && FITS.contains(&until.micros());
        fits.then_some(Self { start: start.micros(), end: OPEN + until.micros() })
    }

    /// An attendance in brief, if the peer's events make up for what is left out.
    pub(super) fn of(facts: &Facts, attendance: &Attendance) -> Option<Self> {
        let Attendance { stays, anomalies, entries, opened_by, validity } = attendance;
        let follows = |(place, (record, stay)): (usize, &(RecordIx, Option<u32>))| match facts.entry(*record).act {
            Act::Created => stay.is_none(),
            Act::LeftSlot(_) => false,
            act => *stay == Some(0) && (act == Act::Joined) == (opened_by.first().is_some_and(|ix| *ix as usize == place)),
        };
        if !anomalies.is_empty() || !entries.iter().enumerate().all(follows) {
            return None;
        }
        let endless = Validity { until: validity.until, ..Validity::default() };
        match stays[..] {
            [] if *validity == Validity::default() => Some(Self::NONE),
            [Stay { start, out: None, .. }] if *validity == endless => Self::present(start, validity.until),
            [Stay { start, out: Some(out), closed_by: None, uncertain: 0 }] if *validity == Validity::default() => Self::gone(start, out),
            _ => None,
        }
    }

    pub(super) fn is_more(self) -> bool {
        self.start == MORE
    }

    /// Its stay, where there is one.
    pub(super) fn stay(self) -> Option<Stay> {
        let out = if self.end < FITS.end { Some(Timestamp::from_micros(self.end)) } else { None };
        let stay = Stay { start: Timestamp::from_micros(self.start), out, closed_by: None, uncertain: 0 };
        FITS.contains(&self.start).then_some(stay)
    }

    /// When the stay that goes on will have lasted for too long.
    pub(super) fn deadline(self) -> Option<Timestamp> {
        (FITS.contains(&self.start) && self.end >= FITS.end).then(|| Timestamp::from_micros(self.end - OPEN))
    }

    /// What it was made from.
    pub(super) fn in_full(self, facts: &Facts, peer: PeerIx) -> Attendance {
        let mut entries: Vec<(RecordIx, Option<u32>)> = facts.newest_first(peer).map(|record| (record, None)).collect();
        entries.reverse();
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
