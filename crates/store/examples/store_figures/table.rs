//! What was measured, next to what is asked.

use std::collections::BTreeMap;

/// Each figure of each round.
#[derive(Default)]
pub(crate) struct Measured(BTreeMap<String, Vec<f64>>);

impl Measured {
    pub(crate) fn add(&mut self, name: &str, value: f64) {
        self.0.entry(name.to_owned()).or_default().push(value);
    }

    /// The median of the rounds; none where the figure was not measured.
    fn median(&self, name: &str) -> Option<f64> {
        let mut all = self.0.get(name)?.clone();
        all.sort_by(f64::total_cmp);
        all.get(all.len() / 2).copied()
    }

    /// The median of the rounds' ratios.
    fn ratio(&self, name: &str, to: &str) -> Option<f64> {
        let mut all: Vec<f64> = self.0.get(name)?.iter().zip(self.0.get(to)?).map(|(one, other)| one / other).collect();
        all.sort_by(f64::total_cmp);
        all.get(all.len() / 2).copied()
    }

    fn greatest(&self, name: &str) -> Option<f64> {
        self.0.get(name)?.iter().copied().max_by(f64::total_cmp)
    }
}

/// What a figure must be.
enum Asked {
    AtLeast(f64),
    AtMost(f64),
    Nothing,
}

fn line(name: &str, got: Option<f64>, asked: &Asked) {
    let Some(got) = got else { return };
    let shown = if got.abs() >= 1000.0 { format!("{got:.0}") } else { format!("{got:.3}") };
    match asked {
        Asked::AtLeast(least) => println!("{name:<58} {shown:>10}   >= {least:<6} {}", if got >= *least { "" } else { "FALLS SHORT" }),
        Asked::AtMost(most) => println!("{name:<58} {shown:>10}   <= {most:<6} {}", if got <= *most { "" } else { "FALLS SHORT" }),
        Asked::Nothing => println!("{name:<58} {shown:>10}"),
    }
}

/// Prints every figure. Ratios are medians over the rounds, of two figures of one round.
pub(crate) fn report(got: &Measured) {
    use Asked::{AtLeast, AtMost, Nothing};
    println!("{:<58} {:>10}   asked", "figure (median of the rounds)", "got");
    line("fdatasync of 200 bytes, a second", got.median("fdatasync"), &Nothing);
    line("one row a commit, one connection, a second", got.median("one row"), &Nothing);
    for (name, times, both) in [("hot", 25.0, 0.55), ("1000", 12.0, 0.75)] {
        line(&format!("appends, {name}: SQLite, events a second"), got.median(&format!("sqlite {name}")), &Nothing);
        line(&format!("appends, {name}: one node, 64 clients, events a second"), got.median(&format!("one {name}")), &Nothing);
        line(&format!("appends, {name}: events a batch"), got.median(&format!("one {name} a batch")), &Nothing);
        line(&format!("appends, {name}: one node / one row a commit"), got.ratio(&format!("one {name}"), "one row"), &AtLeast(times));
        line(&format!("appends, {name}: two nodes / one"), got.ratio(&format!("two {name}"), &format!("one {name}")), &AtLeast(both));
        line(&format!("appends, {name}: slower node / faster"), got.median(&format!("two {name} slower")), &AtLeast(0.9));
        line(&format!("appends, {name}: two nodes, most tries"), got.greatest(&format!("two {name} tries")), &AtMost(5.0));
        line(&format!("appends, {name}: two nodes, 99th percentile, ms"), got.median(&format!("two {name} p99")), &Nothing);
        line(&format!("appends, {name}: two nodes, longest, ms"), got.greatest(&format!("two {name} longest")), &AtMost(20.0));
    }
    line("contest of 2 x 1 client, hot: slower / faster", got.median("contest slower"), &AtLeast(0.9));
    line("contest of 2 x 1 client, hot: most tries", got.greatest("contest tries"), &AtMost(5.0));
    line("contest of 2 x 1 client, hot: longest, ms", got.greatest("contest longest"), &AtMost(20.0));
    // A disk that syncs slowly makes all appends long: this says how many syncs one waited for.
    for name in ["two hot", "two 1000", "contest"] {
        let longest = got.greatest(&format!("{name} longest")).zip(got.median("one row")).map(|(millis, rate)| millis / 1e3 * rate);
        line(&format!("{name}: longest, in commits of one row"), longest, &Nothing);
    }
    line("deadlocks", got.greatest("deadlocks"), &AtMost(0.0));
    for (readers, name, least, most) in
        [("32", "hot", 0.55, 0.1), ("32", "1000", 0.40, 0.1), ("256", "hot", 0.80, 0.02), ("256", "1000", 0.65, 0.02)]
    {
        let key = format!("{readers} {name}");
        for check in ["None", "Shared", "Each"] {
            let rate = got.median(&format!("{key} {check} rate")).unwrap_or_default();
            let micros = |part| got.median(&format!("{key} {check} {part}")).unwrap_or_default();
            if rate > 0.0 {
                println!(
                    "reads, {key}, check {check}: {rate:.0} requests a second, p50 {:.0} us, p99 {:.0} us",
                    micros("p50"),
                    micros("p99")
                );
            }
        }
        line(
            &format!("reads, {key}: shared check / none"),
            got.ratio(&format!("{key} Shared rate"), &format!("{key} None rate")),
            &AtLeast(least),
        );
        line(&format!("reads, {key}: query each / none"), got.ratio(&format!("{key} Each rate"), &format!("{key} None rate")), &Nothing);
        line(&format!("reads, {key}: checks a request"), got.median(&format!("{key} Shared checks")), &AtMost(most));
    }
    line("reads with replies kept back: stale", got.greatest("stale"), &AtMost(0.0));
}
