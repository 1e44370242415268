//! The aggregate functions, one file each: how rows are added, how states are merged, finished and
//! stored in projections.

mod cardinality;
mod count;
mod exact_distinct;
mod folded;
mod grouping;
mod hll;
mod hyper_unique;
mod moments;
mod numeric;
mod one_value;
mod quantiles;
mod text_bound;
mod theta;
