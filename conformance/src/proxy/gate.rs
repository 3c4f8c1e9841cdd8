//! A gate that everything passes, and that can be shut.

use tokio::sync::watch;

#[derive(Debug)]
pub(super) struct Gate(watch::Sender<bool>);

impl Default for Gate {
    fn default() -> Self {
        Self(watch::Sender::new(true))
    }
}

impl Gate {
    pub(super) fn set_open(&self, open: bool) {
        self.0.send_replace(open);
    }

    pub(super) async fn pass(&self) {
        // The sender is here.
        let _ = self.0.subscribe().wait_for(|open| *open).await;
    }
}
