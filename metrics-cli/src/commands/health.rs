//! `health`: whether a running server answers, as an exit code.

use metrics_sdk::{Client, Retry};

use crate::args::HealthArgs;
use crate::output::{WrongUsage, print};

/// Runs the command.
pub(crate) async fn run(args: &HealthArgs, url: String) -> anyhow::Result<()> {
    // Asked once: who asks this asks again.
    let client = Client::builder(url).timeout(args.timeout).retry(Retry::none()).build();
    let client = client.map_err(|error| WrongUsage(format!("--url: {error}")))?;
    let asked = if args.ready { client.ready().await } else { client.health().await };
    asked?;
    print(if args.ready { b"ready\n" } else { b"up\n" })
}
