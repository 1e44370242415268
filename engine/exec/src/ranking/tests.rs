//! Which queries are rankings, and what nodes are asked for.

use super::*;

fn ranking(query: &str) -> Option<Ranking> {
    let text = format!(
        r#"{{"dataSource":"t","granularity":"all","intervals":"1970/1971","aggregations":[
            {{"type":"count","name":"n"}},{{"type":"longSum","name":"s","fieldName":"x"}},
            {{"type":"doubleSum","name":"d","fieldName":"x"}},{{"type":"longMax","name":"most","fieldName":"x"}},
            {{"type":"doubleMin","name":"least","fieldName":"x"}},{{"type":"floatSum","name":"f","fieldName":"x"}},
            {{"type":"exactDistinctCount","name":"e","fieldName":"x"}}],{query}}}"#
    );
    Ranking::of(&Query::parse(text.as_bytes()).unwrap())
}

fn top(metric: &str, more: &str) -> Option<Ranking> {
    ranking(&format!(r#""queryType":"topN","dimension":"a","threshold":7,"metric":{metric}{more}"#))
}

fn groups(more: &str) -> Option<Ranking> {
    ranking(&format!(r#""queryType":"groupBy","dimensions":["a","b"]{more}"#))
}

fn ordered(column: &str, direction: &str) -> String {
    format!(
        r#","limitSpec":{{"type":"default","limit":5,"offset":2,"columns":[
            {{"dimension":"{column}","direction":"{direction}"}},"a"]}}"#
    )
}

fn having(clause: &str) -> Option<(usize, Wanted)> {
    groups(&format!(r#","having":{clause}"#)).map(|ranking| (ranking.aggregator, ranking.wanted))
}

#[test]
fn the_first_by_what_the_parts_bound_are_a_ranking() {
    for (name, position, combined) in [
        ("n", 0, Combined::Sum),
        ("s", 1, Combined::Sum),
        ("d", 2, Combined::Sum),
        ("most", 3, Combined::Best),
    ] {
        let found = top(&format!(r#""{name}""#), "").unwrap();
        let wanted = Wanted::First(7);
        let expected = Ranking { aggregator: position, is_smallest_first: false, combined, wanted };
        assert_eq!(found, expected);
        let found = groups(&ordered(name, "descending")).unwrap();
        assert_eq!((found.aggregator, found.wanted), (position, Wanted::First(7)));
        assert!(groups(&ordered(name, "ascending")).is_none(), "{name}");
    }
    let found = groups(&ordered("least", "ascending")).unwrap();
    assert!(found.is_smallest_first && found.combined == Combined::Best);
    for metric in [r#""f""#, r#""e""#, r#""least""#, r#"{"type":"inverted","metric":"n"}"#] {
        assert!(top(metric, "").is_none(), "{metric}");
    }
    assert!(top(r#"{"type":"dimension"}"#, "").is_none());
    assert!(groups("").is_none() && groups(&ordered("a", "descending")).is_none());
    let projected = r#","context":{"useProjection":"p"}"#;
    assert!(top(r#""n""#, projected).is_none(), "another filter may find no projection");
}

#[test]
fn a_value_to_be_above_is_a_ranking() {
    let long = |value| Some((0, Wanted::From(Number::Long(value))));
    assert_eq!(having(r#"{"type":"greaterThan","aggregation":"n","value":5000}"#), long(5001));
    assert_eq!(having(r#"{"type":"greaterThan","aggregation":"n","value":4.5}"#), long(5));
    let both = r#"{"type":"and","havingSpecs":[{"type":"dimSelector","dimension":"a","value":"x"},
        {"type":"greaterThan","aggregation":"d","value":3}]}"#;
    assert_eq!(having(both), Some((2, Wanted::From(Number::Double(3.0)))));
    let range = |strict| {
        format!(
            r#"{{"type":"filter","filter":{{"type":"range","column":"n","matchValueType":"LONG",
                "lower":9,"lowerOpen":{strict}}}}}"#
        )
    };
    assert_eq!((having(&range(true)), having(&range(false))), (long(10), long(9)));
    for other in [
        r#"{"type":"lessThan","aggregation":"n","value":5}"#,
        r#"{"type":"greaterThan","aggregation":"f","value":5}"#,
        r#"{"type":"not","havingSpec":{"type":"greaterThan","aggregation":"n","value":5}}"#,
    ] {
        assert_eq!(having(other), None, "{other}");
    }
}

#[test]
fn nodes_send_what_their_share_of_a_value_is() {
    let sum = top(r#""s""#, "").unwrap();
    let above = |ranking: &Ranking, value, nodes| {
        ranking.cut(Aim::From(value), nodes, 0).map(|cut| cut.kept)
    };
    for (value, nodes, share) in
        [(5001, 3, 1666), (7, 3, 2), (6, 3, 1), (i64::MAX, 1, i64::MAX - 1)]
    {
        let kept = Some(Kept::Above(Number::Long(share)));
        assert_eq!(above(&sum, Number::Long(value), nodes), kept);
        assert!(i128::from(share) * (nodes as i128) < i128::from(value), "none is lost");
    }
    for value in [3, 0, -5, i64::MIN] {
        assert_eq!(above(&sum, Number::Long(value), 3), None, "that would be nearly all");
    }
    let Some(Kept::Above(Number::Double(share))) = above(&sum, Number::Double(9.0), 3) else {
        panic!("a share")
    };
    assert!(share < 3.0 && share > 2.99);
    let most = top(r#""most""#, "").unwrap();
    let kept = Some(Kept::Above(Number::Long(-6)));
    assert_eq!(above(&most, Number::Long(-5), 3), kept, "the best of one node is the best of all");
    assert_eq!(sum.first_aim(1), Aim::Best { most: 14 });
    assert_eq!(sum.first_aim(100), Aim::Best { most: 100 });
    let cut = sum.cut(Aim::Best { most: 100 }, 3, 9).unwrap();
    assert_eq!((cut.few, cut.kept), (9, Kept::Best { most: 100, least: 7, nodes: 3 }));
    let cut = most.cut(Aim::Best { most: 100 }, 3, 9).unwrap();
    assert_eq!(cut.kept, Kept::Best { most: 100, least: 7, nodes: 1 });
}
