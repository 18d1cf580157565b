//! Patterns over names: `*` is any text, `?` any one character.

/// Whether a pattern holds a wildcard.
pub(crate) fn is_pattern(text: &str) -> bool {
    text.contains(['*', '?'])
}

/// Whether a pattern fits the whole name, in time bounded by the product of their lengths.
pub(crate) fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    let (mut p, mut n) = (0, 0);
    // Where to go on after the last star, should the text after it not fit here.
    let mut retry: Option<(usize, usize)> = None;
    while n < name.len() {
        match pattern.get(p) {
            Some('*') => {
                retry = Some((p + 1, n));
                p += 1;
            }
            Some(&c) if c == '?' || c == name[n] => (p, n) = (p + 1, n + 1),
            _ => match &mut retry {
                Some((after, from)) => {
                    *from += 1;
                    (p, n) = (*after, *from);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|&c| c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_and_question_marks() {
        for (pattern, name, expected) in [
            ("cpu", "cpu", true),
            ("cpu", "cpu_user", false),
            ("cpu*", "cpu", true),
            ("*_user", "cpu_user", true),
            ("c?u*r", "cpu_user", true),
            ("?", "é", true),
            ("?", "", false),
            ("*", "", true),
            ("*a*b", "xaxbxab", true),
            ("*a*b", "xaxbxa", false),
            ("", "x", false),
            ("temp.*", "temperature", false),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} on {name}");
        }
        assert!(is_pattern("a*") && is_pattern("?") && !is_pattern("a.b"));
    }

    #[test]
    fn many_stars_end_in_good_time() {
        assert!(!matches(&"*a".repeat(120), &format!("{}b", "a".repeat(250))));
    }
}
