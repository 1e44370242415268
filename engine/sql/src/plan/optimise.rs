//! Which of DataFusion's rules plans go through. Those that hide what a statement asked, common subexpressions
//! above all, are left out: lowering recognises shapes.

use std::sync::{Arc, LazyLock};

use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::logical_expr::LogicalPlan;
use datafusion::optimizer::analyzer::resolve_grouping_function::ResolveGroupingFunction;
use datafusion::optimizer::analyzer::type_coercion::TypeCoercion;
use datafusion::optimizer::decorrelate_lateral_join::DecorrelateLateralJoin;
use datafusion::optimizer::decorrelate_predicate_subquery::DecorrelatePredicateSubquery;
use datafusion::optimizer::eliminate_cross_join::EliminateCrossJoin;
use datafusion::optimizer::eliminate_duplicated_expr::EliminateDuplicatedExpr;
use datafusion::optimizer::eliminate_filter::EliminateFilter;
use datafusion::optimizer::eliminate_join::EliminateJoin;
use datafusion::optimizer::eliminate_limit::EliminateLimit;
use datafusion::optimizer::eliminate_outer_join::EliminateOuterJoin;
use datafusion::optimizer::extract_equijoin_predicate::ExtractEquijoinPredicate;
use datafusion::optimizer::filter_null_join_keys::FilterNullJoinKeys;
use datafusion::optimizer::optimize_projections::OptimizeProjections;
use datafusion::optimizer::optimize_unions::OptimizeUnions;
use datafusion::optimizer::propagate_empty_relation::PropagateEmptyRelation;
use datafusion::optimizer::push_down_filter::PushDownFilter;
use datafusion::optimizer::push_down_limit::PushDownLimit;
use datafusion::optimizer::replace_distinct_aggregate::ReplaceDistinctWithAggregate;
use datafusion::optimizer::rewrite_set_comparison::RewriteSetComparison;
use datafusion::optimizer::scalar_subquery_to_join::ScalarSubqueryToJoin;
use datafusion::optimizer::{Analyzer, AnalyzerRule, Optimizer, OptimizerContext, OptimizerRule};

use super::several::AnyOfSeveral;
use super::simplify::Simplify;
use super::watched::{WatchedAnalyzer, WatchedOptimizer};
use crate::functions::casts::{DruidCasts, ListsOfText};

static ANALYZER: LazyLock<Analyzer> = LazyLock::new(|| {
    let rules: Vec<Arc<dyn AnalyzerRule + Send + Sync>> = vec![
        Arc::new(ResolveGroupingFunction::new()),
        Arc::new(ListsOfText),
        Arc::new(TypeCoercion::new()),
        Arc::new(DruidCasts),
        Arc::new(AnyOfSeveral),
    ];
    let watched = |rule| -> Arc<dyn AnalyzerRule + Send + Sync> { Arc::new(WatchedAnalyzer(rule)) };
    Analyzer::with_rules(rules.into_iter().map(watched).collect())
});

static OPTIMIZER: LazyLock<Optimizer> = LazyLock::new(|| {
    let rules: Vec<Arc<dyn OptimizerRule + Send + Sync>> = vec![
        Arc::new(RewriteSetComparison::new()),
        Arc::new(OptimizeUnions::new()),
        Arc::new(Simplify::default()),
        Arc::new(ReplaceDistinctWithAggregate::new()),
        Arc::new(EliminateJoin::new()),
        Arc::new(DecorrelatePredicateSubquery::new()),
        Arc::new(ScalarSubqueryToJoin::new()),
        Arc::new(DecorrelateLateralJoin::new()),
        Arc::new(ExtractEquijoinPredicate::new()),
        Arc::new(EliminateDuplicatedExpr::new()),
        Arc::new(EliminateFilter::new()),
        Arc::new(EliminateCrossJoin::new()),
        Arc::new(EliminateLimit::new()),
        Arc::new(PropagateEmptyRelation::new()),
        Arc::new(FilterNullJoinKeys::default()),
        Arc::new(EliminateOuterJoin::new()),
        Arc::new(PushDownLimit::new()),
        Arc::new(PushDownFilter::new()),
        Arc::new(OptimizeProjections::new()),
    ];
    let watched =
        |rule| -> Arc<dyn OptimizerRule + Send + Sync> { Arc::new(WatchedOptimizer(rule)) };
    Optimizer::with_rules(rules.into_iter().map(watched).collect())
});

/// Settles types.
///
/// # Errors
/// When an operator or a function does not take what it is given.
pub(super) fn analyse(plan: LogicalPlan, options: &ConfigOptions) -> Result<LogicalPlan> {
    ANALYZER.execute_and_check(plan, options, |_, _| {})
}

/// Simplifies, decorrelates and pushes down.
///
/// # Errors
/// When a subquery cannot be decorrelated, or a constant cannot be computed.
pub(super) fn optimise(plan: LogicalPlan, options: Arc<ConfigOptions>) -> Result<LogicalPlan> {
    // Nothing of the plan reads a clock: the dialect has read it already.
    let context =
        OptimizerContext::new_with_config_options(options).without_query_execution_start_time();
    OPTIMIZER.optimize(plan, &context, |_, _| {})
}
