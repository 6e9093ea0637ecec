//! How the nodes of a graph hang together.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::value::RawValue;

use crate::capabilities::{ObjectInfo, inputs_of};
use crate::workflow::graph::Graph;

/// A link's text, `["node", slot]`; `None` for any other value.
pub(super) fn target(value: &RawValue) -> Option<(String, usize)> {
    value.get().starts_with('[').then(|| serde_json::from_str(value.get()).ok())?
}

/// Who takes what from whom, by node id.
pub(super) struct Links<'g> {
    upstream: BTreeMap<&'g str, Vec<&'g str>>,
    downstream: BTreeMap<&'g str, Vec<&'g str>>,
}

impl<'g> Links<'g> {
    /// The links that ComfyUI follows: those of declared inputs. An input that a node makes while it is edited is
    /// named after a declared one, with a dot.
    pub(super) fn of(graph: &'g Graph<'_>, kinds: &[Arc<ObjectInfo>]) -> Self {
        let mut links = Self { upstream: BTreeMap::new(), downstream: BTreeMap::new() };
        for (id, node) in &graph.nodes {
            let about = || kinds.iter().filter_map(|info| info.classes.get(node.class()));
            for (input, value) in &node.inputs {
                let Some((from, _)) = target(value) else { continue };
                let Some((from, _)) = graph.nodes.get_key_value(&from) else { continue };
                let declared = input.split('.').next().unwrap_or(input);
                if about().any(|about| inputs_of(about).any(|(name, _)| name == input || name == declared)) {
                    links.upstream.entry(id).or_default().push(from);
                    links.downstream.entry(from).or_default().push(id);
                }
            }
        }
        links
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.upstream.values().map(Vec::len).sum()
    }

    /// These nodes and everything that takes from them.
    pub(super) fn downstream<'a>(&'a self, from: &[&'a str]) -> BTreeSet<&'a str> {
        let mut reached: BTreeSet<&str> = from.iter().copied().collect();
        let mut next = from.to_vec();
        while let Some(id) = next.pop() {
            let more = self.downstream.get(id).into_iter().flatten();
            next.extend(more.filter(|id| reached.insert(id)));
        }
        reached
    }

    /// The first circle that an output node depends on, in the order in which ComfyUI walks it.
    pub(super) fn cycle(&self, outputs: &[&'g str]) -> Option<Vec<&'g str>> {
        let mut seen = BTreeSet::new();
        for output in outputs {
            if !seen.insert(*output) {
                continue;
            }
            // The way down from the output, with how many links of each node were followed.
            let mut path: Vec<(&str, usize)> = vec![(output, 0)];
            while let Some((id, followed)) = path.last_mut() {
                let Some(next) = self.upstream.get(*id).and_then(|from| from.get(*followed)).copied() else {
                    path.pop();
                    continue;
                };
                *followed += 1;
                if seen.insert(next) {
                    path.push((next, 0));
                } else if let Some(start) = path.iter().position(|(id, _)| *id == next) {
                    return Some(path[start..].iter().map(|(id, _)| *id).collect());
                }
            }
        }
        None
    }
}
