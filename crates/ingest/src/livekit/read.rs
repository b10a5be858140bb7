//! Reading protojson: names in either case, 64-bit numbers as texts or numbers, enums by name or number, defaults left out.

use crate::fields::{Fault, Fields, Unit};
use crate::json::Json;
use rollbook_core::time::Timestamp;

/// A message of LiveKit's.
#[derive(Clone, Copy)]
pub(super) struct Message<'j>(pub(super) Fields<'j>);

impl<'j> Message<'j> {
    /// A member by its name in the proto file; lowerCamelCase is how it is mostly written.
    fn get(self, member: &str) -> Option<&'j Json<'j>> {
        self.0.get(&camel(member)).or_else(|| self.0.get(member))
    }

    pub(super) fn text(self, member: &str) -> Result<Option<&'j str>, Fault> {
        self.0.text(member)
    }

    pub(super) fn required(self, member: &str) -> Result<Self, Fault> {
        self.0.object(member)?.map(Self).ok_or_else(|| Fault::missing(member, "an object"))
    }

    /// The id that LiveKit gave a room or a participant.
    pub(super) fn sid(self) -> Result<&'j str, Fault> {
        self.text("sid")?.filter(|sid| !sid.is_empty()).ok_or_else(|| Fault::missing("sid", "a text"))
    }

    /// An instant that stands as milliseconds, or in older versions as seconds, since 1970. 0 is how protojson writes none.
    pub(super) fn time(self, millis: &str, seconds: &str) -> Result<Option<Timestamp>, Fault> {
        for (member, unit) in [(millis, Unit::Millis), (seconds, Unit::Seconds)] {
            let name = if self.0.get(member).is_some() { member } else { &camel(member) };
            if let Some(time) = self.0.epoch(name, unit)?.filter(|time| time.micros() != 0) {
                return Ok(Some(time));
            }
        }
        Ok(None)
    }

    /// An enum's value: one of the names, or its number.
    fn is_one_of(self, member: &str, values: &[(&str, &str)]) -> bool {
        match self.get(member) {
            Some(Json::Text(name)) => values.iter().any(|(known, _)| known == name),
            Some(Json::Number(number)) => values.iter().any(|(_, known)| known == number),
            _ => false,
        }
    }
}

fn camel(member: &str) -> String {
    let mut words = member.split('_');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |name, word| {
        let mut letters = word.chars();
        let initial = letters.next().map(|letter| letter.to_ascii_uppercase());
        name + &initial.into_iter().chain(letters).collect::<String>()
    })
}

/// Whether a participant is no person: an encoder's stream, a recorder, an agent. A telephone (`SIP`) has a person at its end.
pub(super) fn is_machine(participant: Message<'_>) -> bool {
    participant.is_one_of("kind", &[("INGRESS", "1"), ("EGRESS", "2"), ("AGENT", "4")])
}

/// Whether a participant is connected. Before, LiveKit sends no `participant_joined`.
pub(super) fn is_active(participant: Message<'_>) -> bool {
    participant.is_one_of("state", &[("ACTIVE", "2")])
}

/// Why the participant left, in LiveKit's words; none where it does not know.
pub(super) fn reason(participant: Message<'_>) -> Option<&str> {
    match participant.get("disconnect_reason") {
        Some(Json::Text(reason)) => Some(&**reason).filter(|reason| *reason != "UNKNOWN_REASON"),
        // A number that this table would have to follow: the leave counts without it.
        _ => None,
    }
}
