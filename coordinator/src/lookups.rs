//! Lookups as operators set them: a document each (ADR 26).

use std::collections::BTreeMap;
use std::sync::Arc;

use henge_platform::metadata::{
    LOOKUP, LookupDocument, LookupSpec, MAX_LOOKUP_BYTES, MAX_LOOKUPS_BYTES, MetadataStore,
    read_lookups,
};
use henge_types::validate_datasource_name;
use serde_json::Value;

use crate::error::{CoordinatorError, Result};

/// Lookups by tier and name.
pub(crate) type ByTier = BTreeMap<String, BTreeMap<String, LookupSpec>>;

/// The documents.
#[derive(Debug, Clone)]
pub(crate) struct LookupStore(Arc<dyn MetadataStore>);

impl LookupStore {
    pub(crate) fn new(metadata: Arc<dyn MetadataStore>) -> Self {
        Self(metadata)
    }

    /// All that there are.
    pub(crate) async fn all(&self) -> Result<ByTier> {
        let mut all = ByTier::new();
        for (LookupDocument { tier, id, spec }, _) in read_lookups(&*self.0).await? {
            if let Some(spec) = spec {
                all.entry(tier).or_default().insert(id, spec);
            }
        }
        Ok(all)
    }

    /// Sets some, all of them or none that is refused.
    ///
    /// # Errors
    /// When one is no lookup, is too large, or does not replace what there is: its version is not later.
    pub(crate) async fn set(&self, wanted: &ByTier) -> Result<()> {
        let mut all = self.all().await?;
        let mut changed = Vec::new();
        for (tier, lookups) in wanted {
            for (id, spec) in lookups {
                check(tier, id, spec)?;
                let known = all.entry(tier.clone()).or_default();
                match known.get(id) {
                    Some(before) if before == spec => continue,
                    Some(before) if before.version >= spec.version => {
                        return Err(CoordinatorError::Invalid(format!(
                            "lookup '{id}' of tier '{tier}' has version {}: give a later one, or delete it first",
                            before.version.as_deref().unwrap_or("null")
                        )));
                    }
                    _ => {}
                }
                known.insert(id.clone(), spec.clone());
                changed.push((tier, id, spec));
            }
        }
        let bytes = all.values().flat_map(BTreeMap::values).map(size_bytes).sum::<usize>();
        if bytes > MAX_LOOKUPS_BYTES {
            return Err(CoordinatorError::Invalid(format!(
                "all lookups together would have {bytes} bytes, {MAX_LOOKUPS_BYTES} are allowed: delete some, or \
                 load the values as a datasource and join it"
            )));
        }
        for (tier, id, spec) in changed {
            self.put(tier, id, Some(spec.clone())).await?;
        }
        Ok(())
    }

    /// Removes one; false when there is none.
    pub(crate) async fn remove(&self, tier: &str, id: &str) -> Result<bool> {
        if !self.all().await?.get(tier).is_some_and(|lookups| lookups.contains_key(id)) {
            return Ok(false);
        }
        self.put(tier, id, None).await?;
        Ok(true)
    }

    async fn put(&self, tier: &str, id: &str, spec: Option<LookupSpec>) -> Result<()> {
        let document = LookupDocument { tier: tier.to_owned(), id: id.to_owned(), spec };
        let body = serde_json::to_string(&document)
            .map_err(|error| CoordinatorError::Internal(error.to_string()))?;
        self.0.put_document(LOOKUP, &LookupDocument::name(tier, id), &body).await?;
        Ok(())
    }
}

fn check(tier: &str, id: &str, spec: &LookupSpec) -> Result<()> {
    let invalid = |message: String| Err(CoordinatorError::Invalid(message));
    if tier.contains('@') || id.contains('@') {
        return invalid(format!("lookup '{id}' of tier '{tier}': leave @ out of names"));
    }
    if let Err(error) = validate_datasource_name(&LookupDocument::name(tier, id)) {
        return invalid(format!("lookup '{id}' of tier '{tier}': {error}"));
    }
    let factory = &spec.lookup_extractor_factory;
    match factory.get("type").and_then(Value::as_str) {
        Some("map") => {}
        Some(other) => {
            return Err(CoordinatorError::Unsupported(format!(
                "lookup '{id}': type '{other}' is not supported; supported: map"
            )));
        }
        None => return invalid(format!("lookup '{id}': give its type, map")),
    }
    let Some(map) = spec.map() else {
        return invalid(format!("lookup '{id}': give an object of keys and values as map"));
    };
    // Numbers and truth values count as their texts.
    let is_none = |(_, value): &(&String, &Value)| {
        matches!(value, Value::Null | Value::Array(_) | Value::Object(_))
    };
    if let Some((key, value)) = map.iter().find(is_none) {
        let (key, value): (String, String) =
            (key.chars().take(60).collect(), value.to_string().chars().take(60).collect());
        return invalid(format!(
            "lookup '{id}': the value of key '{key}' is {value}, give a string; leave out keys without a value"
        ));
    }
    match size_bytes(spec) {
        bytes if bytes <= MAX_LOOKUP_BYTES => Ok(()),
        bytes => invalid(format!(
            "lookup '{id}' has {bytes} bytes, {MAX_LOOKUP_BYTES} are allowed: load the values as a datasource and \
             join it"
        )),
    }
}

fn size_bytes(spec: &LookupSpec) -> usize {
    let text = |value: &Value| value.as_str().map_or(16, str::len);
    spec.map().into_iter().flatten().map(|(key, value)| key.len() + text(value) + 6).sum()
}
