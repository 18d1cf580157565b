//! Reading what strace wrote: which bytes went into which file when, what was synced, and when an answer was sent.

use std::collections::HashMap;

use anyhow::{Context as _, bail, ensure};

/// Something that happened to a file, or to a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Event {
    /// A file was opened, and made if it was not there.
    Open {
        path: String,
        truncated: bool,
    },
    /// Bytes were written at a place; at the end where none is given.
    Write {
        path: String,
        at: Option<u64>,
        bytes: Vec<u8>,
    },
    Truncate {
        path: String,
        length: u64,
    },
    /// A sync of a file or folder began; what was written before is on the disk when it has ended.
    SyncBegins {
        path: String,
        call: u64,
    },
    SyncEnds {
        path: String,
        call: u64,
    },
    Unlink {
        path: String,
    },
    Rename {
        from: String,
        to: String,
    },
    /// `201` was sent to a client at this port.
    Acknowledged {
        port: u16,
    },
}

/// Reads a trace that [`super::tracer::recorder`] made; only files whose path begins with a text are looked at.
///
/// # Errors
/// At a line that cannot be read.
pub(crate) fn read(trace: &str, prefix: &str) -> anyhow::Result<Vec<Event>> {
    let mut reader = Reader {
        prefix,
        events: Vec::new(),
        begun: HashMap::new(),
        opening: HashMap::new(),
        places: HashMap::new(),
        calls: 0,
    };
    for line in trace.lines() {
        let (thread, rest) = line.split_once(' ').context("a line begins with its thread")?;
        reader.line(thread, rest.trim_start()).with_context(|| format!("in the trace: {:.200}", line))?;
    }
    Ok(reader.events)
}

struct Reader<'a> {
    prefix: &'a str,
    events: Vec<Event>,
    /// Syncs that have begun, by thread.
    begun: HashMap<String, (String, u64)>,
    /// What was printed of opens and seeks that have begun, by thread: their results are wanted.
    opening: HashMap<String, String>,
    /// Where the next write of a descriptor goes; none where it goes to the end.
    places: HashMap<String, Option<u64>>,
    calls: u64,
}

