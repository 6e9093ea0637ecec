//! The order in which the nodes of a graph run: dependencies first, and among those that could run now the one that
//! soonest shows something, exactly as the real server picks.

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::cache::link;

/// The nodes still to run.
#[derive(Debug)]
pub(crate) struct Order {
    pending: Vec<Pending>,
}

#[derive(Debug)]
struct Pending {
    id: String,
    is_output: bool,
    blocked_by: HashSet<String>,
    blocks: Vec<String>,
}

impl Order {
    /// Plans the way to `outputs`. Nodes in `cached` are not run on the way; outputs are visited even so.
    pub(crate) fn plan(
        graph: &Map<String, Value>,
        outputs: &[String],
        cached: &HashSet<String>,
        is_output: impl Fn(&str) -> bool,
    ) -> Self {
        let mut order = Self { pending: Vec::new() };
        for output in outputs {
            order.add(graph, output, cached, &is_output);
        }
        order
    }

    fn add(
        &mut self,
        graph: &Map<String, Value>,
        output: &str,
        cached: &HashSet<String>,
        is_output: &impl Fn(&str) -> bool,
    ) {
        let mut to_visit = vec![output.to_owned()];
        let mut links = Vec::new();
        while let Some(id) = to_visit.pop() {
            if self.position(&id).is_some() {
                continue;
            }
            let inputs = graph.get(&id).and_then(|node| node["inputs"].as_object());
            for (from, _) in inputs.into_iter().flat_map(Map::values).filter_map(link) {
                if !cached.contains(from) && graph.contains_key(from) {
                    to_visit.push(from.to_owned());
                    links.push((from.to_owned(), id.clone()));
                }
            }
            self.pending.push(Pending {
                is_output: is_output(&id),
                id,
                blocked_by: HashSet::new(),
                blocks: Vec::new(),
            });
        }
        for (from, to) in links {
            self.connect(&from, &to);
        }
    }

    fn connect(&mut self, from: &str, to: &str) {
        if let Some(at) = self.position(to) {
            self.pending[at].blocked_by.insert(from.to_owned());
        }
        if let Some(at) = self.position(from)
            && !self.pending[at].blocks.iter().any(|blocked| blocked == to)
        {
            self.pending[at].blocks.push(to.to_owned());
        }
    }

    /// The next node to run, or `None` when all are done.
    pub(crate) fn next(&mut self) -> Option<String> {
        let ready: Vec<&Pending> = self.pending.iter().filter(|node| node.blocked_by.is_empty()).collect();
        let pick = (0..3)
            .find_map(|steps| ready.iter().find(|node| self.reaches_output(node, steps)))
            .or(ready.first())?;
        let id = pick.id.clone();
        self.pending.retain(|node| node.id != id);
        for node in &mut self.pending {
            node.blocked_by.remove(&id);
        }
        Some(id)
    }

    /// Whether an output node is exactly `steps` links further on.
    fn reaches_output(&self, node: &Pending, steps: usize) -> bool {
        if steps == 0 {
            return node.is_output;
        }
        let onward = node.blocks.iter().filter_map(|id| self.position(id));
        onward.map(|at| &self.pending[at]).any(|next| self.reaches_output(next, steps - 1))
    }

    fn position(&self, id: &str) -> Option<usize> {
        self.pending.iter().position(|node| node.id == id)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use serde_json::{Map, Value, json};

    use super::Order;

    fn run(graph: &Value, outputs: &[&str], cached: &[&str]) -> Vec<String> {
        let graph: &Map<String, Value> = graph.as_object().unwrap();
        let outputs: Vec<String> = outputs.iter().map(|&id| id.to_owned()).collect();
        let cached: HashSet<String> = cached.iter().map(|&id| id.to_owned()).collect();
        let mut order = Order::plan(graph, &outputs, &cached, |id| outputs.iter().any(|output| output == id));
        std::iter::from_fn(|| order.next()).collect()
    }

    #[test]
    fn an_output_that_can_run_goes_before_a_node_that_leads_to_one() {
        let graph = json!({
            "1": {"inputs": {}}, "2": {"inputs": {"image": ["1", 0]}},
            "3": {"inputs": {"images": ["2", 0]}}, "4": {"inputs": {"images": ["1", 0]}},
        });
        assert_eq!(run(&graph, &["3", "4"], &[]), ["1", "4", "2", "3"]);
        assert_eq!(run(&graph, &["3", "4"], &["1"]), ["4", "2", "3"]);
    }

    #[test]
    fn the_default_workflow_runs_in_the_captured_order() {
        let graph = json!({
            "3": {"inputs": {"model": ["4", 0], "positive": ["6", 0], "negative": ["7", 0], "latent": ["5", 0]}},
            "4": {"inputs": {}}, "5": {"inputs": {}},
            "6": {"inputs": {"clip": ["4", 1]}}, "7": {"inputs": {"clip": ["4", 1]}},
            "8": {"inputs": {"samples": ["3", 0], "vae": ["4", 2]}}, "9": {"inputs": {"images": ["8", 0]}},
        });
        assert_eq!(run(&graph, &["9"], &[]), ["4", "5", "7", "6", "3", "8", "9"]);
    }
}
