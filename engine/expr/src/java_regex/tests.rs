//! Patterns, texts and what Java 19 finds.

use super::{JavaRegex, PatternError};

const LIMIT_BYTES: usize = 1 << 20;

fn compile(pattern: &str) -> JavaRegex {
    JavaRegex::new(pattern, LIMIT_BYTES).unwrap_or_else(|error| panic!("{pattern}: {error}"))
}

/// `Matcher.find()`.
#[track_caller]
fn finds(cases: &[(&str, &str, bool)]) {
    for (pattern, text, expected) in cases {
        assert_eq!(compile(pattern).is_match(text), *expected, "{pattern:?} in {text:?}");
    }
}

/// The whole match of the first `find()`.
fn first<'t>(pattern: &str, text: &'t str) -> Option<&'t str> {
    let regex = compile(pattern);
    let found = regex.find_at(text, 0)?;
    found.group(0, text)
}

#[test]
fn classes_are_ascii() {
    finds(&[
        (r"^\w+$", "日本", false),
        (r"^\w+$", "١٢٣", false),
        (r"^\w+$", "az_09", true),
        (r"^\d+$", "١٢٣", false),
        (r"^\d+$", "123", true),
        (r"\D", "١", true),
        (r"\W", "é", true),
        (r"^\s+$", " \t\n\u{b}\u{c}\r", true),
        (r"\s", "\u{a0}\u{2003}\u{85}", false),
        (r"^\S$", "\u{a0}", true),
        (r"[\w]", "é", false),
        (r"[^\w]", "é", true),
        (r"[\D]", "١", true),
        (r"(?U)^\w+$", "日本", true),
        (r"(?U)^\d+$", "١٢٣", true),
        (r"(?U)\s", "\u{2003}", true),
        (r"^\h+$", "\t \u{a0}\u{1680}\u{2003}\u{3000}", true),
        (r"\h", "\n", false),
        (r"^\v+$", "\n\u{b}\u{c}\r\u{85}\u{2028}\u{2029}", true),
        (r"^\V$", " ", true),
        (r"^\R$", "\r\n", true),
        (r"a\Rb", "a\u{2028}b", true),
    ]);
}

#[test]
fn words_are_ascii() {
    finds(&[
        (r"\bfoo\b", "a foo.", true),
        (r"\bfoo\b", "éfooé", true),
        (r"\bfoo\b", "xfoo", false),
        (r"\Boo", "foo", true),
        (r"\Bfoo", "foo", false),
        (r"(?U)\bfoo\b", "éfooé", false),
    ]);
}

#[test]
fn case_is_that_of_ascii_without_u() {
    finds(&[
        ("(?i)^k$", "\u{212a}", false),
        ("(?i)^k$", "K", true),
        ("(?i)^s$", "ſ", false),
        ("(?i)é", "É", false),
        ("(?iu)é", "É", true),
        ("(?iu)^k$", "\u{212a}", true),
        ("(?iu)^i$", "ı", true),
        ("(?i)[a-c]", "B", true),
        ("(?i)[k]", "\u{212a}", false),
        ("(?i)[^a]", "A", false),
        ("(?i)[Y-b]", "y", true),
        ("(?i)[Y-b]", "A", true),
        ("(?iu)[é]", "É", true),
        ("a(?i)b", "aB", true),
        ("a(?i)b", "AB", false),
        ("(?:(?i)a)b", "Ab", true),
        ("(?:(?i)a)b", "AB", false),
        ("(?i:a)b", "Ab", true),
        ("(?i:a)b", "AB", false),
        ("(?i)a(?-i)b", "AB", false),
        ("x(?i)a|b", "B", true),
        (r"(?i)\x6b", "K", true),
        (r"(?i)\Qab\E", "AB", true),
        (r"(?i)\p{Lower}", "A", true),
        (r"\p{Lower}", "A", false),
    ]);
}

