//! `Arc<T>` and `Box<T>` are backends where `T` is one: every method is forwarded, the provided ones too.

use std::sync::Arc;

use async_trait::async_trait;

use crate::{
    AgentBackend, AgentId, AgentInfo, AgentSpec, BackendKind, Belongings, Capabilities,
    EventOptions, EventStream, Exec, Exit, Files, Health, Leases, ListOptions, LogOptions,
    LogStream, Pause, Plans, RemoveOptions, Result, Signals, SpawnOptions, Stats, StopOptions,
};

macro_rules! forward {
    ($($pointer:ident),*) => {$(
        #[async_trait]
        #[deny(clippy::missing_trait_methods)]
        impl<T: AgentBackend + ?Sized> AgentBackend for $pointer<T> {
            fn kind(&self) -> BackendKind {
                (**self).kind()
            }
            fn capabilities(&self) -> Capabilities {
                (**self).capabilities()
            }
            async fn check(&self) -> Result<Health> {
                (**self).check().await
            }
            async fn spawn(&self, id: &AgentId, spec: &AgentSpec, options: SpawnOptions) -> Result<AgentInfo> {
                (**self).spawn(id, spec, options).await
            }
            async fn inspect(&self, id: &AgentId) -> Result<AgentInfo> {
                (**self).inspect(id).await
            }
            async fn list(&self, options: ListOptions) -> Result<Vec<AgentInfo>> {
                (**self).list(options).await
            }
            async fn stop(&self, id: &AgentId, options: StopOptions) -> Result<Exit> {
                (**self).stop(id, options).await
            }
            async fn remove(&self, id: &AgentId, options: RemoveOptions) -> Result<()> {
                (**self).remove(id, options).await
            }
            async fn events(&self, options: EventOptions) -> Result<EventStream> {
                (**self).events(options).await
            }
            async fn logs(&self, id: &AgentId, options: LogOptions) -> Result<LogStream> {
                (**self).logs(id, options).await
            }
            fn signals(&self) -> Option<&dyn Signals> {
                (**self).signals()
            }
            fn exec(&self) -> Option<&dyn Exec> {
                (**self).exec()
            }
            fn stats(&self) -> Option<&dyn Stats> {
                (**self).stats()
            }
            fn files(&self) -> Option<&dyn Files> {
                (**self).files()
            }
            fn pause(&self) -> Option<&dyn Pause> {
                (**self).pause()
            }
            fn plans(&self) -> Option<&dyn Plans> {
                (**self).plans()
            }
            fn belongings(&self) -> Option<&dyn Belongings> {
                (**self).belongings()
            }
            fn leases(&self) -> Option<&dyn Leases> {
                (**self).leases()
            }
        }
    )*};
}
forward!(Arc, Box);
