//! The terminal as a screen that is drawn anew: the page that was there comes back at the end.

use std::time::Duration;

use tokio::time::MissedTickBehavior;

use crate::output::print;
use crate::signal;

/// xterm's alternate screen, without a cursor (invisible-island.net/xterm/ctlseqs/ctlseqs.html).
const ENTER: &[u8] = b"\x1b[?1049h\x1b[?25l";
/// Back from it.
const LEAVE: &[u8] = b"\x1b[?25h\x1b[?1049l";

/// The alternate screen, until it is dropped.
struct Screen;

impl Screen {
    fn enter() -> anyhow::Result<Self> {
        print(ENTER)?;
        Ok(Self)
    }

    /// Draws over what is there, without a blank in between.
    fn show(&self, lines: &[String]) -> anyhow::Result<()> {
        print(drawn(lines).as_bytes())
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // A terminal that is gone needs nothing back.
        let _ = print(LEAVE);
    }
}

/// Lines from the upper left corner on, each with what was behind it erased, and what was below.
fn drawn(lines: &[String]) -> String {
    let body: Vec<String> = lines.iter().map(|line| format!("{line}\x1b[K")).collect();
    format!("\x1b[H{}\x1b[J", body.join("\r\n"))
}

/// Draws again and again, each `interval`, until SIGINT or SIGTERM.
///
/// # Errors
/// What befell the first drawing, before the screen is taken; later ones show it and go on.
pub(crate) async fn live(
    interval: Duration,
    mut draw: impl AsyncFnMut() -> anyhow::Result<Vec<String>>,
) -> anyhow::Result<()> {
    let mut stopped = signal::first()?;
    let mut lines = tokio::select! {
        biased;
        _ = &mut stopped => return Ok(()),
        lines = draw() => lines?,
    };
    let screen = Screen::enter()?;
    let mut ticks = tokio::time::interval_at(tokio::time::Instant::now() + interval, interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        screen.show(&lines)?;
        let next = async {
            ticks.tick().await;
            draw().await
        };
        tokio::select! {
            biased;
            _ = &mut stopped => return Ok(()),
            next = next => lines = next.unwrap_or_else(|error| vec![format!("{error:#}"), "trying again".to_owned()]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_an_earlier_drawing_is_left() {
        assert_eq!(drawn(&["a".into(), "b".into()]), "\x1b[Ha\x1b[K\r\nb\x1b[K\x1b[J");
    }
}
