//! Terms of a swarm's lease, kept by the engine.

use std::collections::HashSet;
use std::sync::Arc;

use alveary_core::{AgentBackend, DiscardOptions, Leases, Term};

use crate::common::TestEngine;
use crate::here::Here;
use crate::tls::{certificates, secured};

fn leases(backend: &Arc<dyn AgentBackend>) -> &dyn Leases {
    backend.leases().expect("the engine is elsewhere")
}

async fn both(here: &Here) -> [Arc<dyn AgentBackend>; 2] {
    [here.api().await, here.cli().await]
}

async fn newest(backend: &Arc<dyn AgentBackend>) -> Option<Term> {
    leases(backend).newest().await.expect("it is told")
}

pub(crate) async fn of_many_who_begin_a_term_one_has_it(engine: TestEngine) {
    let here = secured(&engine, Some(certificates(&engine)));
    let ways = both(&here).await;
    for number in 1..=4 {
        let begun = (0..6).map(|who| {
            let backend = Arc::clone(&ways[who % 2]);
            tokio::spawn(async move {
                let holder = format!("holder-{who}");
                leases(&backend).begin(number, &holder).await
            })
        });
        let mut holders = HashSet::new();
        for begun in begun.collect::<Vec<_>>() {
            let term = begun.await.expect("it ends").expect("it is told");
            assert_eq!(term.number, number);
            holders.insert(term.holder);
        }
        assert_eq!(holders.len(), 1, "{holders:?}");
        for backend in &ways {
            let newest = newest(backend).await.expect("there is one");
            assert_eq!(newest.number, number);
            assert!(holders.contains(&newest.holder));
        }
    }
    // Nobody takes them for the swarm's volumes, nor for another swarm's lease.
    let all = DiscardOptions::default().with_volumes(true);
    let belongings = ways[0].belongings().expect("there are volumes");
    let discarded = belongings.discard(all).await.expect("it is done");
    assert_eq!(discarded.removed, Vec::<String>::new());
    let stranger = secured(&engine, Some(certificates(&engine)));
    assert_eq!(newest(&stranger.api().await).await, None);
    let forget = leases(&ways[0]).forget_before(4);
    forget.await.expect("the old ones go");
    assert_eq!(newest(&ways[1]).await.map(|term| term.number), Some(4));
    let forget = leases(&ways[1]).forget_before(u64::MAX);
    forget.await.expect("all go");
    assert_eq!(newest(&ways[0]).await, None);
    let label = format!("--filter=label=alveary.lease={}", here.uid);
    assert_eq!(engine.client(&["volume", "ls", "-q", &label]), "");
}

pub(crate) async fn an_engine_of_this_host_keeps_none(engine: TestEngine) {
    let here = Here::on(&engine);
    for backend in both(&here).await {
        assert!(backend.leases().is_none(), "{}", backend.kind());
    }
}