impl Reader<'_> {
    fn line(&mut self, thread: &str, line: &str) -> anyhow::Result<()> {
        if let Some(rest) = line.strip_prefix("<... ") {
            if let Some((path, call)) = self.begun.remove(thread)
                && rest.ends_with("= 0")
            {
                self.events.push(Event::SyncEnds { path, call });
            } else if let Some(begun) = self.opening.remove(thread)
                && let Some((_, ended)) = rest.split_once("resumed>")
            {
                return self.line(thread, &format!("{begun}{ended}"));
            }
            return Ok(());
        }
        let Some((name, rest)) = line.split_once('(') else { return Ok(()) };
        let unfinished = rest.ends_with("<unfinished ...>");
        if unfinished && matches!(name, "openat" | "lseek") {
            let begun = rest.trim_end_matches("<unfinished ...>");
            self.opening.insert(thread.to_owned(), format!("{name}({begun}"));
            return Ok(());
        }
        let failed = rest.rsplit_once(" = ").is_some_and(|(_, value)| value.starts_with('-'));
        if failed {
            return Ok(());
        }
        match name {
            "openat" => self.open(rest),
            "write" | "pwrite64" => self.write(name, rest),
            "writev" | "sendto" => self.answer(rest),
            "lseek" => self.seek(rest),
            "ftruncate" => self.truncate(rest),
            "fsync" | "fdatasync" => self.sync(thread, rest, unfinished),
            "unlink" | "unlinkat" => {
                let paths = quoted(rest);
                let path = paths.first().context("a path")?.clone();
                if path.starts_with(self.prefix) {
                    self.events.push(Event::Unlink { path });
                }
                Ok(())
            }
            "rename" | "renameat" | "renameat2" => {
                let paths = quoted(rest);
                ensure!(paths.len() == 2, "two paths");
                if paths[0].starts_with(self.prefix) {
                    self.events.push(Event::Rename { from: paths[0].clone(), to: paths[1].clone() });
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// The descriptor as strace writes it, number and path, if it is one of the store's.
    fn descriptor(&self, rest: &str) -> Option<(String, String)> {
        let (number, rest) = rest.split_once('<')?;
        let (path, _) = rest.split_once('>')?;
        let path = path.strip_suffix(" (deleted)").unwrap_or(path);
        path.starts_with(self.prefix).then(|| (number.to_owned(), path.to_owned()))
    }

    fn open(&mut self, rest: &str) -> anyhow::Result<()> {
        let path = quoted(rest).into_iter().next().context("a path")?;
        if !path.starts_with(self.prefix) {
            return Ok(());
        }
        let (arguments, result) = rest.rsplit_once(" = ").context("an open that ended")?;
        let number = result.split('<').next().context("a descriptor")?;
        let appends = arguments.contains("O_APPEND");
        self.places.insert(number.to_owned(), (!appends).then_some(0));
        if arguments.contains("O_CREAT") || arguments.contains("O_TRUNC") {
            self.events.push(Event::Open { path, truncated: arguments.contains("O_TRUNC") });
        }
        Ok(())
    }

    fn write(&mut self, name: &str, rest: &str) -> anyhow::Result<()> {
        let Some((number, path)) = self.descriptor(rest) else { return Ok(()) };
        let (bytes, after) = string(rest)?;
        let at = if name == "pwrite64" {
            // After the bytes: length and place.
            let place = after.split([',', ')', ' ']).filter(|word| !word.is_empty()).nth(1);
            Some(place.and_then(|place| place.parse().ok()).context("a place")?)
        } else {
            let place = self.places.get_mut(&number).context("a descriptor that was opened")?;
            let at = *place;
            if let Some(place) = place {
                *place += bytes.len() as u64;
            }
            at
        };
        self.events.push(Event::Write { path, at, bytes });
        Ok(())
    }

    fn answer(&mut self, rest: &str) -> anyhow::Result<()> {
        let Some((_, address)) = rest.split_once("->") else { return Ok(()) };
        let Some((address, text)) = address.split_once(']') else { return Ok(()) };
        if text.contains("\"HTTP/1.1 201 ") {
            let port = address.rsplit_once(':').and_then(|(_, port)| port.parse().ok()).context("a port")?;
            self.events.push(Event::Acknowledged { port });
        }
        Ok(())
    }

    fn seek(&mut self, rest: &str) -> anyhow::Result<()> {
        let Some((number, _)) = self.descriptor(rest) else { return Ok(()) };
        let result = rest.rsplit_once(" = ").and_then(|(_, value)| value.trim().parse().ok()).context("a place")?;
        // One that appends does so wherever it stands.
        if let Some(Some(place)) = self.places.get_mut(&number) {
            *place = result;
        }
        Ok(())
    }

    fn truncate(&mut self, rest: &str) -> anyhow::Result<()> {
        let Some((_, path)) = self.descriptor(rest) else { return Ok(()) };
        let length =
            rest.split(", ").nth(1).and_then(|text| text.split([')', ' ']).next()?.parse().ok()).context("a length")?;
        self.events.push(Event::Truncate { path, length });
        Ok(())
    }

    fn sync(&mut self, thread: &str, rest: &str, unfinished: bool) -> anyhow::Result<()> {
        let inside = rest.split_once('<').and_then(|(_, rest)| rest.split_once('>')).map(|(path, _)| path.to_owned());
        let path = inside.context("a descriptor")?;
        // The folder itself counts: a name is on the disk when its folder is.
        let folder = self.prefix.rsplit_once('/').map_or("", |(folder, _)| folder);
        if !path.starts_with(self.prefix) && path != folder {
            return Ok(());
        }
        self.calls += 1;
        self.events.push(Event::SyncBegins { path: path.clone(), call: self.calls });
        if unfinished {
            self.begun.insert(thread.to_owned(), (path, self.calls));
        } else {
            self.events.push(Event::SyncEnds { path, call: self.calls });
        }
        Ok(())
    }
}

/// The texts between quotes, decoded; those that are no UTF-8 are left out.
fn quoted(mut rest: &str) -> Vec<String> {
    let mut found = Vec::new();
    while rest.contains('"') {
        let Ok((bytes, after)) = string(rest) else { break };
        found.extend(String::from_utf8(bytes));
        rest = after;
    }
    found
}

/// The first text between quotes as bytes, and what stands after it.
fn string(text: &str) -> anyhow::Result<(Vec<u8>, &str)> {
    let start = text.find('"').context("a text")? + 1;
    let source = text.as_bytes();
    let mut bytes = Vec::new();
    let mut at = start;
    loop {
        match source.get(at) {
            None => bail!("a text that does not end"),
            Some(b'"') => {
                ensure!(!text[at + 1..].starts_with("..."), "a text that was cut short");
                return Ok((bytes, &text[at + 1..]));
            }
            Some(b'\\') => {
                let (byte, length) = escape(&source[at + 1..])?;
                bytes.push(byte);
                at += 1 + length;
            }
            Some(byte) => {
                bytes.push(*byte);
                at += 1;
            }
        }
    }
}

/// A byte after a backslash, as C writes it, and how many characters it took.
fn escape(source: &[u8]) -> anyhow::Result<(u8, usize)> {
    let plain = |byte| Ok((byte, 1));
    match source.first().context("something after a backslash")? {
        b'n' => plain(b'\n'),
        b't' => plain(b'\t'),
        b'r' => plain(b'\r'),
        b'v' => plain(0x0B),
        b'f' => plain(0x0C),
        b'0'..=b'7' => {
            let digits: Vec<u8> = source.iter().take(3).take_while(|b| (b'0'..=b'7').contains(*b)).copied().collect();
            let value = digits.iter().fold(0_u32, |value, digit| value * 8 + u32::from(digit - b'0'));
            Ok((u8::try_from(value).context("a byte")?, digits.len()))
        }
        byte => plain(*byte),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_becomes_events_in_order() {
        let trace = r#"7 openat(AT_FDCWD</t>, "/t/m.duckdb.wal", O_WRONLY|O_CREAT|O_APPEND|O_CLOEXEC, 0666) = 12</t/m.duckdb.wal>
7 write(12</t/m.duckdb.wal>, "d\0b\"e\2101\n", 8) = 8
8 pwrite64(11</t/m.duckdb>, "\377x", 2, 4096) = 2
7 write(2</dev/pts/0>, "no", 2) = 2
8 ftruncate(13</t/m.duckdb.blocks>, 0 <unfinished ...>
7 fsync(12</t/m.duckdb.wal> <unfinished ...>
8 writev(9<TCP:[127.0.0.1:1->127.0.0.1:4242]>, [{iov_base="HTTP/1.1 201 Created\r\n", iov_len=22}], 1) = 22
7 <... fsync resumed>)      = 0
7 fsync(11</t/m.duckdb>)    = -1 EIO (Input/output error)
7 unlink("/t/m.duckdb.wal") = 0
"#;
        let path = |ending: &str| format!("/t/m.duckdb{ending}");
        let expected = vec![
            Event::Open { path: path(".wal"), truncated: false },
            Event::Write { path: path(".wal"), at: None, bytes: b"d\0b\"e\x881\n".to_vec() },
            Event::Write { path: path(""), at: Some(4096), bytes: b"\xFFx".to_vec() },
            Event::Truncate { path: path(".blocks"), length: 0 },
            Event::SyncBegins { path: path(".wal"), call: 1 },
            Event::Acknowledged { port: 4242 },
            Event::SyncEnds { path: path(".wal"), call: 1 },
            Event::Unlink { path: path(".wal") },
        ];
        assert_eq!(read(trace, "/t/m.duckdb").expect("reads"), expected);
    }

    #[test]
    fn a_text_that_strace_cut_short_is_an_error() {
        assert!(read("7 write(12</t/m>, \"abc\"..., 80) = 80", "/t/m").is_err());
    }
}
