//! Deliveries made here, as an engine would make them: someone who never was comes, goes, and the session ends. By them an app's settings are
//! tried out, from the signature to the row.

use rollbook_core::time::{MINUTE, SECOND, Timestamp};

/// What samples are to say.
#[derive(Clone, Copy, Debug)]
pub struct Visit<'a> {
    /// When whoever came is gone, in whole seconds; they came a minute before.
    pub left_at: Timestamp,
    /// What tells this visit from all others: letters, digits and '-'.
    pub mark: &'a str,
    /// The whole address that takes the deliveries: some engines sign it.
    pub address: &'a str,
}

/// One delivery.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sample {
    /// What follows the address: a path below it, or a query.
    pub below: String,
    /// The header fields, with the proof of who sends it where one can be made.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
}

/// Samples, and whether they carry a proof. Without one a token must let them in: there is no secret, or only the public half of a key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Samples {
    /// In the order in which they are to be sent.
    pub deliveries: Vec<Sample>,
    /// Whether they are signed, or have the secret.
    pub proved: bool,
}

impl Samples {
    /// Samples of these bodies in JSON; `prove` gives each its proof, where there is a secret for one.
    pub(crate) fn of(bodies: Vec<String>, prove: impl Fn(&str) -> Option<Vec<(String, String)>>) -> Self {
        let mut proved = true;
        let deliveries = bodies.into_iter().map(|body| {
            let mut headers = vec![("content-type".to_owned(), "application/json".to_owned())];
            match prove(&body) {
                Some(proof) => headers.extend(proof),
                None => proved = false,
            }
            Sample { below: String::new(), headers, body }
        });
        Self { deliveries: deliveries.collect(), proved }
    }
}

impl Visit<'_> {
    /// The title of the session: whoever sees it must know what it is.
    #[must_use]
    pub fn title(&self) -> String {
        format!("rollbook engine test {}", self.mark)
    }

    /// Who came.
    pub(crate) const NAME: &'static str = "rollbook engine test";
    /// Their id in the product.
    pub(crate) const ID: &'static str = "rollbook-engine-test";

    pub(crate) fn joined_at(&self) -> Timestamp {
        self.left_at.plus(-MINUTE)
    }

    /// Seconds since 1970 of the join and the leave.
    pub(crate) fn seconds(&self) -> (i64, i64) {
        (self.joined_at().micros() / SECOND, self.left_at.micros() / SECOND)
    }

    /// The join and the leave as RFC 3339.
    pub(crate) fn instants(&self) -> (String, String) {
        let text = |time: Timestamp| String::from_utf8_lossy(&time.to_millis_text()).into_owned();
        (text(self.joined_at()), text(self.left_at))
    }
}