#[test]
fn dots_stop_at_every_line_terminator() {
    for terminator in ["\n", "\r", "\u{85}", "\u{2028}", "\u{2029}"] {
        let text = format!("a{terminator}b");
        assert!(!compile("a.b").is_match(&text), "{text:?}");
        assert!(compile("(?s)a.b").is_match(&text), "{text:?}");
        assert_eq!(compile("(?d)a.b").is_match(&text), terminator != "\n", "{text:?}");
        assert!(compile("a[^x]b").is_match(&text), "{text:?}");
    }
    finds(&[("a.b", "a😀b", true), ("^.$", "é", true)]);
}

#[test]
fn the_end_is_also_before_a_final_line_terminator() {
    finds(&[
        ("line$", "line", true),
        ("line$", "line\n", true),
        ("line$", "line\r\n", true),
        ("line$", "line\r", true),
        ("line$", "line\u{2029}", true),
        ("line$", "line\n\n", false),
        ("line$", "line\nx", false),
        (r"line\r$", "line\r\n", false),
        (r"line\r$", "line\r", true),
        (r"line\n$", "line\n", true),
        ("(?d)line$", "line\r", false),
        ("(?d)line$", "line\n", true),
        (r"line\Z", "line\n", true),
        (r"line\z", "line\n", false),
        (r"\Aline", "x\nline", false),
        ("^line", "x\nline", false),
        ("^$", "", true),
        ("^$", "\n", true),
        ("^$", "\n\n", false),
        ("foo$|bar", "bar\nx", true),
        ("(?:^|,)a(?:,|$)", "b,a\n", true),
        ("(?:a$)", "a\n", true),
        ("a$$", "a\n", true),
        (r"\Qa$\E", "a$b", true),
        ("a[$]b", "a$b", true),
    ]);
    assert_eq!(first("line$", "line\n"), Some("line"));
    assert_eq!(first(".*$", "ab\r\n"), Some("ab"));
    assert_eq!(first("(?s).*$", "ab\n"), Some("ab\n"));
    assert_eq!(first("(?s).*?$", "ab\n"), Some("ab"));
    let regex = compile("(a$)|(b)(c)");
    let found = regex.find_at("xa\n", 0).unwrap();
    assert_eq!((found.group(1, "xa\n"), found.group(2, "xa\n")), (Some("a"), None));
    let found = regex.find_at("bc", 0).unwrap();
    assert_eq!((found.group(2, "bc"), found.group(3, "bc")), (Some("b"), Some("c")));
    assert_eq!(regex.group_count(), 3);
}

#[test]
fn lines_end_at_every_terminator_under_m() {
    for terminator in ["\n", "\r", "\r\n", "\u{85}", "\u{2028}", "\u{2029}"] {
        let text = format!("a1{terminator}b2{terminator}");
        for (pattern, expected) in [
            ("(?m)^b", true),
            ("(?m)a1$", true),
            ("(?m)^b2$", true),
            ("(?m)^1", false),
            ("(?m)a$", false),
            ("(?m)(^|x)b", true),
            ("(?m)^(?:b|x)2", true),
            ("(?m)^2|^b", true),
            ("^b", false),
        ] {
            assert_eq!(compile(pattern).is_match(&text), expected, "{pattern} in {text:?}");
        }
        assert_eq!(first("(?m)^b.$", &text), Some("b2"));
        let regex = compile("(?m)^(.)(.)$");
        let pairs: Vec<_> = regex.matches(&text).map(|found| found.group(2, &text)).collect();
        assert_eq!(pairs, [Some("1"), Some("2")], "{text:?}");
    }
    assert!(!compile("(?m)a$").is_match("a\u{b}"));
    assert!(!compile("(?md)^b").is_match("a\rb"));
    assert!(compile("(?md)^b").is_match("a\nb"));
    assert!(!compile(r"(?m)a\r$").is_match("a\r\n"));
}

