//! "Did you mean": the known names that are nearest to an unknown one.

/// Most names suggested.
const MOST: usize = 3;

/// Known names within a third of the unknown one's length in edits, or that contain it, nearest first.
pub(crate) fn nearest<'a>(unknown: &str, known: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let folded = unknown.to_lowercase();
    let near = (folded.chars().count() / 3).clamp(1, 4);
    let mut found: Vec<(usize, &str)> = known
        .into_iter()
        .filter_map(|name| {
            let other = name.to_lowercase();
            let edits = distance(&folded, &other);
            let contained = folded.len() > 2 && other.contains(&folded);
            (edits <= near || contained).then_some((if contained { edits.min(near) } else { edits }, name))
        })
        .collect();
    found.sort_unstable();
    found.truncate(MOST);
    found.into_iter().map(|(_, name)| name).collect()
}

/// Fewest insertions, removals, replacements and swaps of neighbours that turn one text into the other
/// (optimal string alignment).
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 0..a.len() {
        let mut row = vec![i + 1];
        for j in 0..b.len() {
            let replaced = last[j] + usize::from(a[i] != b[j]);
            let mut least = replaced.min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && a[i] == b[j - 1] && a[i - 1] == b[j] {
                least = least.min(before[j - 1] + 1);
            }
            row.push(least);
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

/// The message for a metric that is not there.
pub(crate) fn unknown_metric<'a>(unknown: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let mut known = known.into_iter().peekable();
    if known.peek().is_none() {
        return format!("no metric is called \"{unknown}\": the store is empty");
    }
    match nearest(unknown, known).as_slice() {
        [] => format!("no metric is called \"{unknown}\": `metrics-cli list` shows them all"),
        names => {
            let quoted: Vec<String> = names.iter().map(|name| format!("\"{name}\"")).collect();
            format!("no metric is called \"{unknown}\": did you mean {}?", quoted.join(" or "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_count_edits_and_swaps() {
        for (a, b, expected) in [
            ("", "", 0),
            ("", "abc", 3),
            ("cpu", "cpu", 0),
            ("cup", "cpu", 1),
            ("temprature", "temperature", 1),
            ("kitten", "sitting", 3),
            ("größe", "grösse", 2),
        ] {
            assert_eq!((distance(a, b), distance(b, a)), (expected, expected), "{a} {b}");
        }
    }

    #[test]
    fn the_nearest_come_first_and_strangers_do_not_come() {
        let known = ["temperature", "humidity", "cpu_user", "cpu_system", "CPU"];
        assert_eq!(nearest("Temprature", known), ["temperature"]);
        assert_eq!(nearest("cpu", known), ["CPU", "cpu_system", "cpu_user"]);
        assert_eq!(nearest("zzz", known), [""; 0]);
    }

    #[test]
    fn the_message_says_what_to_do() {
        assert_eq!(unknown_metric("cpo", ["cpu"]), "no metric is called \"cpo\": did you mean \"cpu\"?");
        assert!(unknown_metric("cpo", []).ends_with("the store is empty"));
        assert!(unknown_metric("disk", ["cpu"]).contains("metrics-cli list"));
    }
}
