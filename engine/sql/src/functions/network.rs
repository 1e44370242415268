//! Functions of addresses.

use super::table::{Function, Kind, Returns, call};

use Kind::{Any, Text};

pub(super) const FUNCTIONS: &[Function] = &[
    call("ipv4_match", &[Any, Text], Returns::Boolean, "ipv4_match"),
    call("ipv4_parse", &[Any], Returns::Long, "ipv4_parse"),
    call("ipv4_stringify", &[Any], Returns::Text, "ipv4_stringify"),
    call("ipv6_match", &[Text, Text], Returns::Boolean, "ipv6_match"),
];
