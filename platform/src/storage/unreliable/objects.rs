//! An object store whose single requests fail: what a client of it has to survive. Parts of unfinished
//! uploads are kept here, so that they can be counted.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};
use object_store::multipart::{MultipartStore, PartId};
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, GetResultPayload, ListResult, MultipartId,
    MultipartUpload, ObjectMeta, ObjectStore, PutMode, PutMultipartOptions, PutOptions, PutPayload,
    PutResult, Result,
};
use parking_lot::Mutex;

use super::plan::{Dice, FaultPlan, InjectedFaults};

/// Bytes of a piece in which a fetched object comes.
const PIECE_BYTES: usize = 64 * 1024;

/// Wraps an object store and makes its requests fail. Clones share everything.
#[derive(Debug, Clone)]
pub struct UnreliableObjects {
    inner: Arc<dyn ObjectStore>,
    dice: Arc<Dice>,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    /// Puts that nobody was told of and that are not carried out so far.
    late: Vec<(Path, PutPayload, PutOptions)>,
    uploads: BTreeMap<MultipartId, BTreeMap<usize, Bytes>>,
    last_upload: u64,
}

impl UnreliableObjects {
    /// Faults over `inner`.
    #[must_use]
    pub fn new(inner: Arc<dyn ObjectStore>, plan: FaultPlan, seed: u64) -> Self {
        Self { inner, dice: Arc::new(Dice::new(plan, seed)), state: Arc::default() }
    }

    /// Changes what fails from now on.
    pub fn set_plan(&self, plan: FaultPlan) {
        self.dice.set_plan(plan);
    }

    /// How often each fault was injected.
    #[must_use]
    pub fn injected(&self) -> InjectedFaults {
        self.dice.injected()
    }

    /// Uploads whose parts take room.
    #[must_use]
    pub fn unfinished_uploads(&self) -> usize {
        self.state.lock().uploads.len()
    }

    /// Carries out what is late.
    pub async fn settle(&self) {
        let late = std::mem::take(&mut self.state.lock().late);
        for (path, payload, options) in late {
            // Its client was told of a failure long ago; it may also come too late.
            let _ = self.inner.put_opts(&path, payload, options).await;
        }
    }

    /// What every request goes through before it is carried out.
    async fn begin(&self) -> Result<()> {
        self.dice.delay(|plan| plan.latency_ms).await;
        let is_any_late = !self.state.lock().late.is_empty();
        if is_any_late && self.dice.happens("late put carried out", |_| 0.25) {
            self.settle().await;
        }
        match self.dice.happens("5xx", |plan| plan.refuse) {
            true => Err(failed("503 SlowDown")),
            false => Ok(()),
        }
    }

    fn lose_answer(&self) -> Result<()> {
        match self.dice.happens("answer lost", |plan| plan.lose_answer) {
            true => Err(failed("the answer was lost")),
            false => Ok(()),
        }
    }

    /// Breaks a listing off, now and then.
    fn listed(
        &self,
        objects: BoxStream<'static, Result<ObjectMeta>>,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        let this = self.clone();
        let start = stream::once(async move {
            this.dice.delay(|plan| plan.slow_list_ms).await;
            this.begin().await.map(|()| None)
        });
        let this = self.clone();
        let rest = objects.map(move |object| {
            match this.dice.happens("listing broken off", |plan| plan.break_off) {
                true => Err(failed("the listing broke off")),
                false => object.map(Some),
            }
        });
        start.chain(rest).try_filter_map(|object| async move { Ok(object) }).boxed()
    }
}

impl fmt::Display for UnreliableObjects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unreliable {}", self.inner)
    }
}

#[async_trait]
impl ObjectStore for UnreliableObjects {
    async fn put_opts(
        &self,
        path: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        self.begin().await?;
        if self.dice.happens("late put", |plan| plan.late) {
            self.state.lock().late.push((path.clone(), payload, options));
            return Err(failed("no answer in time"));
        }
        if options.mode == PutMode::Create && self.dice.happens("409", |plan| plan.conflict) {
            return Err(Error::AlreadyExists { path: path.to_string(), source: "409".into() });
        }
        let put = self.inner.put_opts(path, payload, options).await?;
        self.lose_answer().map(|()| put)
    }

    async fn put_multipart_opts(
        &self,
        path: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(path, options).await
    }

