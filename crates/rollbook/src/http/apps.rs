//! The apps that requests name: what is derived from an app's ids is a hash, which each request would have to pay for.

use rollbook_core::id::{App, AppError};
use std::sync::{Mutex, PoisonError};

/// How many apps are kept at most.
const PLACES: usize = 64;

/// Apps that were asked for lately, each where its ids' digest says.
pub(super) struct Apps([Mutex<Option<App>>; PLACES]);

impl Default for Apps {
    fn default() -> Self {
        Self([const { Mutex::new(None) }; PLACES])
    }
}

impl Apps {
    /// The app of these ids.
    ///
    /// # Errors
    /// Those of [`App::new`].
    pub(super) fn get(&self, account: &str, app: &str) -> Result<App, AppError> {
        // FNV-1a: any mixing will do, as another app in the place only costs what is saved here.
        let bytes = account.bytes().chain([0]).chain(app.bytes());
        let digest = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |digest, byte| (digest ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
        let mut kept = self.0[(digest >> 32) as usize % PLACES].lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = kept.as_ref().filter(|known| known.account() == account && known.app() == app) {
            return Ok(known.clone());
        }
        Ok(kept.insert(App::new(account, app)?).clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_app_is_what_its_ids_say() {
        let apps = Apps::default();
        for round in 0..2 {
            for number in 0..3 * PLACES {
                let (account, app) = (format!("a{}", number % 7), format!("b{number}"));
                assert_eq!(apps.get(&account, &app), App::new(&account, &app), "{round}");
            }
        }
        assert_eq!(apps.get("a", "x/y"), App::new("a", "x/y"));
        assert_ne!(apps.get("ab", "c"), apps.get("a", "bc"));
    }
}
