//! What the system tells of this process, where it has a `/proc` (Linux).

/// Figures of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Process {
    /// Memory that is in RAM, in bytes.
    pub(crate) resident_bytes: u64,
    /// Address space, in bytes.
    pub(crate) virtual_bytes: u64,
    pub(crate) threads: u64,
    pub(crate) open_files: u64,
}

impl Process {
    /// Of this process; none where the system tells nothing.
    pub(crate) fn read() -> Option<Self> {
        let status = std::fs::read_to_string("/proc/self/status").ok()?;
        let open_files = std::fs::read_dir("/proc/self/fd").ok()?.count() as u64;
        Self::parse(&status, open_files)
    }

    /// Reads `/proc/self/status` (proc(5)).
    fn parse(status: &str, open_files: u64) -> Option<Self> {
        let field = |name: &str| {
            let mut words = status.lines().find_map(|line| line.strip_prefix(name))?.split_whitespace();
            let number: u64 = words.next()?.parse().ok()?;
            Some(if words.next() == Some("kB") { number.saturating_mul(1_024) } else { number })
        };
        Some(Self {
            resident_bytes: field("VmRSS:")?,
            virtual_bytes: field("VmSize:")?,
            threads: field("Threads:")?,
            open_files,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_told_in_bytes() {
        let status = "Name:\tmetrics-cli\nVmSize:\t  2048 kB\nVmRSS:\t    12 kB\nThreads:\t7\n";
        let expected = Process { resident_bytes: 12_288, virtual_bytes: 2_097_152, threads: 7, open_files: 3 };
        assert_eq!(Process::parse(status, 3), Some(expected));
        assert_eq!(Process::parse("VmRSS: many kB\n", 3), None);
    }
}
