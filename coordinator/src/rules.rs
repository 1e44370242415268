//! The rules of the cluster as they are kept: a document for each datasource and one for all, every version of
//! which says who set it, when and why (ADR 26).

use std::collections::BTreeSet;
use std::sync::Arc;

use henge_placement::rules::{DEFAULT_RULES, Rule, RuleBook, TierAliases, validate_rules};
use henge_platform::metadata::{Document, Fence, MetadataStore};
use serde::{Deserialize, Serialize};

use crate::error::{CoordinatorError, Result};

/// What documents of rules are called.
pub const RULES: &str = "rules";
/// What the document of tier aliases is called.
const TIER_ALIASES: &str = "tier_aliases";
/// Versions asked for at once, and changes given at most.
const PAGE: usize = 1_000;

/// One version of the rules of a datasource.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RuleChange {
    /// The rules from then on; none: only the default ones hold.
    pub rules: Vec<Rule>,
    /// Who set them.
    pub author: String,
    /// Why.
    pub comment: String,
    /// When, in milliseconds since 1970.
    pub time_ms: i64,
}

/// Which changes to list, the newest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RuleHistory {
    /// Those made within `[from, until)`, in milliseconds since 1970.
    pub between_ms: (i64, i64),
    /// At most so many; never more than a thousand.
    pub limit: usize,
}

impl Default for RuleHistory {
    fn default() -> Self {
        Self { between_ms: (i64::MIN, i64::MAX), limit: PAGE }
    }
}

/// Rules and their history.
#[derive(Debug, Clone)]
pub struct RuleStore {
    metadata: Arc<dyn MetadataStore>,
}

impl RuleStore {
    /// Those kept in this store.
    #[must_use]
    pub fn new(metadata: Arc<dyn MetadataStore>) -> Self {
        Self { metadata }
    }

    /// Sets the rules of a datasource, or under the name `_default` those of all.
    ///
    /// # Errors
    /// When they are refused, then nothing has changed; when the metadata cannot be reached.
    pub async fn set(&self, datasource: &str, change: &RuleChange) -> Result<u64> {
        validate_rules(&change.rules)?;
        let body = as_json(change)?;
        Ok(self.metadata.put_document(RULES, datasource, &body).await?)
    }

    /// The rules of a datasource, without the default ones.
    ///
    /// # Errors
    /// When the metadata cannot be read.
    pub async fn get(&self, datasource: &str) -> Result<Vec<Rule>> {
        let document = self.metadata.get_document(RULES, datasource).await?;
        document.map_or(Ok(Vec::new()), |document| Ok(read(&document)?.rules))
    }

    /// The rules of all datasources that have some, and the default ones, by name.
    ///
    /// # Errors
    /// When the metadata cannot be read.
    pub async fn all(&self) -> Result<Vec<(String, Vec<Rule>)>> {
        by_name(self.metadata.list_documents(RULES).await?)
    }

    /// Changes of the rules of one datasource, or of all when none is named, the newest first.
    ///
    /// # Errors
    /// When the metadata cannot be read.
    pub async fn history(
        &self,
        datasource: Option<&str>,
        asked: RuleHistory,
    ) -> Result<Vec<(String, RuleChange)>> {
        let names = match datasource {
            Some(name) => vec![name.to_owned()],
            None => {
                let documents = self.metadata.list_documents(RULES).await?;
                documents.into_iter().map(|document| document.name).collect()
            }
        };
        let limit = asked.limit.min(PAGE);
        let mut changes = Vec::new();
        for name in names {
            let of_name = self.changes(&name, asked.between_ms, limit).await?;
            changes.extend(of_name.into_iter().map(|change| (name.clone(), change)));
        }
        changes.sort_by_key(|(_, change)| std::cmp::Reverse(change.time_ms));
        changes.truncate(limit);
        Ok(changes)
    }

    async fn changes(
        &self,
        name: &str,
        (from_ms, until_ms): (i64, i64),
        limit: usize,
    ) -> Result<Vec<RuleChange>> {
        let (mut changes, mut below) = (Vec::new(), u64::MAX);
        loop {
            let page = self.metadata.document_versions(RULES, name, below, PAGE).await?;
            for document in &page {
                let change = read(document)?;
                if (from_ms..until_ms).contains(&change.time_ms) {
                    changes.push(change);
                }
            }
            let Some(last) = page.last().filter(|_| changes.len() < limit) else {
                changes.truncate(limit);
                return Ok(changes);
            };
            below = last.version;
        }
    }

