//! [`JdbcType`]: types of SQL as java.sql.Types numbers them, and what Java has for their values.

/// A type as drivers know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct JdbcType {
    /// Its name in SQL.
    pub(crate) name: &'static str,
    /// Its number in java.sql.Types.
    pub(crate) id: i32,
    /// The class of its values as their accessors give them.
    pub(crate) class_name: &'static str,
    /// Digits or letters; minus one where there is no bound.
    pub(crate) precision: i32,
    /// Digits behind the point; [`NO_SCALE`] where there are none to speak of.
    pub(crate) scale: i32,
}

/// What Calcite says of a type without a scale.
pub(crate) const NO_SCALE: i32 = i32::MIN;

/// What a client is told of when it asks for types; also those that are read as others.
pub(crate) const KNOWN_TYPES: [JdbcType; 14] = [
    of("VARCHAR", 12, "java.lang.String", -1, NO_SCALE),
    of("BIGINT", -5, "java.lang.Long", 19, 0),
    of("DOUBLE", 8, "java.lang.Double", 15, NO_SCALE),
    of("FLOAT", 6, "java.lang.Float", 15, NO_SCALE),
    of("TIMESTAMP", 93, "java.sql.Timestamp", 3, NO_SCALE),
    of("DATE", 91, "java.sql.Date", 0, NO_SCALE),
    of("BOOLEAN", 16, "java.lang.Boolean", 1, NO_SCALE),
    of("ARRAY", 2003, "java.sql.Array", -1, NO_SCALE),
    of("CHAR", 1, "java.lang.String", -1, NO_SCALE),
    of("INTEGER", 4, "java.lang.Integer", 10, 0),
    of("SMALLINT", 5, "java.lang.Short", 5, 0),
    of("TINYINT", -6, "java.lang.Byte", 3, 0),
    of("REAL", 7, "java.lang.Float", 7, NO_SCALE),
    of("DECIMAL", 3, "java.math.BigDecimal", 19, 0),
];

const OTHER: JdbcType = of("OTHER", 1111, "java.lang.Object", -1, NO_SCALE);
const NULL: JdbcType = of("NULL", 0, "java.lang.Void", 0, 0);

impl JdbcType {
    /// The type of a name; what java.sql.Types has no number for is OTHER.
    pub(crate) fn named(name: &str) -> Self {
        let known = KNOWN_TYPES.into_iter().chain([NULL]);
        let mut known = known.filter(|known| known.name.eq_ignore_ascii_case(name));
        known.next().unwrap_or(OTHER)
    }
}

const fn of(
    name: &'static str,
    id: i32,
    class_name: &'static str,
    precision: i32,
    scale: i32,
) -> JdbcType {
    JdbcType { name, id, class_name, precision, scale }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_have_the_numbers_of_java() {
        let names = ["VARCHAR", "BIGINT", "DOUBLE", "TIMESTAMP", "ARRAY", "COMPLEX<json>", "NULL"];
        let ids = names.map(|name| JdbcType::named(name).id);
        assert_eq!(ids, [12, -5, 8, 93, 2003, 1111, 0]);
    }
}
