//! One node against one description of its class.

use serde_json::Value;
use serde_json::value::RawValue;

use super::links::target;
use super::reason::{self, Input};
use super::value::{Converted, convert, is_choice};
use crate::capabilities::{ObjectInfo, declared};
use crate::workflow::graph::{Graph, Node};

/// Classes of ComfyUI that look at their values themselves, in place of ComfyUI's look at ranges, lists and types.
const OWN_CHECKS: [&str; 13] = [
    "ComfySoftSwitchNode",
    "CustomCombo",
    "Load3D",
    "Load3DAdvanced",
    "LoadAudio",
    "LoadImage",
    "LoadImageMask",
    "LoadImageOutput",
    "LoadLatent",
    "LoadVideo",
    "SelectCLIPDevice",
    "SelectModelDevice",
    "SelectVAEDevice",
];

/// Everything that is wrong with a node by itself.
pub(super) fn reasons(graph: &Graph<'_>, node: &Node<'_>, info: &ObjectInfo) -> Vec<Value> {
    let Some(about) = info.classes.get(node.class()) else { return Vec::new() };
    // Inputs that come and go while a node is edited are not in its description.
    if declared(about).any(|(_, _, spec)| spec[0].as_str().is_some_and(|kind| kind.starts_with("COMFY_"))) {
        return Vec::new();
    }
    let strict = is_checked_by_comfyui(info, node.class());
    let reason = |(required, name, spec): (bool, &String, &Value)| {
        let input = Input { name, kind: spec.get(0)?, options: &spec[1] };
        match node.inputs.get(name) {
            None => required.then(|| reason::missing(name)),
            Some(text) if text.get().starts_with('[') => link(graph, info, &input, text, strict),
            Some(text) => literal(&input, text, strict && !info.takes_upload(node.class(), name)),
        }
    };
    declared(about).filter_map(reason).collect()
}

/// Whether a class comes with ComfyUI itself.
pub(crate) fn is_comfyuis_own(about: &Value) -> bool {
    about["python_module"]
        .as_str()
        .is_some_and(|module| module == "nodes" || module.starts_with("comfy_extras."))
}

/// Whether ComfyUI itself compares this class's values with its description. Other people's classes may bring checks
/// of their own, which no description tells.
fn is_checked_by_comfyui(info: &ObjectInfo, class: &str) -> bool {
    info.classes.get(class).is_some_and(is_comfyuis_own) && !OWN_CHECKS.contains(&class)
}

fn link(
    graph: &Graph<'_>,
    info: &ObjectInfo,
    input: &Input<'_>,
    text: &RawValue,
    strict: bool,
) -> Option<Value> {
    let value: Value = serde_json::from_str(text.get()).ok()?;
    if value.as_array()?.len() != 2 {
        return Some(reason::no_link(input, &value));
    }
    let (from, slot) = target(text)?;
    let Some(producer) = graph.nodes.get(&from) else {
        return Some(reason::dangling(input, &value, &from));
    };
    if !strict || !is_checked_by_comfyui(info, producer.class()) {
        return None;
    }
    let received = info.classes.get(producer.class())?["output"].get(slot)?.as_str()?;
    let wanted = input.kind.as_str()?;
    let one_fits = received
        .split(',')
        .map(str::trim)
        .any(|kind| kind == "*" || wanted.split(',').map(str::trim).any(|want| want == "*" || want == kind));
    let open = received.starts_with("COMFY_") || one_fits;
    (!open).then(|| reason::mismatch(input, wanted, received, &value))
}

fn literal(input: &Input<'_>, text: &RawValue, strict: bool) -> Option<Value> {
    let kind = input.kind.as_str().unwrap_or("COMBO");
    if !matches!(kind, "INT" | "FLOAT" | "COMBO") {
        // Python makes a text or a yes or no of anything, and the rest is the node's own affair.
        return None;
    }
    let mut value: Value = serde_json::from_str(text.get()).ok()?;
    if value.is_object() {
        // A list that is a value, and not a link, comes wrapped.
        value = value.get_mut("__value__")?.take();
    }
    let value = match convert(value, kind) {
        Converted::To(value) => value,
        Converted::Refused { value, why } => return Some(reason::wrong_type(input, kind, &value, &why)),
        Converted::Unclear => return None,
    };
    if !strict {
        return None;
    }
    if let Some(number) = value.as_f64() {
        let limit = |name: &str| input.options[name].as_f64();
        if limit("min").is_some_and(|min| number < min) {
            return Some(reason::out_of_range(input, &value, "min"));
        }
        if limit("max").is_some_and(|max| number > max) {
            return Some(reason::out_of_range(input, &value, "max"));
        }
    }
    let choices = input.kind.as_array().or_else(|| input.options["options"].as_array())?;
    // What is fetched by the browser, or chosen several at a time, or not there to choose from, is not judged.
    let open =
        choices.is_empty() || !input.options["remote"].is_null() || input.options["multiselect"] == true;
    let wrong = kind == "COMBO" && !open && !is_choice(&value, choices);
    wrong.then(|| reason::not_in_list(input, &value, choices))
}
