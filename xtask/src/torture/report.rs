//! What a run found, as a table in Markdown.

use std::fmt::Write;
use std::time::Duration;

use super::verify::Findings;

/// What one scenario did and found.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tally {
    /// Faults that were brought about.
    pub(crate) faults: u64,
    /// Points that were acknowledged.
    pub(crate) acknowledged: u64,
    pub(crate) findings: Findings,
    /// What else went wrong, such as a server that did not start.
    pub(crate) failures: Vec<String>,
    /// What a reader should know: what was counted, what was not run and why.
    pub(crate) notes: Vec<String>,
    pub(crate) took: Duration,
}

impl Tally {
    pub(crate) fn passed(&self) -> bool {
        self.findings.is_clean() && self.failures.is_empty()
    }

    pub(crate) fn fail(&mut self, words: impl Into<String>) {
        self.failures.push(words.into());
    }

    pub(crate) fn note(&mut self, words: impl Into<String>) {
        self.notes.push(words.into());
    }

    /// Takes in what another part of the scenario did.
    pub(crate) fn add(&mut self, other: Self) {
        self.faults += other.faults;
        self.acknowledged += other.acknowledged;
        self.findings.add(other.findings);
        self.failures.extend(other.failures);
        self.notes.extend(other.notes);
        self.took += other.took;
    }
}

/// Failures and notes that are printed of one scenario.
const MOST_LINES: usize = 12;

/// The report of a run.
pub(crate) fn markdown(title: &str, tallies: &[(String, Tally)]) -> String {
    let mut text = format!("# {title}\n\n");
    text += "| scenario | faults | points acknowledged | lost | doubled | torn | strange | rollup windows differing | failures | seconds |\n";
    text += "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n";
    let mut total = Tally::default();
    for (name, tally) in tallies {
        row(&mut text, name, tally);
        total.add(tally.clone());
    }
    row(&mut text, "**all**", &total);
    for (name, tally) in tallies {
        let lines: Vec<&String> = tally.failures.iter().chain(&tally.findings.words).chain(&tally.notes).collect();
        if !lines.is_empty() {
            let verdict = if tally.passed() { "" } else { ": **failed**" };
            writeln!(text, "\n## {name}{verdict}\n").expect("a text takes all");
            lines.iter().take(MOST_LINES).for_each(|line| writeln!(text, "- {line}").expect("a text takes all"));
            if lines.len() > MOST_LINES {
                writeln!(text, "- and {} more", lines.len() - MOST_LINES).expect("a text takes all");
            }
        }
    }
    text
}

fn row(text: &mut String, name: &str, tally: &Tally) {
    let Findings { lost, doubled, torn, strange, rollups, .. } = &tally.findings;
    writeln!(
        text,
        "| {name} | {} | {} | {lost} | {doubled} | {torn} | {strange} | {rollups} | {} | {:.0} |",
        tally.faults,
        tally.acknowledged,
        tally.failures.len(),
        tally.took.as_secs_f64()
    )
    .expect("a text takes all");
}