#[test]
fn classes_unite_intersect_and_negate() {
    finds(&[
        ("^[a-c[x-z]]+$", "abxz", true),
        ("[a-c[x-z]]", "m", false),
        ("^[a-z&&[def]]+$", "def", true),
        ("[a-z&&[def]]", "a", false),
        ("^[a-z&&[^bc]]$", "b", false),
        ("^[a-z&&[^bc]]$", "d", true),
        ("^[a-z&&d-f]$", "e", true),
        ("^[a-z&&d-f]$", "a", false),
        ("^[^a-c[x]]$", "x", false),
        ("^[a&b]$", "&", true),
        ("^[]a]$", "]", true),
        ("^[^]a]$", "b", true),
        ("^[a-]$", "-", true),
        ("^[-a]$", "-", true),
        (r"^[\w-]$", "-", true),
        (r"^[\]\\]$", "\\", true),
        (r"^[\Q^-]\E]+$", "^-]", true),
        ("^[a^]$", "^", true),
        (r"^[\p{L}&&[^\p{Lu}]]$", "é", true),
        ("^[a~~b]$", "~", true),
        ("^[[:alpha:]]$", "a", true),
        ("^[[:alpha:]]$", "z", false),
        ("(?x)^[a b]$", " ", false),
    ]);
}

#[test]
fn properties_are_java_s() {
    finds(&[
        (r"^\p{Alpha}$", "é", false),
        (r"^\p{Alpha}$", "e", true),
        (r"(?U)^\p{Alpha}$", "é", true),
        (r"^\p{Punct}+$", "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~", true),
        (r"\p{Punct}", "a0 ", false),
        (r"^\p{XDigit}$", "f", true),
        (r"^\p{Space}$", "\u{b}", true),
        (r"^\p{L}$", "é", true),
        (r"^\pL$", "é", true),
        (r"^\PL$", "1", true),
        (r"^\P{Lu}$", "a", true),
        (r"^\p{IsLatin}$", "é", true),
        (r"^\p{IsGreek}$", "é", false),
        (r"^\p{script=Greek}$", "α", true),
        (r"^\p{IsAlphabetic}$", "é", true),
        (r"^\p{IsL}$", "é", true),
        (r"^\p{gc=Nd}$", "٣", true),
        (r"^\p{ASCII}$", "é", false),
        (r"^[^\p{Digit}]$", "٣", true),
    ]);
}

#[test]
fn escapes_are_java_s() {
    finds(&[
        (r"^\t\n\r\f\a\e$", "\t\n\r\u{c}\u{7}\u{1b}", true),
        (r"^\x41\x{1F600}\u0042\uD83D\uDE00\0101\cA$", "A😀B😀A\u{1}", true),
        (r"^\07$", "\u{7}", true),
        (r"^\Qa.b*\E+$", "a.b**", true),
        (r"^\Qa.b", "a.b", true),
        (r"^\.\-\ \/\@\<$", ".- /@<", true),
        ("^a}]$", "a}]", true),
        ("^é{2}$", "éé", true),
        ("(?x) a b # comment\n c", "abc", true),
        (r"(?x)a\ b", "a b", true),
        ("(?<year>[0-9]{4})-x", "2024-x", true),
        ("a{2,}", "aa", true),
        ("^a{2,3}?$", "aaaa", false),
        ("a|", "b", true),
        ("()", "", true),
        ("a&&b", "a&&b", true),
    ]);
}

