//! Which server is tested: one that is given, or one that cargo builds.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail};
use clap::Args;

/// Where the server comes from.
#[derive(Debug, Clone, Args)]
pub(crate) struct BinaryArgs {
    /// A metrics-cli that is built already; without it cargo builds one in release
    #[arg(long, value_name = "FILE")]
    pub(crate) server: Option<PathBuf>,
    /// Build in the dev profile
    #[arg(long)]
    pub(crate) dev: bool,
    /// Build with the system's DuckDB instead of the bundled one
    #[arg(long)]
    pub(crate) no_default_features: bool,
    /// Where cargo builds [default: where it always does]
    #[arg(long, value_name = "FOLDER")]
    pub(crate) target_dir: Option<PathBuf>,
}

/// The folder of the workspace that this program was built from.
pub(crate) fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(Path::to_owned).unwrap_or_default()
}

impl BinaryArgs {
    /// The server's program.
    pub(crate) fn find(&self) -> anyhow::Result<PathBuf> {
        match &self.server {
            Some(path) => path.canonicalize().with_context(|| format!("{} is not there", path.display())),
            None => self.build(&workspace()),
        }
    }

    /// Builds the program of a checkout. The whole workspace is named, so that features are those of every other build.
    pub(crate) fn build(&self, checkout: &Path) -> anyhow::Result<PathBuf> {
        let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        command.current_dir(checkout).args(["build", "--workspace", "--bins", "--message-format=json"]);
        command.args((!self.dev).then_some("--release"));
        command.args(self.no_default_features.then_some("--no-default-features"));
        // A copy of the checkout is built where this one is: what both use, DuckDB above all, is there.
        let usual = || std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace().join("target"), PathBuf::from);
        let target = self.target_dir.clone().unwrap_or_else(usual);
        command.arg("--target-dir").arg(std::path::absolute(target)?);
        let output = command.stderr(Stdio::inherit()).output().context("cargo cannot be started")?;
        if !output.status.success() {
            bail!("{} does not build", checkout.display());
        }
        let messages = String::from_utf8_lossy(&output.stdout);
        let program = |line: &str| {
            let message: serde_json::Value = serde_json::from_str(line).ok()?;
            let ours = message["target"]["name"] == "metrics-cli" && message["target"]["kind"][0] == "bin";
            ours.then(|| message["executable"].as_str().map(PathBuf::from)).flatten()
        };
        messages.lines().find_map(program).context("cargo built no metrics-cli")
    }
}
