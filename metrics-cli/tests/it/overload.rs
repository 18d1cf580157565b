//! A crowd of clients that are slow, idle or malicious, and one that behaves. (`benches/src/bin/overload` measures the same
//! with thousands.)

#[path = "../../../benches/src/bin/overload/crowd.rs"]
mod crowd;
#[path = "../../../benches/src/bin/overload/live.rs"]
mod live;

use std::sync::atomic::Ordering;
use std::time::Duration;

use crowd::{Crowd, Sizes};

use crate::program::Program;
use crate::running::Server;

/// Long enough for the crowd's first to be cut off.
const TIME: Duration = Duration::from_secs(4);
/// What a request may take among them: far more than it does, for the tests share the machine.
const LONGEST: Duration = Duration::from_secs(2);
/// Most memory of the server in RAM: DuckDB's, the bodies', and the program's.
const MEMORY_BYTES: u64 = 512 << 20;

fn memory_bytes(server: &Server) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.id())).expect("a process of Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("its peak");
    line.split_whitespace().next().expect("a number").parse::<u64>().expect("a number") << 10
}

#[test]
#[cfg(target_os = "linux")]
fn a_crowd_does_not_keep_the_server_from_those_who_behave() {
    let program = Program::new();
    let server =
        Server::start(&program, "--header-timeout 1s --body-timeout 1s --answer-timeout 1s --body-memory 64MiB");
    let sizes = Sizes { idle: 200, slow_heads: 50, slow_bodies: 50, slow_readers: 20, bombers: 2 };
    let crowd = Crowd::gather(server.address(), sizes).expect("there is room for them all");
    let mut times = live::run(server.address(), TIME).expect("every request is answered as if nobody else were there");
    let longest = live::quantile(&mut times.writes, 0.99).max(live::quantile(&mut times.reads, 0.99));
    assert!(longest < LONGEST, "{longest:?}");
    assert!(times.writes.len() > 10, "{}", times.writes.len());
    let count = |counter: &std::sync::atomic::AtomicUsize| counter.load(Ordering::Relaxed);
    assert!(count(&crowd.met.cut_off) >= 100, "{:?}", crowd.met);
    assert!(count(&crowd.met.bombs_refused) > 0, "{:?}", crowd.met);
    assert_eq!(count(&crowd.met.bombs_taken), 0, "{:?}", crowd.met);
    assert!(crowd.idle.iter().all(|stream| stream.peer_addr().is_ok()), "who is idle is left in peace");
    drop(crowd);
    let peak = memory_bytes(&server);
    assert!(peak < MEMORY_BYTES, "{} MiB", peak >> 20);
    server.signal("-TERM");
    assert_eq!(server.wait().code, Some(0));
}
