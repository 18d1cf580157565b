//! `health`: whether a running server answers, as an exit code.

use std::env;

use metrics_sdk::{ClientBuilder, Retry};

use crate::args::HealthArgs;
use crate::output::print;
use crate::remote::Remote;

/// Runs the command.
pub(crate) async fn run(args: &HealthArgs, server: &Remote) -> anyhow::Result<()> {
    // Asked once: who asks this asks again.
    let once = |builder: ClientBuilder| builder.timeout(args.timeout).retry(Retry::none());
    let client = server.client_with(once, |key| env::var_os(key))?;
    let asked = if args.ready { client.ready().await } else { client.health().await };
    asked?;
    print(if args.ready { b"ready\n" } else { b"up\n" })
}
