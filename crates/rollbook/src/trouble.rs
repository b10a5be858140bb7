//! What goes wrong again and again, and is worth a line when it begins, when it changes and when it is over.

/// What is wrong with something that is looked at from time to time.
pub(crate) struct Trouble {
    what: &'static str,
    cause: Option<String>,
}

impl Trouble {
    /// None yet, with `what`, in the plural.
    pub(crate) fn with(what: &'static str) -> Self {
        Self { what, cause: None }
    }

    /// Takes what came of a look, and logs what is news.
    pub(crate) fn tell(&mut self, cause: Option<String>) {
        let what = self.what;
        match &cause {
            Some(_) if self.cause == cause => {}
            Some(cause) => tracing::error!(cause, "{what} can't be read; those known before stay in force"),
            None if self.cause.is_some() => tracing::info!("{what} can be read again"),
            None => {}
        }
        self.cause = cause;
    }
}
