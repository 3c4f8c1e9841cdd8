//! The baseline: a handler that writes a bid's row into SQLite, and does nothing else.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use alveary_agent::protocol::{BidAnswer, NewBid, Timestamp};
use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use rusqlite::{Connection, params};
use tempfile::TempDir;

/// A file with the same table of bids, and the same pragmas.
pub(crate) struct Bare {
    file: Arc<Mutex<Connection>>,
    _folder: TempDir,
}

impl Bare {
    pub(crate) fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = Connection::open(folder.path().join("bids")).unwrap();
        file.pragma_update(None, "journal_mode", "WAL").unwrap();
        file.pragma_update(None, "synchronous", "NORMAL").unwrap();
        let table = "CREATE TABLE bids (
                seq     INTEGER PRIMARY KEY,
                task    TEXT    NOT NULL,
                auction INTEGER NOT NULL,
                agent   TEXT    NOT NULL,
                sats    INTEGER NOT NULL CHECK (sats > 0),
                at      INTEGER NOT NULL
            ) STRICT;
            CREATE INDEX bids_by_task ON bids (task, seq);";
        file.execute_batch(table).unwrap();
        Self {
            file: Arc::new(Mutex::new(file)),
            _folder: folder,
        }
    }

    pub(crate) async fn serve(&self) -> SocketAddr {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new()
            .route("/internal/bids", post(write))
            .with_state(Arc::clone(&self.file));
        tokio::spawn(axum::serve(tcp_nodelay(listener), router).into_future());
        address
    }
}

fn tcp_nodelay(
    listener: tokio::net::TcpListener,
) -> impl axum::serve::Listener<Addr = SocketAddr, Io = tokio::net::TcpStream> {
    use axum::serve::ListenerExt as _;
    listener.tap_io(|stream| stream.set_nodelay(true).unwrap())
}

async fn write(
    State(file): State<Arc<Mutex<Connection>>>,
    Json(bid): Json<NewBid>,
) -> Json<BidAnswer> {
    file.lock()
        .unwrap()
        .prepare_cached(
            "INSERT INTO bids (task, auction, agent, sats, at) VALUES (?1, ?2, ?3, ?4, ?5)",
        )
        .unwrap()
        .execute(params![
            bid.task_id.to_string(),
            1,
            bid.agent_id.as_str(),
            bid.bid_sats.get(),
            Timestamp::now().as_millis()
        ])
        .unwrap();
    Json(BidAnswer::new(
        true,
        bid.task_id,
        bid.agent_id,
        "Bid accepted.",
    ))
}