    async fn get_opts(&self, path: &Path, options: GetOptions) -> Result<GetResult> {
        self.begin().await?;
        let is_head = options.head;
        let found = self.inner.get_opts(path, options).await?;
        if is_head {
            return Ok(found);
        }
        let GetResult { payload, meta, range, attributes } = found;
        let kept = (meta.clone(), range.clone(), attributes.clone());
        let mut bytes = GetResult { payload, meta, range, attributes }.bytes().await?.to_vec();
        let at = self.dice.place(bytes.len());
        let mut end = Vec::new();
        if !bytes.is_empty() && self.dice.happens("bit flipped", |plan| plan.flip_bit) {
            bytes[at] ^= 1 << (at % 8);
        }
        if self.dice.happens("end cut off", |plan| plan.truncate) {
            bytes.truncate(at);
        } else if self.dice.happens("fetch broken off", |plan| plan.break_off) {
            bytes.truncate(at);
            end.push(Err(failed("the connection broke")));
        }
        let bytes = Bytes::from(bytes);
        let pieces: Vec<Result<Bytes>> = (0..bytes.len())
            .step_by(PIECE_BYTES)
            .map(|from| Ok(bytes.slice(from..bytes.len().min(from + PIECE_BYTES))))
            .chain(end)
            .collect();
        let payload = GetResultPayload::Stream(stream::iter(pieces).boxed());
        let (meta, range, attributes) = kept;
        Ok(GetResult { payload, meta, range, attributes })
    }

    fn delete_stream(
        &self,
        paths: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        let this = self.clone();
        paths
            .and_then(move |path| {
                let this = this.clone();
                async move {
                    this.begin().await?;
                    let mut deleted =
                        this.inner.delete_stream(stream::iter([Ok(path.clone())]).boxed());
                    while let Some(one) = deleted.next().await {
                        one?;
                    }
                    this.lose_answer().map(|()| path)
                }
            })
            .boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.listed(self.inner.list(prefix))
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        self.listed(self.inner.list_with_offset(prefix, offset))
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.begin().await?;
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.begin().await?;
        self.inner.copy_opts(from, to, options).await
    }
}

#[async_trait]
impl MultipartStore for UnreliableObjects {
    async fn create_multipart(&self, _path: &Path) -> Result<MultipartId> {
        self.begin().await?;
        let mut state = self.state.lock();
        state.last_upload += 1;
        let upload = state.last_upload.to_string();
        state.uploads.insert(upload.clone(), BTreeMap::new());
        Ok(upload)
    }

    async fn put_part(
        &self,
        _path: &Path,
        upload: &MultipartId,
        index: usize,
        payload: PutPayload,
    ) -> Result<PartId> {
        self.begin().await?;
        {
            let mut state = self.state.lock();
            let parts = state.uploads.get_mut(upload).ok_or_else(|| no_upload(upload))?;
            parts.insert(index, payload.into());
        }
        self.lose_answer().map(|()| PartId { content_id: index.to_string() })
    }

    async fn complete_multipart(
        &self,
        path: &Path,
        upload: &MultipartId,
        parts: Vec<PartId>,
    ) -> Result<PutResult> {
        self.begin().await?;
        let sent = self.state.lock().uploads.remove(upload).ok_or_else(|| no_upload(upload))?;
        if sent.len() != parts.len() {
            return Err(failed("a part is missing"));
        }
        let whole: PutPayload = sent.into_values().collect();
        if self.dice.happens("late put", |plan| plan.late) {
            self.state.lock().late.push((path.clone(), whole, PutOptions::default()));
            return Err(failed("no answer in time"));
        }
        let put = self.inner.put_opts(path, whole, PutOptions::default()).await?;
        self.lose_answer().map(|()| put)
    }

    async fn abort_multipart(&self, _path: &Path, upload: &MultipartId) -> Result<()> {
        self.begin().await?;
        self.state.lock().uploads.remove(upload).map(|_| ()).ok_or_else(|| no_upload(upload))?;
        self.lose_answer()
    }
}

fn failed(reason: &'static str) -> Error {
    Error::Generic { store: "unreliable", source: format!("injected: {reason}").into() }
}

fn no_upload(upload: &str) -> Error {
    Error::NotFound { path: upload.to_owned(), source: "no such upload".into() }
}
