//! A compiled filter: a tree that narrows a block's candidate rows.

use super::id_leaf::{IdLeaf, MultiLeaf};
use super::leaf::{ExpressionLeaf, TextLeaf};
use super::met_leaf::MetLeaf;
use super::numeric_leaf::NumericLeaf;
use crate::error::Result;
use crate::selection::BlockBits;

/// A compiled filter. `not` was pushed down to the leaves, which know the rows that are false as well as
/// those that are true, so unknown needs no set of its own; only where unknown counts as false, rows
/// are those that others leave.
#[derive(Debug)]
pub(crate) enum Node<'a> {
    Everything,
    Nothing,
    And(Vec<Node<'a>>),
    Or(Vec<Node<'a>>),
    /// Those that it does not have.
    Except(Box<Node<'a>>),
    Ids(IdLeaf<'a>),
    Multi(MultiLeaf<'a>),
    /// Text whose values are looked at as they are met.
    Met(Box<MetLeaf<'a>>),
    Long(NumericLeaf<'a, i64>),
    Float(NumericLeaf<'a, f32>),
    Double(NumericLeaf<'a, f64>),
    /// A comparison that sees numbers as text.
    Text(TextLeaf<'a>),
    Expression(ExpressionLeaf<'a>),
}

impl<'a> Node<'a> {
    /// All of them; cheaper ones first, so that dear ones see fewer rows.
    pub(crate) fn and(nodes: Vec<Self>) -> Self {
        let mut kept = Vec::with_capacity(nodes.len());
        for node in nodes {
            match node {
                Self::Everything => {}
                Self::Nothing => return Self::Nothing,
                Self::And(inner) => kept.extend(inner),
                other => kept.push(other),
            }
        }
        kept.sort_by_key(Self::cost);
        match kept.len() {
            0 => Self::Everything,
            1 => kept.swap_remove(0),
            _ => Self::And(kept),
        }
    }

    /// Any of them.
    pub(crate) fn or(nodes: Vec<Self>) -> Self {
        let mut kept = Vec::with_capacity(nodes.len());
        for node in nodes {
            match node {
                Self::Nothing => {}
                Self::Everything => return Self::Everything,
                Self::Or(inner) => kept.extend(inner),
                other => kept.push(other),
            }
        }
        kept.sort_by_key(Self::cost);
        match kept.len() {
            0 => Self::Nothing,
            1 => kept.swap_remove(0),
            _ => Self::Or(kept),
        }
    }

    /// All others.
    pub(crate) fn except(node: Self) -> Self {
        match node {
            Self::Everything => Self::Nothing,
            Self::Nothing => Self::Everything,
            node => Self::Except(Box::new(node)),
        }
    }

    /// Rough cost of a row.
    fn cost(&self) -> u32 {
        match self {
            Self::Everything | Self::Nothing => 0,
            Self::Ids(leaf) if leaf.has_bitmap() => 1,
            Self::Ids(_) => 2,
            Self::Long(_) | Self::Float(_) | Self::Double(_) => 3,
            Self::And(nodes) | Self::Or(nodes) => nodes.iter().map(Self::cost).sum(),
            Self::Except(node) => node.cost(),
            Self::Multi(_) => 10,
            Self::Met(_) => 100,
            Self::Text(_) => 200,
            Self::Expression(_) => 500,
        }
    }

    /// About which part of the rows passes.
    pub(crate) fn selectivity(&self) -> f64 {
        match self {
            Self::Everything => 1.0,
            Self::Nothing => 0.0,
            Self::And(nodes) => nodes.iter().map(Self::selectivity).product(),
            Self::Or(nodes) => nodes.iter().map(Self::selectivity).sum::<f64>().min(1.0),
            Self::Except(node) => 1.0 - node.selectivity(),
            Self::Ids(leaf) => leaf.selectivity(),
            // Nothing is known; a guess that is too high costs less than one that is too low.
            _ => 0.5,
        }
    }

    /// What holds of all rows of a block, as statistics tell without looking at rows: that they
    /// match, or that they do not.
    pub(crate) fn verdict(&self, block: usize) -> Result<Option<bool>> {
        match self {
            Self::Everything => Ok(Some(true)),
            Self::Nothing => Ok(Some(false)),
            Self::And(nodes) => common_verdict(nodes, block, true),
            Self::Or(nodes) => common_verdict(nodes, block, false),
            Self::Except(node) => Ok(node.verdict(block)?.map(|passes| !passes)),
            Self::Ids(leaf) => leaf.verdict(block),
            Self::Long(leaf) => leaf.verdict(block),
            Self::Float(leaf) => leaf.verdict(block),
            Self::Double(leaf) => leaf.verdict(block),
            Self::Multi(_) | Self::Met(_) | Self::Text(_) | Self::Expression(_) => Ok(None),
        }
    }

    /// Removes the candidates of a block that do not match. `spare` lends sets to alternatives.
    pub(crate) fn narrow(
        &mut self,
        block: usize,
        candidates: &mut BlockBits,
        spare: &mut Vec<BlockBits>,
    ) -> Result<()> {
        // Branches ask their leaves.
        if !matches!(self, Self::And(_) | Self::Or(_) | Self::Except(_))
            && let Some(passes) = self.verdict(block)?
        {
            if !passes {
                candidates.clear();
            }
            return Ok(());
        }
        match self {
            Self::Everything => Ok(()),
            Self::Nothing => {
                candidates.clear();
                Ok(())
            }
            Self::And(nodes) => {
                for node in nodes {
                    node.narrow(block, candidates, spare)?;
                    if candidates.is_empty() {
                        break;
                    }
                }
                Ok(())
            }
            Self::Or(nodes) => narrow_any(nodes, block, candidates, spare),
            Self::Except(node) => {
                let mut others = spare.pop().unwrap_or_default();
                others.copy_from(candidates);
                node.narrow(block, &mut others, spare)?;
                candidates.subtract(&others);
                spare.push(others);
                Ok(())
            }
            Self::Ids(leaf) => leaf.narrow(block, candidates, spare),
            Self::Multi(leaf) => leaf.narrow(block, candidates, spare),
            Self::Met(leaf) => leaf.narrow(block, candidates, spare),
            Self::Long(leaf) => leaf.narrow(block, candidates, spare),
            Self::Float(leaf) => leaf.narrow(block, candidates, spare),
            Self::Double(leaf) => leaf.narrow(block, candidates, spare),
            Self::Text(leaf) => leaf.narrow(block, candidates),
            Self::Expression(leaf) => leaf.narrow(block, candidates),
        }
    }
}

/// `neutral` when all nodes say that, the opposite as soon as one says so.
fn common_verdict(nodes: &[Node<'_>], block: usize, neutral: bool) -> Result<Option<bool>> {
    let mut common = Some(neutral);
    for node in nodes {
        match node.verdict(block)? {
            Some(verdict) if verdict != neutral => return Ok(Some(verdict)),
            Some(_) => {}
            None => common = None,
        }
    }
    Ok(common)
}

/// Each alternative sees only the rows that no earlier one took.
fn narrow_any(
    nodes: &mut [Node<'_>],
    block: usize,
    candidates: &mut BlockBits,
    spare: &mut Vec<BlockBits>,
) -> Result<()> {
    let mut matched = spare.pop().unwrap_or_default();
    let mut trial = spare.pop().unwrap_or_default();
    matched.clear();
    for node in nodes {
        trial.copy_from(candidates);
        node.narrow(block, &mut trial, spare)?;
        matched.union(&trial);
        candidates.subtract(&trial);
        if candidates.is_empty() {
            break;
        }
    }
    candidates.copy_from(&matched);
    spare.extend([matched, trial]);
    Ok(())
}
