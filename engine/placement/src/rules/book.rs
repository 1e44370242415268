//! All rules of a cluster, and what they ask for a segment.

use std::collections::BTreeMap;
use std::sync::Arc;

use henge_types::Interval;

use super::aliases::TierAliases;
use super::model::{Effect, Replicants, Rule};

/// The rules of datasources, and those that hold for all.
#[derive(Debug, Clone, Default)]
pub struct RuleBook {
    of_datasources: BTreeMap<String, Vec<Ruled>>,
    default: Vec<Ruled>,
    aliases: TierAliases,
}

/// A rule, and what it asks for with aliases resolved: shared by all segments that it matches.
#[derive(Debug, Clone)]
struct Ruled {
    rule: Rule,
    wanted: Wanted,
}

/// What is to become of a segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// So many copies in these tiers; without any it stays in deep storage.
    Load(Arc<Replicants>),
    /// A copy on every node.
    Broadcast,
    /// It is marked unused.
    Drop,
    /// No rule matches: nothing is loaded and nothing taken away.
    Unruled,
}

impl RuleBook {
    /// Rules for everything, and none for single datasources.
    #[must_use]
    pub fn new(default: Vec<Rule>, aliases: TierAliases) -> Self {
        let mut book = Self { aliases, ..Self::default() };
        book.default = book.ruled(default);
        book
    }

    /// What holds where nobody has said anything: everything, in so many copies, in the default tier.
    #[must_use]
    pub fn of_replicas(replicas: u32) -> Self {
        Self::new(vec![Rule::load_forever(replicas)], TierAliases::default())
    }

    /// Sets the rules that are read before the default ones for a datasource.
    pub fn set(&mut self, datasource: &str, rules: Vec<Rule>) {
        let ruled = self.ruled(rules);
        match ruled.is_empty() {
            true => self.of_datasources.remove(datasource),
            false => self.of_datasources.insert(datasource.to_owned(), ruled),
        };
    }

    fn ruled(&self, rules: Vec<Rule>) -> Vec<Ruled> {
        let ruled = |rule: Rule| {
            let wanted = match rule.effect() {
                Effect::Load(replicants) => {
                    Wanted::Load(Arc::new(self.aliases.resolve(&replicants)))
                }
                Effect::Drop => Wanted::Drop,
                Effect::Broadcast => Wanted::Broadcast,
            };
            Ruled { rule, wanted }
        };
        rules.into_iter().map(ruled).collect()
    }

    /// What the rules ask for a segment of this datasource and time.
    #[must_use]
    pub fn wanted(&self, datasource: &str, interval: Interval, now_ms: i64) -> Wanted {
        match self.first_match(datasource, interval, now_ms) {
            Some(ruled) => ruled.wanted.clone(),
            None => Wanted::Unruled,
        }
    }

    /// The rule that decides about a segment.
    #[must_use]
    pub fn deciding_rule(
        &self,
        datasource: &str,
        interval: Interval,
        now_ms: i64,
    ) -> Option<&Rule> {
        self.first_match(datasource, interval, now_ms).map(|ruled| &ruled.rule)
    }

    fn first_match(&self, datasource: &str, interval: Interval, now_ms: i64) -> Option<&Ruled> {
        let own = self.of_datasources.get(datasource).into_iter().flatten();
        own.chain(&self.default).find(|ruled| ruled.rule.matches(interval, now_ms))
    }
}
