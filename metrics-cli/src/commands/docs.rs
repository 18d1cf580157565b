//! `completions` and `man`: what packagers install beside the program.

use clap_mangen::Man;

use crate::config;
use crate::output::{WrongUsage, print};

/// Prints a shell's completion script.
pub(crate) fn completions(shell: clap_complete::Shell) -> anyhow::Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut config::command(), "metrics-cli", &mut script);
    print(&script)
}

/// Prints a manual page.
pub(crate) fn man(command: Option<&str>) -> anyhow::Result<()> {
    let mut program = config::command();
    program.build();
    let page = match command {
        None => program,
        // Building gave it its full name, `metrics-cli-query`.
        Some(name) => {
            let found = program.find_subcommand(name).cloned();
            found.ok_or_else(|| WrongUsage(format!("there is no command \"{name}\"")))?
        }
    };
    let mut roff = Vec::new();
    Man::new(page).render(&mut roff)?;
    print(&roff)
}
