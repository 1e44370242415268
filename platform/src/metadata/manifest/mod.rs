//! Manifests: what the metadata store says, said again in deep storage, so that losing the store
//! loses nothing.
//!
//! Every change of what is published (segments, positions, keys, use, schemas) puts a manifest into
//! the store's outbox, within the same transaction. [`ManifestedStore`] writes it to deep storage
//! before the change is answered. Manifests are numbered without gaps, so a store that lost its last
//! commits knows fewer than deep storage has; and folding them gives back what the store said.

mod fold;
mod folder;
mod record;
mod unused;
mod written;

pub use fold::fold;
pub use folder::{ManifestList, copy_of, list_manifests, read_manifest};
pub use record::{
    FinishedTransaction, MANIFEST_FOLDER, MANIFEST_FORMAT, Manifest, ManifestState, SourcePosition,
    WaitingManifest, manifest_key,
};
pub use written::ManifestedStore;
