//! The units of time that SQL names, as ISO 8601 periods.

/// `MONTH` as `P1M`; `None` for units that are no length of time.
pub(super) fn period(unit: &str) -> Option<&'static str> {
    let unit = unit.trim_start_matches("SQL_TSI_").trim_start_matches("FRAC_");
    Some(match unit {
        "SECOND" | "SECONDS" => "PT1S",
        "MINUTE" | "MINUTES" => "PT1M",
        "HOUR" | "HOURS" => "PT1H",
        "DAY" | "DAYS" => "P1D",
        "WEEK" | "WEEKS" => "P1W",
        "MONTH" | "MONTHS" => "P1M",
        "QUARTER" | "QUARTERS" => "P3M",
        "YEAR" | "YEARS" => "P1Y",
        "DECADE" => "P10Y",
        "CENTURY" => "P100Y",
        "MILLENNIUM" | "MILLENIUM" => "P1000Y",
        _ => return None,
    })
}

/// Seconds of a unit of days and less; `None` for others.
pub(super) fn seconds(unit: &str) -> Option<i64> {
    Some(match unit {
        "SECOND" | "SECONDS" => 1,
        "MINUTE" | "MINUTES" => 60,
        "HOUR" | "HOURS" => 3_600,
        "DAY" | "DAYS" => 86_400,
        "WEEK" | "WEEKS" => 604_800,
        _ => return None,
    })
}

/// Months of a unit of months and more; `None` for others.
pub(super) fn months(unit: &str) -> Option<i64> {
    Some(match unit {
        "MONTH" | "MONTHS" => 1,
        "QUARTER" | "QUARTERS" => 3,
        "YEAR" | "YEARS" => 12,
        _ => return None,
    })
}