#[test]
fn h_81_what_cannot_be_had_is_refused_by_name_and_place() {
    for (pattern, position, named) in [
        ("a(?=b)c", 2, "look-ahead"),
        ("(?:a(?=b)|b)+", 5, "look-ahead"),
        ("(a(?=b))c", 3, "look-ahead"),
        ("a(?=(b))", 2, "look-ahead"),
        ("a(?!b)", 2, "look-ahead"),
        ("(?<=a)b", 1, "look-behind"),
        ("(?<!a)b", 1, "look-behind"),
        (r"(a)\1", 5, "back-references"),
        (r"(?<n>a)\k<n>", 9, "back-references"),
        ("a++", 2, "possessive"),
        ("a*+b", 2, "possessive"),
        ("a{2}+", 2, "possessive"),
        ("(?>a|b)c", 1, "atomic"),
        (r"\Ga", 2, "\\G"),
        (r"\X", 2, "grapheme"),
        (r"\N{DIGIT ONE}", 2, "by name"),
        (r"a\b{g}", 2, "\\b{"),
        ("(?m)^", 5, "behind it"),
        ("(?m)^$", 5, "behind it"),
        ("(?m)a|^ *", 7, "behind it"),
        ("(?m)a^b", 6, "before it"),
        ("(?m)a$\n", 6, "behind it"),
        ("a$b", 2, "behind it"),
        ("(?:a$|b)c", 5, "behind it"),
        (r"a\Zb", 2, "behind it"),
        (r"\p{InGreek}", 3, "InGreek"),
        (r"\p{javaLetter}", 3, "javaLetter"),
        (r"\p{Latin}", 3, "Latin"),
        (r"\p{IsKlingon}", 3, "Klingon"),
        (r"\y", 2, "\\y"),
        (r"\uD83D", 3, "surrogate"),
        ("a**", 3, "quantifier"),
        ("*a", 1, "repeat"),
        ("{a", 1, "{"),
        ("a{x}", 2, "count"),
        ("(a", 1, "("),
        ("a)", 2, ")"),
        ("[a", 1, "]"),
        ("[z-a]", 2, "larger"),
        ("[a--b]", 2, "larger"),
        (r"\08", 3, "octal"),
        (r"[a-\d]", 2, "range"),
        (r"[\b]", 2, "\\b"),
        ("(?P<n>a)", 1, "flags"),
        ("(?<a>x)(?<a>y)", 8, "'a'"),
        ("a\\", 2, "backslash"),
    ] {
        match JavaRegex::new(pattern, LIMIT_BYTES) {
            Err(PatternError::Syntax { position: found, message }) => {
                assert_eq!(found, position, "{pattern}: {message}");
                assert!(message.contains(named), "{pattern}: {message}");
            }
            other => panic!("{pattern}: {other:?}"),
        }
    }
}

#[test]
fn h_81_large_patterns_have_a_cap_and_deep_ones_a_limit() {
    for pattern in [".{1,100000}", r"\p{L}{1000}"] {
        let error = JavaRegex::new(pattern, 1 << 16).unwrap_err();
        assert!(matches!(error, PatternError::TooLarge { .. }), "{pattern}: {error}");
    }
    for pattern in ["(".repeat(60_000), "[".repeat(60_000), "(?:".repeat(20_000)] {
        assert!(JavaRegex::new(&pattern, LIMIT_BYTES).is_err());
    }
    assert!(compile("^(a+)+$").is_match(&"a".repeat(10_000)));
    assert!(!compile("^(a+)+$").is_match(&format!("{}b", "a".repeat(10_000))));
}

#[test]
fn matches_follow_each_other_as_in_java() {
    let all = |pattern: &str, text: &str| -> Vec<(usize, usize)> {
        compile(pattern).matches(text).map(|found| found.span()).collect()
    };
    assert_eq!(all("a*", "baac"), [(0, 0), (1, 3), (3, 3), (4, 4)]);
    assert_eq!(all("$", "a\n"), [(1, 1), (2, 2)]);
    assert_eq!(all("x*", "é"), [(0, 0), (2, 2)]);
    assert_eq!(compile(",").split("a,b,"), ["a", "b", ""]);
}

#[test]
fn what_is_looked_ahead_at_is_no_part_of_the_match() {
    for (pattern, text, expected) in [
        (r"/(\w+)(?=/|$)", "/path/to", Some("/path")),
        ("a(?=b)", "acab", Some("a")),
        ("a(?=b)", "ac", None),
        ("x(?=y)|xyz", "xyz", Some("x")),
        ("a+(?=a)", "aaa", Some("aa")),
        ("a+?(?=a)", "aaa", Some("a")),
        ("(?=b)", "ab", Some("")),
        ("(?i:q(?=U))", "Qu", Some("Q")),
        ("a(?=$)", "ba\n", Some("a")),
    ] {
        assert_eq!(first(pattern, text), expected, "{pattern:?} in {text:?}");
    }
    let regex = compile("(a)(?=a)");
    let found: Vec<(usize, usize)> = regex.matches("aaa").map(|found| found.span()).collect();
    assert_eq!(found, [(0, 1), (1, 2)]);
    assert_eq!(regex.find_at("aaa", 1).unwrap().group(1, "aaa"), Some("a"));
}
