//! The list of aggregators, and the type that is one of them.

use std::sync::LazyLock;

use henge_expr::Expr;
use henge_types::{MetricKind, ValueType};
use serde_json::Value;

use super::{
    Aggregate, Cardinality, Count, ExactDistinctCount, Folded, Grouping, Hll, HyperUnique, Moments,
    Numeric, OneValue, Quantiles, TextBound, Theta, spec::FILTERED,
};
use crate::error::Result;
use crate::node::Node;

/// Hands the list of aggregators to a macro: each is a type of [`henge_query::aggregate`](crate::aggregate)
/// and a variant of [`AggregatorKind`](crate::AggregatorKind). Whoever executes them generates from it
/// what would else be matched by hand.
#[macro_export]
macro_rules! aggregates {
    ($callback:ident) => {
        $callback! {
            Count,
            Numeric,
            Hll,
            HyperUnique,
            Cardinality,
            ExactDistinctCount,
            Theta,
            Quantiles,
            OneValue,
            TextBound,
            Moments,
            Folded,
            Grouping,
        }
    };
}

macro_rules! kind {
    ($($name:ident,)*) => {
        /// What is computed.
        #[derive(Debug, Clone)]
        pub enum AggregatorKind {
            $(
                #[doc = concat!("See [`", stringify!($name), "`].")]
                $name($name),
            )*
        }

        impl AggregatorKind {
            fn fields(&self) -> &dyn Aggregate {
                match self {
                    $(Self::$name(fields) => fields,)*
                }
            }

            /// Reads the aggregator of a type; `None` when there is no such type.
            pub(super) fn parse(node: &Node<'_>, type_name: &str) -> Option<Result<Self>> {
                $(
                    if $name::types().contains(&type_name) {
                        return Some($name::parse(node, type_name).map(Self::$name));
                    }
                )*
                None
            }

            /// All types that are known, that of the wrapper included.
            pub(super) fn types() -> &'static [&'static str] {
                static TYPES: LazyLock<Vec<&'static str>> =
                    LazyLock::new(|| [$($name::types(),)* &[FILTERED]].concat());
                &TYPES
            }
        }

        $(
            impl From<$name> for AggregatorKind {
                fn from(fields: $name) -> Self {
                    Self::$name(fields)
                }
            }
        )*
    };
}
aggregates!(kind);

impl AggregatorKind {
    /// The fields as Druid's JSON, with the type and without the name.
    pub(super) fn to_value(&self) -> Value {
        self.fields().to_value()
    }

    /// What decides the states.
    pub(super) fn state_value(&self) -> Value {
        self.fields().state_value()
    }

    /// Visits the names of the columns it reads, stored or virtual.
    pub fn for_each_input(&self, visit: &mut dyn FnMut(&str)) {
        self.fields().for_each_input(visit);
    }

    /// The expression of its own that it reads.
    #[must_use]
    pub fn expression(&self) -> Option<&Expr> {
        self.fields().expression()
    }

    /// The type of the finished values.
    #[must_use]
    pub fn output_type(&self) -> ValueType {
        self.fields().output_type()
    }

    /// How the states are stored in a projection, and combined there; `None` when they cannot be.
    #[must_use]
    pub fn stored_states(&self) -> Option<MetricKind> {
        self.fields().stored_states()
    }

    /// True when a finished estimate is rounded to a whole number.
    #[must_use]
    pub fn rounds(&self) -> bool {
        self.fields().rounds()
    }
}
