//! `autoopt top`.

use std::io::IsTerminal;

use autoopt_epoch::time::Timestamp;
use serde_json::json;

use crate::client::Client;
use crate::fault::Fault;
use crate::show::{say, say_json};
use crate::top::{DAY, Page, Picture, frame, live, seen};

/// How wide a page is that no terminal limits.
const WIDTH: usize = 100;

/// Watch everything live: clusters, what runs on them, experiments, the best so far
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Drawn anew whenever something happens. Keys: arrows (or j, k) choose an experiment, Enter looks at it, Esc goes back, q quits.
Where standard output is no terminal, one frame is printed.

\"about left\" is by the median of what the same step took lately on its cluster, and for an experiment by its pace so far.
\"best by model\" is the optimizer's estimate with the interval that holds it with a probability of 90 %; where it has no model
yet, the best measured value, marked as such. \"gain\" is that of the best measured trial.

Examples:
  autoopt top
  autoopt top --once
  autoopt top --json | jq '.running[] | [.cluster, .stage, .usual_seconds]'
")]
pub(crate) struct Top {
    /// Print one frame and end
    #[arg(long)]
    once: bool,
}

impl Top {
    pub(crate) async fn run(self, client: &Client, json: bool) -> Result<(), Fault> {
        let seen = seen(client, DAY, None).await?;
        let now = Timestamp::now();
        let picture = Picture::new(client.server(), seen, now);
        let terminal = std::io::stdout().is_terminal();
        if json {
            say_json(&snapshot(&picture));
            return Ok(());
        }
        if terminal && !self.once {
            return live(client, picture, console::colors_enabled()).await;
        }
        let width = if terminal { usize::from(console::Term::stdout().size().1) } else { WIDTH };
        let (lines, _) = frame(&picture, now, Page { width, height: None, colours: false });
        for line in lines {
            say(line.to_string().trim_end());
        }
        Ok(())
    }
}

/// The same for programs.
fn snapshot(picture: &Picture) -> serde_json::Value {
    let seen = &picture.seen;
    let open = seen.timeline.spans.iter().filter(|span| span.ended.is_none());
    let running: Vec<_> = open
        .map(|span| {
            let mut shown = json!(span);
            shown["usual_seconds"] = json!(picture.paces.usual(span).map(|usual| usual.as_secs_f64()));
            shown
        })
        .collect();
    json!({
        "now": seen.timeline.now,
        "health": seen.health,
        "clusters": seen.clusters,
        "running": running,
        "experiments": picture.experiments(),
    })
}
