//! This machine's own metrics: CPU, memory, load, disks and network.
//!
//! | metric | labels besides `host` | value |
//! | --- | --- | --- |
//! | `cpu_used_percent` | | all cores together, 0 to 100 |
//! | `cpu_core_used_percent` | `core` | one core |
//! | `memory_used_bytes`, `memory_available_bytes`, `memory_total_bytes` | | |
//! | `swap_used_bytes`, `swap_total_bytes` | | |
//! | `load_1m`, `load_5m`, `load_15m` | | not on Windows |
//! | `disk_used_bytes`, `disk_total_bytes` | `mount` | space of a file system |
//! | `disk_read_bytes_per_second`, `disk_written_bytes_per_second` | `device` | since the sample before |
//! | `network_received_bytes_per_second`, `network_sent_bytes_per_second` | `interface` | since the sample before |

use std::collections::BTreeSet;
use std::time::Instant;

use metrics_core::{Batch, Labels, MetricName, Point, SeriesKey, Timestamp};
use sysinfo::{Disks, MemoryRefreshKind, Networks, System};

/// Most cores, file systems and interfaces that are told one by one; what is beyond is left out.
const MOST_PARTS: usize = 256;

/// Reads the machine's figures.
pub(crate) struct Collector {
    host: String,
    system: System,
    disks: Option<Disks>,
    networks: Option<Networks>,
    /// When the figures were read last: rates are over the time since.
    read_at: Instant,
}

impl Collector {
    /// Reads the figures a first time, for what is told as a difference.
    ///
    /// # Errors
    /// What the system says where it tells nothing of itself.
    pub(crate) fn new() -> anyhow::Result<Self> {
        let mut system = System::new()?;
        system.refresh_cpu_usage();
        Ok(Self {
            host: System::host_name().unwrap_or_else(|_| "localhost".to_owned()),
            system,
            disks: Disks::new_with_refreshed_list().ok(),
            networks: Networks::new_with_refreshed_list().ok(),
            read_at: Instant::now(),
        })
    }

    /// Reads the figures, as points of one moment. Blocks as long as the system takes to tell them.
    pub(crate) fn sample(&mut self, now: Timestamp) -> Batch {
        let elapsed_s = self.read_at.elapsed().as_secs_f64().max(1e-3);
        self.read_at = Instant::now();
        self.system.refresh_cpu_usage();
        self.system.refresh_memory_specifics(MemoryRefreshKind::everything());
        if let Some(disks) = &mut self.disks {
            disks.refresh(true);
        }
        if let Some(networks) = &mut self.networks {
            networks.refresh(true);
        }
        let mut sample = Sample { host: &self.host, now, batch: Batch::new() };
        sample.cpu_and_memory(&self.system);
        self.disks.iter().for_each(|disks| sample.disks(disks, elapsed_s));
        self.networks.iter().for_each(|networks| sample.networks(networks, elapsed_s));
        sample.batch
    }
}

/// A batch under way.
struct Sample<'a> {
    host: &'a str,
    now: Timestamp,
    batch: Batch,
}

impl Sample<'_> {
    /// Adds a point; what the system calls by no name that a label may have is left out.
    fn push(&mut self, name: &str, label: Option<(&str, &str)>, value: f64) {
        let labels = Labels::new([("host", self.host)].into_iter().chain(label));
        if let (Ok(name), Ok(labels)) = (MetricName::new(name), labels)
            && let Ok(point) = Point::of(SeriesKey::new(name, labels), self.now, value)
        {
            self.batch.push(point);
        }
    }

    fn cpu_and_memory(&mut self, system: &System) {
        self.push("cpu_used_percent", None, f64::from(system.global_cpu_usage()));
        for (core, cpu) in system.cpus().iter().take(MOST_PARTS).enumerate() {
            self.push("cpu_core_used_percent", Some(("core", &core.to_string())), f64::from(cpu.usage()));
        }
        self.push("memory_used_bytes", None, system.used_memory() as f64);
        self.push("memory_available_bytes", None, system.available_memory() as f64);
        self.push("memory_total_bytes", None, system.total_memory() as f64);
        self.push("swap_used_bytes", None, system.used_swap() as f64);
        self.push("swap_total_bytes", None, system.total_swap() as f64);
        if let Ok(load) = System::load_average() {
            self.push("load_1m", None, load.one);
            self.push("load_5m", None, load.five);
            self.push("load_15m", None, load.fifteen);
        }
    }

    fn disks(&mut self, disks: &Disks, elapsed_s: f64) {
        // One device may be mounted in many places, as in containers: it reads and writes once, and has one space.
        let mut devices = BTreeSet::new();
        for disk in disks.into_iter().take(MOST_PARTS) {
            let device = disk.name().to_string_lossy();
            if !devices.insert(device.clone().into_owned()) {
                continue;
            }
            let mount = disk.mount_point().to_string_lossy();
            let (total, free) = (disk.total_space(), disk.available_space());
            self.push("disk_used_bytes", Some(("mount", &mount)), total.saturating_sub(free) as f64);
            self.push("disk_total_bytes", Some(("mount", &mount)), total as f64);
            let usage = disk.usage();
            let device = Some(("device", &*device));
            self.push("disk_read_bytes_per_second", device, usage.read_bytes as f64 / elapsed_s);
            self.push("disk_written_bytes_per_second", device, usage.written_bytes as f64 / elapsed_s);
        }
    }

    fn networks(&mut self, networks: &Networks, elapsed_s: f64) {
        for (interface, data) in networks.into_iter().take(MOST_PARTS) {
            let interface = interface.to_string_lossy();
            let interface = Some(("interface", &*interface));
            self.push("network_received_bytes_per_second", interface, data.received() as f64 / elapsed_s);
            self.push("network_sent_bytes_per_second", interface, data.transmitted() as f64 / elapsed_s);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_tells_its_memory_and_its_cores() {
        let mut collector = Collector::new().expect("the system tells of itself");
        let now = Timestamp::now();
        let batch = collector.sample(now);
        let value = |name: &str| {
            let mut points = batch.points().filter(|(key, _, _)| key.name.as_str() == name);
            points.next().map(|(_, at, value)| (at, value))
        };
        let total = value("memory_total_bytes").expect("memory").1;
        let used = value("memory_used_bytes").expect("memory").1;
        assert!(total > 1e6 && (0.0..=total).contains(&used), "{used} of {total}");
        assert!((0.0..=100.0).contains(&value("cpu_used_percent").expect("a CPU").1));
        assert!(value("cpu_core_used_percent").is_some_and(|(at, _)| at == now));
        assert!(batch.series().iter().all(|key| key.labels.iter().any(|(label, _)| label == "host")));
        let keys: BTreeSet<_> = batch.series().iter().collect();
        assert_eq!(keys.len(), batch.len(), "one point a series");
    }
}
