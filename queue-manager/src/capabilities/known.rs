//! What all kinds of workers have together: what a graph is checked against and what a tab is shown.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use serde_json::Value;

use super::object_info::{ObjectInfo, USUAL_UPLOADS, asks_for_keys, choices_of, inputs_of, options_of};
use crate::workflow::graph::Node;
use crate::workflow::needs::is_model;
use crate::workflow::validation::{Findings, no_such_model, no_such_upload};
use crate::workflow::{Graph, Refusal};

/// What all workers seen so far have, together.
#[derive(Debug, Clone, Default)]
pub struct Known(pub(super) Vec<Arc<ObjectInfo>>);

impl Known {
    /// Refuses what no worker could ever run, as long as any worker was seen. Of a graph that can run in part, answers
    /// why the rest cannot: ComfyUI's `node_errors`. `targets` are the output nodes that were asked for; `None` for all.
    ///
    /// # Errors
    /// The refusal, in ComfyUI's words.
    pub fn check(
        &self,
        graph: &Graph<'_>,
        targets: Option<&HashSet<String>>,
    ) -> Result<serde_json::Map<String, Value>, Refusal> {
        if self.0.is_empty() {
            return graph.broken_link().map_or(Ok(serde_json::Map::new()), Err);
        }
        for (id, node) in &graph.nodes {
            if self.described(node.class()).next().is_none() {
                let (class, title) = (node.class().to_owned(), node.title());
                return Err(Refusal::UnknownClass { node: id.clone(), class, title });
            }
        }
        let outputs = self.outputs(graph, targets);
        if outputs.is_empty() {
            return Err(Refusal::NoOutputs);
        }
        let mut findings = Findings::of(graph, &self.0);
        let mut nowhere = false;
        for (id, _, input, model) in self.models_named(graph) {
            if !self.0.iter().any(|info| info.models.contains(&model)) {
                findings.put(id, no_such_model(input, &model));
                nowhere = true;
            }
        }
        let verdict = findings.verdict(graph, &self.0, &outputs, nowhere);
        // A model that nobody has keeps the whole job waiting, even where only one output needs it.
        if nowhere || !verdict.survives {
            return Err(Refusal::Invalid { node_errors: verdict.node_errors, details: verdict.details });
        }
        Ok(verdict.node_errors)
    }

    /// The refusal of a graph that names a file which is none of the participant's uploads.
    pub(crate) fn not_uploaded(&self, graph: &Graph<'_>, node: &str, input: &str, name: &str) -> Refusal {
        let mut findings = Findings::default();
        findings.put(node, no_such_upload(input, name));
        let verdict = findings.verdict(graph, &self.0, &self.outputs(graph, None), true);
        Refusal::Invalid { node_errors: verdict.node_errors, details: verdict.details }
    }

    fn outputs<'g>(&self, graph: &'g Graph<'_>, targets: Option<&HashSet<String>>) -> Vec<&'g str> {
        let asked = |id: &String| targets.is_none_or(|targets| targets.contains(id));
        let nodes = graph.nodes.iter().filter(|(id, node)| self.is_output(node.class()) && asked(id));
        nodes.map(|(id, _)| id.as_str()).collect()
    }

    /// Every model that a graph names: (node id, node, input, model). Where classes are known only inputs that choose
    /// from a list count, since a prompt may end in `.bin` as well.
    pub fn models_named<'a>(
        &'a self,
        graph: &'a Graph<'a>,
    ) -> impl Iterator<Item = (&'a str, &'a Node<'a>, &'a str, String)> {
        graph.texts().filter(|(_, node, input, text)| {
            let chosen = || {
                let input = (node.class().to_owned(), (*input).to_owned());
                self.0.iter().any(|info| info.choices.contains(&input))
            };
            is_model(text) && (self.0.is_empty() || chosen())
        })
    }

    /// Every input that chooses from a list: (class, input, choices).
    pub(crate) fn choices(&self) -> impl Iterator<Item = (&str, &str, impl Iterator<Item = &str>)> {
        let classes = self.0.iter().flat_map(|info| &info.classes);
        classes.flat_map(|(class, about)| {
            let listed = inputs_of(about).filter(|(_, spec)| choices_of(spec).is_some());
            listed.map(move |(input, spec)| (class.as_str(), input.as_str(), options_of(spec)))
        })
    }

    #[cfg(test)]
    pub(crate) fn from_json(kinds: &[&str]) -> Self {
        Self(kinds.iter().map(|json| Arc::new(ObjectInfo::read(json.as_bytes()).unwrap())).collect())
    }

    /// What each kind of worker that has a class says of it.
    fn described<'a>(&'a self, class: &'a str) -> impl Iterator<Item = &'a Value> {
        self.0.iter().filter_map(move |info| info.classes.get(class))
    }

    /// Whether a class is an output node.
    #[must_use]
    pub fn is_output(&self, class: &str) -> bool {
        self.described(class).any(|about| about["output_node"] == true)
    }

    /// Whether a node of this graph is given keys of paid nodes; as long as no worker was seen, any may be.
    pub(crate) fn asks_for_keys(&self, graph: &Graph<'_>) -> bool {
        self.0.is_empty() || graph.nodes.values().any(|node| self.described(node.class()).any(asks_for_keys))
    }

    /// Whether an input takes the name of an uploaded file.
    #[must_use]
    pub fn takes_upload(&self, class: &str, input: &str) -> bool {
        self.0.iter().any(|info| info.takes_upload(class, input))
            || (self.0.is_empty() && class.starts_with("Load") && USUAL_UPLOADS.contains(&input))
    }

    /// All classes of all workers; a participant's own uploads stand where a worker's input folder was listed.
    #[must_use]
    pub fn object_info(&self, own_inputs: &[String]) -> serde_json::Map<String, Value> {
        let mut all = BTreeMap::new();
        for info in &self.0 {
            for (class, about) in &info.classes {
                all.entry(class.clone()).or_insert_with(|| about.clone());
            }
            for (class, input) in &info.uploads {
                if let Some(about) = all.get_mut(class) {
                    put_own_inputs(about, input, own_inputs);
                }
            }
        }
        all.into_iter().collect()
    }
}

fn put_own_inputs(about: &mut Value, input: &str, own: &[String]) {
    for group in ["required", "optional"] {
        let spec =
            about.get_mut("input").and_then(|all| all.get_mut(group)).and_then(|all| all.get_mut(input));
        let Some(spec) = spec else { continue };
        if spec[0].is_array() {
            spec[0] = own.into();
        } else if spec[1]["options"].is_array() {
            spec[1]["options"] = own.into();
        }
    }
}
