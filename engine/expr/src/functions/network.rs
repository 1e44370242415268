//! IPv4 addresses as text or as numbers, IPv6 addresses as text.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::{Function, LONG, STRING, plain};
use crate::error::{ExprError, Result};
use crate::value::ExprValue;

pub(super) const FUNCTIONS: &[Function] = &[
    plain("ipv4_parse", 1, 1, LONG, |a| {
        Ok(address(&a[0]).map(|ip| i64::from(u32::from(ip))).into())
    }),
    plain("ipv4_stringify", 1, 1, STRING, |a| Ok(address(&a[0]).map(|ip| ip.to_string()).into())),
    plain("ipv4_match", 2, 2, LONG, ipv4_match),
    plain("ipv6_match", 2, 2, LONG, ipv6_match),
];

fn address(value: &ExprValue) -> Option<Ipv4Addr> {
    match value {
        ExprValue::String(text) => text.parse().ok(),
        ExprValue::Long(number) => u32::try_from(*number).ok().map(Ipv4Addr::from),
        _ => None,
    }
}

fn ipv4_match(arguments: &[ExprValue]) -> Result<ExprValue> {
    let subnet = arguments[1].as_text().unwrap_or_default();
    let (base, length) = subnet.split_once('/').unwrap_or((&subnet, "32"));
    let parsed = base.parse::<Ipv4Addr>().ok().zip(length.parse::<u32>().ok());
    let Some((base, length)) = parsed.filter(|(_, length)| *length <= 32) else {
        let message = "the subnet must be written like 10.0.0.0/8";
        return Err(ExprError::argument("ipv4_match", message));
    };
    let mask = u32::MAX.checked_shl(32 - length).unwrap_or(0);
    let inside = |ip: Ipv4Addr| u32::from(ip) & mask == u32::from(base) & mask;
    Ok(address(&arguments[0]).is_some_and(inside).into())
}

fn ipv6_match(arguments: &[ExprValue]) -> Result<ExprValue> {
    let subnet = arguments[1].as_text().unwrap_or_default();
    let (base, length) = subnet.split_once('/').unwrap_or((&subnet, "128"));
    let parsed = base.parse::<Ipv6Addr>().ok().zip(length.parse::<u32>().ok());
    let Some((base, length)) = parsed.filter(|(_, length)| *length <= 128) else {
        let message = "the subnet must be written like 201:ef:168::/48";
        return Err(ExprError::argument("ipv6_match", message));
    };
    let mask = u128::MAX.checked_shl(128 - length).unwrap_or(0);
    let inside = |ip: Ipv6Addr| u128::from(ip) & mask == u128::from(base) & mask;
    let address = arguments[0].as_text().and_then(|text| text.parse().ok());
    Ok(address.is_some_and(inside).into())
}
