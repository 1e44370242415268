//! Statements of a drawer: expressions of each type, predicates, and what is asked with them.

use crate::draw::Draw;

/// A statement, and whether the order of its rows is its own.
pub(crate) struct Statement {
    pub(crate) text: String,
    pub(crate) is_ordered: bool,
}

const WORDS: [&str; 6] = ["'a'", "''", "'ab'", "'B'", "'10'", "'zz'"];
const PATTERNS: [&str; 5] = ["'a%'", "'%b'", "'_'", "'%'", "'%1%'"];
const UNITS: [&str; 5] = ["HOUR", "DAY", "WEEK", "MONTH", "YEAR"];
const TIMES: [&str; 4] = [
    "TIMESTAMP '2000-01-15 12:00:00'",
    "TIMESTAMP '2000-02-01 00:00:00'",
    "TIMESTAMP '2000-01-01 00:00:00' + INTERVAL '10' DAY",
    "TIME_PARSE('2000-02-10T03:04:05Z')",
];

/// A VARCHAR.
fn text(draw: &mut Draw, depth: u32) -> String {
    if depth == 0 {
        return match draw.below(5) {
            0 => (*draw.one(&WORDS)).to_owned(),
            1 | 2 => "country".to_owned(),
            _ => "city".to_owned(),
        };
    }
    let below = depth - 1;
    match draw.below(9) {
        0 => format!("UPPER({})", text(draw, below)),
        1 => format!("SUBSTRING({}, 1, {})", text(draw, below), 1 + draw.below(2)),
        2 => format!("({} || {})", text(draw, below), text(draw, below)),
        3 => format!("COALESCE({}, {})", text(draw, below), text(draw, below)),
        4 => format!("CAST({} AS VARCHAR)", whole(draw, below)),
        5 => format!(
            "CASE WHEN {} THEN {} ELSE {} END",
            predicate(draw, below),
            text(draw, below),
            text(draw, below)
        ),
        6 => format!("NULLIF({}, {})", text(draw, below), draw.one(&WORDS)),
        7 => format!("REPLACE({}, 'a', 'x')", text(draw, below)),
        _ => text(draw, 0),
    }
}

/// A BIGINT.
fn whole(draw: &mut Draw, depth: u32) -> String {
    if depth == 0 {
        return match draw.below(4) {
            0 => (draw.below(12) as i64 - 3).to_string(),
            _ => "added".to_owned(),
        };
    }
    let below = depth - 1;
    match draw.below(9) {
        0 => format!("({} + {})", whole(draw, below), whole(draw, below)),
        1 => format!("({} - {})", whole(draw, below), whole(draw, below)),
        2 => format!("({} * {})", whole(draw, below), 1 + draw.below(3)),
        3 => format!("({} / {})", whole(draw, below), draw.below(4)),
        4 => format!("MOD({}, {})", whole(draw, below), 1 + draw.below(5)),
        5 => format!("CHAR_LENGTH({})", text(draw, below)),
        6 => format!("COALESCE({}, {})", whole(draw, below), whole(draw, below)),
        7 => format!("EXTRACT({} FROM {})", draw.one(&UNITS), time(draw)),
        _ => format!("CAST({} AS BIGINT)", text(draw, below)),
    }
}

/// A DOUBLE or FLOAT.
fn decimal(draw: &mut Draw, depth: u32) -> String {
    if depth == 0 {
        return (*draw.one(&["price", "ratio", "price", "0.25", "-1.5"])).to_owned();
    }
    let below = depth - 1;
    match draw.below(5) {
        0 => format!("({} + {})", decimal(draw, below), decimal(draw, below)),
        1 => format!("({} * 2)", decimal(draw, below)),
        2 => format!("ABS({})", decimal(draw, below)),
        3 => format!("COALESCE({}, 0.5)", decimal(draw, below)),
        _ => format!("CAST({} AS DOUBLE)", text(draw, below)),
    }
}

/// A TIMESTAMP.
fn time(draw: &mut Draw) -> String {
    match draw.below(4) {
        0 => format!("FLOOR(__time TO {})", draw.one(&UNITS)),
        1 => format!("TIME_FLOOR(__time, '{}')", draw.one(&["PT6H", "P1D", "P3D", "P1M"])),
        2 => "__time + INTERVAL '1' MONTH".to_owned(),
        _ => "__time".to_owned(),
    }
}

/// A condition.
pub(crate) fn predicate(draw: &mut Draw, depth: u32) -> String {
    if depth > 0 && draw.below(3) > 0 {
        let below = depth - 1;
        return match draw.below(6) {
            0 => format!("NOT ({})", predicate(draw, below)),
            1 | 2 => format!("({} OR {})", predicate(draw, below), predicate(draw, below)),
            3 | 4 => format!("({} AND {})", predicate(draw, below), predicate(draw, below)),
            _ => format!("({}) IS {}TRUE", predicate(draw, below), draw.one(&["", "NOT "])),
        };
    }
    let (sign, depth) = (*draw.one(&["=", "<>", "<", "<=", ">", ">="]), depth.min(1));
    match draw.below(12) {
        0 => format!("{} {sign} {}", text(draw, depth), draw.one(&WORDS)),
        1 => format!("{} {sign} {}", text(draw, depth), text(draw, depth)),
        2 => format!("{} {sign} {}", whole(draw, depth), draw.below(9)),
        3 => format!("{} {sign} {}", decimal(draw, depth), decimal(draw, 0)),
        4 => format!("{} {sign} {}", time(draw), draw.one(&TIMES)),
        5 => format!("{} IS {}NULL", text(draw, depth), draw.one(&["", "NOT "])),
        6 => format!("{} IS {}NULL", whole(draw, depth), draw.one(&["", "NOT "])),
        7 => format!("{} LIKE {}", text(draw, depth), draw.one(&PATTERNS)),
        8 => format!(
            "{} {}IN ({}, {}{})",
            text(draw, depth),
            draw.one(&["", "NOT "]),
            draw.one(&WORDS),
            draw.one(&WORDS),
            draw.one(&["", ", NULL"])
        ),
        9 => format!(
            "{} {}IN (1, 2, 3{})",
            whole(draw, depth),
            draw.one(&["", "NOT "]),
            draw.one(&["", ", NULL"])
        ),
        10 => format!("{} BETWEEN {} AND 6", whole(draw, depth), draw.below(5) as i64 - 2),
        _ => format!(
            "{} IS {}DISTINCT FROM {}",
            text(draw, depth),
            draw.one(&["", "NOT "]),
            text(draw, 0)
        ),
    }
}

