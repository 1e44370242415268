//! Seeds that nobody answered at are said once: a misspelt one otherwise looks like a cluster that is empty.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Weak;
use std::time::Duration;

use henge_platform::membership::GossipMembership;
use tokio::net::lookup_host;

/// Waits until others had time to answer, and says which seeds did not.
pub(super) async fn tell_silent(
    membership: Weak<GossipMembership>,
    seeds: Vec<String>,
    patience: Duration,
) {
    tokio::time::sleep(patience).await;
    let Some(living) = membership.upgrade() else { return };
    let heard = living.heard_nodes().into_iter().map(|node| node.gossip_address).collect();
    drop(living);
    let mut resolved = Vec::with_capacity(seeds.len());
    for seed in seeds {
        let addresses = lookup_host(seed.as_str()).await.map(Iterator::collect);
        resolved.push((seed, addresses.unwrap_or_default()));
    }
    let silent = silent(&resolved, &heard);
    if !silent.is_empty() {
        tracing::warn!(
            after_ms = u64::try_from(patience.as_millis()).unwrap_or(u64::MAX),
            "nobody of this cluster was heard at {} of cluster.seeds so far: {}; is something running there, \
             over the same metadata, and does UDP get through?",
            if silent.len() == resolved.len() { "any" } else { "some" },
            silent.join(", ")
        );
    }
}

/// Those at whose addresses nobody was heard.
fn silent(seeds: &[(String, Vec<SocketAddr>)], heard: &BTreeSet<SocketAddr>) -> Vec<String> {
    let is_silent = |(_, addresses): &&(String, Vec<SocketAddr>)| {
        !addresses.iter().any(|address| heard.contains(address))
    };
    let word = |(seed, addresses): &(String, Vec<SocketAddr>)| match addresses.is_empty() {
        true => format!("{seed} (no such host)"),
        false => seed.clone(),
    };
    seeds.iter().filter(is_silent).map(word).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_without_an_answer_are_told_from_those_with_one() {
        let address = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let seeds = [
            ("a:1".to_owned(), vec![address(1)]),
            ("b:2".to_owned(), vec![address(3), address(2)]),
            ("c:4".to_owned(), vec![address(4)]),
            ("nowhere:1".to_owned(), Vec::new()),
        ];
        let heard = [address(1), address(2)].into();
        assert_eq!(silent(&seeds, &heard), ["c:4", "nowhere:1 (no such host)"]);
        assert!(silent(&seeds[..2], &heard).is_empty());
    }
}
