//! Which member of an engine's deliveries says who a person is: a choice of the app's.

use crate::engine::SettingsError;
use crate::fields::{Fault, Fields};

/// Members that identify a person, the best first.
#[derive(Clone, Debug)]
pub(crate) struct Identity(Vec<&'static str>);

impl Identity {
    /// The members that an app chose among those that there are, or the engine's default.
    pub(crate) fn choose(chosen: Option<&[String]>, known: &[&'static str], default: &[&'static str]) -> Result<Self, SettingsError> {
        let Some(chosen) = chosen else { return Ok(Self(default.to_vec())) };
        let find = |name: &String| {
            let found = known.iter().copied().find(|known| known == name);
            found.ok_or_else(|| SettingsError::Options(format!("identity: {name:?} is none of {}", known.join(", "))))
        };
        chosen.iter().map(find).collect::<Result<_, _>>().map(Self)
    }

    /// The first of them that says something.
    pub(crate) fn of(&self, participant: Fields<'_>) -> Result<Option<Box<str>>, Fault> {
        for member in &self.0 {
            if let Some(found) = participant.filled(member)? {
                return Ok(Some(found.into()));
            }
        }
        Ok(None)
    }

    /// The personal members, less those that the app chose: they are what the ledger needs.
    pub(crate) fn spare(&self, personal: &[&'static str]) -> Vec<&'static str> {
        personal.iter().copied().filter(|member| !self.0.contains(member)).collect()
    }
}
