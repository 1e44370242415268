//! Single values, owned and borrowed.

/// An owned value of any column type.
///
/// `Null` and the empty string differ. A multi-value string keeps the order of its elements.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Value {
    /// SQL null.
    #[default]
    Null,
    /// LONG.
    Long(i64),
    /// FLOAT.
    Float(f32),
    /// DOUBLE.
    Double(f64),
    /// STRING with one value.
    String(String),
    /// STRING with several values; an element may be null.
    Multi(Vec<Option<String>>),
    /// A serialised sketch.
    Complex(Vec<u8>),
}

/// A borrowed value: what parsers hand to the write-optimised index.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum ValueRef<'a> {
    /// SQL null.
    #[default]
    Null,
    /// LONG.
    Long(i64),
    /// DOUBLE (floats are widened).
    Double(f64),
    /// STRING.
    String(&'a str),
    /// STRING with several values.
    Multi(&'a [Option<&'a str>]),
    /// A serialised sketch.
    Complex(&'a [u8]),
}