/// What is asked of each row.
pub(crate) fn outputs(draw: &mut Draw) -> String {
    let count = 1 + draw.below(3);
    let outputs = (0..count).map(|_| any(draw, 1)).collect::<Vec<_>>();
    outputs.join(", ")
}

fn any(draw: &mut Draw, depth: u32) -> String {
    match draw.below(4) {
        0 => whole(draw, depth),
        1 => decimal(draw, depth),
        2 => time(draw),
        _ => text(draw, depth),
    }
}

fn aggregate(draw: &mut Draw) -> String {
    let call = match draw.below(9) {
        0 => "COUNT(*)".to_owned(),
        1 => format!("COUNT({})", any(draw, 1)),
        2 => format!("SUM(MOD({}, 1000))", whole(draw, 0)),
        3 => format!("SUM({})", draw.one(&["price", "ratio", "price + 1", "price * 2"])),
        4 => format!("MIN({})", whole(draw, 1)),
        5 => format!("MAX({})", decimal(draw, 1)),
        6 => format!("AVG({})", draw.one(&["price", "MOD(added, 8)"])),
        7 => format!("COUNT(DISTINCT {})", draw.one(&["country", "city", "added"])),
        _ => format!("MAX({})", draw.one(&["__time", "country", "city"])),
    };
    match draw.below(4) {
        0 => format!("{call} FILTER (WHERE {})", predicate(draw, 1)),
        _ => call,
    }
}

fn where_clause(draw: &mut Draw) -> String {
    match draw.below(3) {
        0 => String::new(),
        _ => format!(" WHERE {}", predicate(draw, 2)),
    }
}

/// Columns by their numbers, each in some direction.
fn by_all(draw: &mut Draw, columns: usize, first: usize) -> String {
    let mut places: Vec<usize> = (1..=columns).collect();
    places.rotate_left(first);
    let keys = places.iter().map(|place| format!("{place}{}", draw.one(&["", " DESC"])));
    keys.collect::<Vec<_>>().join(", ")
}

fn grouped(draw: &mut Draw) -> Statement {
    let keys: Vec<String> = (0..draw.below(3)).map(|_| key(draw)).collect();
    let calls: Vec<String> = (0..1 + draw.below(3)).map(|_| aggregate(draw)).collect();
    let outputs = keys.iter().chain(&calls).cloned().collect::<Vec<_>>();
    let mut text = format!("SELECT {} FROM t{}", outputs.join(", "), where_clause(draw));
    if !keys.is_empty() {
        let places: Vec<String> = (1..=keys.len()).map(|place| place.to_string()).collect();
        text.push_str(&format!(" GROUP BY {}", places.join(", ")));
    }
    if draw.below(4) == 0 {
        text.push_str(&format!(" HAVING COUNT(*) > {}", draw.below(4)));
    }
    let is_ordered = draw.below(2) == 0;
    if is_ordered {
        let by = by_all(draw, outputs.len(), keys.len());
        text.push_str(&format!(" ORDER BY {by} LIMIT {}", 1 + draw.below(8)));
    }
    Statement { text, is_ordered }
}

fn key(draw: &mut Draw) -> String {
    match draw.below(6) {
        0 => time(draw),
        1 => whole(draw, 1),
        2 => text(draw, 1),
        3 => "city".to_owned(),
        _ => "country".to_owned(),
    }
}

/// Any statement.
pub(crate) fn statement(draw: &mut Draw) -> Statement {
    let plain = |text: String| Statement { text, is_ordered: false };
    match draw.below(10) {
        0..=3 => grouped(draw),
        4 => plain(format!("SELECT {} FROM t{}", outputs(draw), where_clause(draw))),
        5 => plain(format!("SELECT DISTINCT {} FROM t{}", outputs(draw), where_clause(draw))),
        6 => plain(format!(
            "SELECT a, COUNT(*), SUM(b), MAX(c) FROM (SELECT {} AS a, COUNT(*) AS b, MAX(price) AS c FROM t{} GROUP \
             BY {}, 1) GROUP BY a",
            text(draw, 1),
            where_clause(draw),
            draw.one(&["city", "FLOOR(__time TO DAY)", "MOD(added, 3)"]),
        )),
        7 => plain(format!(
            "SELECT {0} AS a FROM t{1} UNION ALL SELECT k FROM u WHERE n > {2}",
            text(draw, 1),
            where_clause(draw),
            draw.below(4)
        )),
        8 => plain(format!(
            "SELECT country, n, COUNT(*), SUM(price) FROM t {} JOIN u ON t.country = u.k{} GROUP BY 1, 2",
            draw.one(&["INNER", "LEFT"]),
            where_clause(draw)
        )),
        _ => plain(format!(
            "SELECT {} FROM t WHERE country {}IN (SELECT k FROM u WHERE n > {}) AND {}",
            outputs(draw),
            draw.one(&["", "NOT "]),
            draw.below(4),
            predicate(draw, 1)
        )),
    }
}