    /// Which names stand for which tiers.
    ///
    /// # Errors
    /// When the metadata cannot be read.
    pub async fn aliases(&self) -> Result<TierAliases> {
        let document = self.metadata.get_document(TIER_ALIASES, DEFAULT_RULES).await?;
        document.map_or(Ok(TierAliases::default()), |document| parse(&document))
    }

    /// Sets which names stand for which tiers.
    ///
    /// # Errors
    /// When the metadata cannot be reached.
    pub async fn set_aliases(&self, aliases: &TierAliases) -> Result<()> {
        let body = as_json(aliases)?;
        self.metadata.put_document(TIER_ALIASES, DEFAULT_RULES, &body).await?;
        Ok(())
    }

    /// Sets the tiers that one name stands for, none at all included; gives whether that changed anything.
    ///
    /// # Errors
    /// When a tier would have two names, or the metadata cannot be reached.
    pub async fn set_alias(
        &self,
        alias: &str,
        tiers: BTreeSet<String>,
        fence: Option<&Fence>,
    ) -> Result<bool> {
        let document = self.metadata.get_document(TIER_ALIASES, DEFAULT_RULES).await?;
        let version = document.as_ref().map_or(0, |document| document.version);
        let before = document.map_or(Ok(TierAliases::default()), |document| parse(&document))?;
        let mut all = before.tiers_by_alias().clone();
        match tiers.is_empty() {
            true => all.remove(alias),
            false => all.insert(alias.to_owned(), tiers),
        };
        let after = TierAliases::new(all)?;
        if after == before {
            return Ok(false);
        }
        let body = as_json(&after)?;
        let name = DEFAULT_RULES;
        self.metadata.swap_document(TIER_ALIASES, name, version, &body, fence).await?;
        Ok(true)
    }

    /// All rules as plans read them. Where there are no default ones everything is loaded, in `replicas`
    /// copies.
    ///
    /// # Errors
    /// When the metadata cannot be read, or hold what no rule is: nothing is to be decided then.
    pub(crate) async fn book(&self, replicas: u32) -> Result<Rules> {
        self.book_with(replicas, None).await
    }

    /// As if these rules were set under a name.
    ///
    /// # Errors
    /// As [`book`](Self::book).
    pub(crate) async fn book_with(
        &self,
        replicas: u32,
        instead: Option<(&str, Vec<Rule>)>,
    ) -> Result<Rules> {
        let aliases = self.metadata.get_document(TIER_ALIASES, DEFAULT_RULES).await?;
        let documents = self.metadata.list_documents(RULES).await?;
        let stamp = documents.iter().chain(&aliases);
        let stamp = stamp.map(|document| (document.name.clone(), document.version)).collect();
        let aliases = aliases.map_or(Ok(TierAliases::default()), |document| parse(&document))?;
        let mut all = by_name(documents)?;
        if let Some((name, rules)) = instead {
            all.retain(|(other, _)| other != name);
            all.extend((!rules.is_empty()).then(|| (name.to_owned(), rules)));
        }
        let default = all.iter().position(|(name, _)| name == DEFAULT_RULES);
        let default = match default {
            Some(at) => all.swap_remove(at).1,
            None => vec![Rule::load_forever(replicas)],
        };
        let mut book = RuleBook::new(default, aliases);
        for (name, rules) in all {
            book.set(&name, rules);
        }
        Ok(Rules { book, stamp })
    }
}

/// All rules as plans read them.
#[derive(Debug, Clone)]
pub(crate) struct Rules {
    pub book: RuleBook,
    /// Changes with each of them.
    pub stamp: Vec<(String, u64)>,
}

/// The rules of those that have some.
fn by_name(documents: Vec<Document>) -> Result<Vec<(String, Vec<Rule>)>> {
    let mut all = Vec::with_capacity(documents.len());
    for document in documents {
        let rules = read(&document)?.rules;
        if !rules.is_empty() {
            all.push((document.name, rules));
        }
    }
    Ok(all)
}

fn read(document: &Document) -> Result<RuleChange> {
    parse(document)
}

fn parse<T: for<'de> Deserialize<'de>>(document: &Document) -> Result<T> {
    serde_json::from_str(&document.body_json).map_err(|error| CoordinatorError::Stored {
        kind: document.kind.clone(),
        name: document.name.clone(),
        reason: error.to_string(),
    })
}

fn as_json<T: Serialize>(value: &T) -> Result<String> {
    serde_json::to_string(value).map_err(|error| CoordinatorError::Internal(error.to_string()))
}

#[cfg(test)]
mod tests;
