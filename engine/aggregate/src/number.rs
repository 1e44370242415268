//! Numbers as states: how two become one, and the columns they are read from and end in.

use henge_vector::{Array, Column, NullBuffer};

/// A number that is a state.
pub(crate) trait Number: Sized {
    /// The values of a column of such states, and which of them are null.
    fn of_column(column: &Column) -> Option<(&[Self], Option<&NullBuffer>)>;
    /// A column of states; `float` says that they are of a FLOAT.
    fn column(values: Vec<Self>, nulls: Option<NullBuffer>, float: bool) -> Column;
}

impl Number for i64 {
    fn of_column(column: &Column) -> Option<(&[Self], Option<&NullBuffer>)> {
        let Column::Long(array) = column else { return None };
        Some((&array.values()[..], array.nulls()))
    }

    fn column(values: Vec<Self>, nulls: Option<NullBuffer>, _: bool) -> Column {
        Column::longs(values, nulls)
    }
}

impl Number for f64 {
    fn of_column(column: &Column) -> Option<(&[Self], Option<&NullBuffer>)> {
        let (Column::Double(array) | Column::WideFloat(array)) = column else { return None };
        Some((&array.values()[..], array.nulls()))
    }

    fn column(values: Vec<Self>, nulls: Option<NullBuffer>, float: bool) -> Column {
        match float {
            true => Column::wide_floats(values, nulls),
            false => Column::doubles(values, nulls),
        }
    }
}

/// How two states become one.
pub(crate) trait Combine: 'static {
    /// What is kept for a group.
    type State: Copy + PartialEq + std::fmt::Debug + Send + Sync + 'static;
    /// The state of a group without values.
    const START: Self::State;
    /// Adds one value; true when the state wrapped around.
    fn add(state: &mut Self::State, value: Self::State) -> bool;
}

/// Sum of integers in 128 bits, which no data fills.
#[derive(Debug)]
pub(crate) struct WideSum;

impl Combine for WideSum {
    type State = i128;
    const START: i128 = 0;

    #[inline]
    fn add(state: &mut i128, value: i128) -> bool {
        *state = state.wrapping_add(value);
        false
    }
}
