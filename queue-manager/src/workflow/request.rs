//! The body of `POST /prompt`, as an unmodified frontend sends it.

use std::collections::{BTreeMap, HashSet};

use bytes::Bytes;
use memchr::memmem;
use queue_broker::transitions::submit::Order;
use queue_protocol::{ClientId, JobId};
use serde::Deserialize;
use serde_json::Number;
use serde_json::value::{RawValue, to_raw_value};

use super::depth;
use super::graph::Graph;
use super::refusal::Refusal;
use crate::problem::Trouble;

/// Keys of paid nodes: never stored, logged or shown.
const SECRETS: [&str; 2] = ["auth_token_comfy_org", "api_key_comfy_org"];

/// What the queue needs to know of a request. Unknown fields pass: they belong to ComfyUI.
#[derive(Debug)]
pub struct PromptRequest<'a> {
    /// The id it asked for, or a new one.
    pub id: JobId,
    /// The tab.
    pub client: Option<ClientId>,
    /// Before the participant's other jobs.
    pub front: bool,
    /// ComfyUI's number, by which the participant's own jobs are ordered; it goes before `front`.
    pub number: Option<Number>,
    /// The workflow's own id.
    pub workflow: Option<String>,
    /// The output nodes to run; `None` for all.
    pub targets: Option<HashSet<String>>,
    /// The graph.
    pub graph: Graph<'a>,
}

/// An object whose values stay the text that they are: a tree of a large body would take a multiple of its bytes.
type Parts = BTreeMap<String, Box<RawValue>>;

#[derive(Deserialize)]
struct Fields<'a> {
    #[serde(borrow)]
    prompt: Option<&'a RawValue>,
    client_id: Option<String>,
    #[serde(borrow)]
    prompt_id: Option<&'a RawValue>,
    front: Option<bool>,
    #[serde(borrow)]
    number: Option<&'a RawValue>,
    #[serde(borrow)]
    partial_execution_targets: Option<&'a RawValue>,
    #[serde(borrow)]
    extra_data: Option<&'a RawValue>,
}

#[derive(Deserialize, Default)]
struct ExtraData {
    extra_pnginfo: Option<PngInfo>,
}

#[derive(Deserialize)]
struct PngInfo {
    workflow: Option<UiWorkflow>,
}

#[derive(Deserialize)]
struct UiWorkflow {
    id: Option<String>,
}

impl<'a> PromptRequest<'a> {
    /// Reads a body that was checked by [`checked`].
    ///
    /// # Errors
    /// [`Trouble::BadRequest`] when it is no JSON object, [`Trouble::Workflow`] when it is no workflow.
    pub fn read(body: &'a [u8]) -> Result<Self, Trouble> {
        let fields: Fields<'a> = serde_json::from_slice(body).map_err(|error| {
            if error.is_data() { Trouble::Workflow(Refusal::NoPrompt) } else { error.into() }
        })?;
        let prompt = fields.prompt.ok_or(Trouble::Workflow(Refusal::NoPrompt))?;
        let id = match fields.prompt_id.map(RawValue::get) {
            None | Some("null") => JobId::random(),
            Some(text) => serde_json::from_str(text).map_err(|_| Trouble::Workflow(Refusal::InvalidId))?,
        };
        let workflow = match fields.extra_data.map(RawValue::get) {
            None | Some("null") => None,
            Some(text) if text.starts_with('{') => {
                let extra: ExtraData = serde_json::from_str(text).unwrap_or_default();
                extra.extra_pnginfo.and_then(|info| info.workflow).and_then(|workflow| workflow.id)
            }
            Some(_) => return Err(Trouble::BadRequest("extra_data must be an object.".to_owned())),
        };
        Ok(Self {
            id,
            client: fields.client_id.and_then(|text| text.parse().ok()),
            front: fields.front.unwrap_or_default(),
            number: number(fields.number)?,
            workflow,
            // Whatever else ComfyUI makes of it, it is no list of nodes to check by.
            targets: fields.partial_execution_targets.and_then(|text| serde_json::from_str(text.get()).ok()),
            graph: Graph::read(prompt).map_err(Trouble::Workflow)?,
        })
    }
}

fn number(sent: Option<&RawValue>) -> Result<Option<Number>, Trouble> {
    let refused = |_| Trouble::BadRequest("number must be a number.".to_owned());
    sent.map_or(Ok(None), |text| serde_json::from_str(text.get()).map_err(refused))
}

impl PromptRequest<'_> {
    /// Where it is to stand among the participant's own waiting jobs.
    #[must_use]
    pub fn order(&self) -> Order {
        match self.number.as_ref().and_then(Number::as_f64) {
            Some(number) => Order::Number(number),
            None if self.front => Order::Front,
            None => Order::Last,
        }
    }
}

/// A body within the limits and without the keys of paid nodes, the bytes that came where there are none; and those keys,
/// as the JSON object they would stand in.
///
/// # Errors
/// [`Refusal::TooDeep`], or [`Trouble::BadRequest`] for what is no JSON.
pub fn checked(body: &Bytes) -> Result<(Bytes, Option<Vec<u8>>), Trouble> {
    depth::check(body)?;
    if !SECRETS.iter().any(|key| memmem::find(body, key.as_bytes()).is_some()) {
        return Ok((body.clone(), None));
    }
    let mut request: Parts = serde_json::from_slice(body)?;
    let mut keys = BTreeMap::new();
    if let Some(extra) = request.get_mut("extra_data")
        && let Ok(mut rest) = serde_json::from_str::<Parts>(extra.get())
    {
        for key in SECRETS {
            // What is no text is none.
            if let Some(Ok(secret)) =
                rest.remove(key).map(|value| serde_json::from_str::<String>(value.get()))
            {
                keys.insert(key, secret);
            }
        }
        *extra = to_raw_value(&rest)?;
    }
    let keys = if keys.is_empty() { None } else { Some(serde_json::to_vec(&keys)?) };
    Ok((serde_json::to_vec(&request)?.into(), keys))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bytes_that_came_are_the_bytes_that_are_kept() {
        let body = Bytes::from_static(br#"{"prompt" : {"1": {"class_type":"A"}},   "x":1.50}"#);
        assert_eq!(checked(&body).unwrap(), (body, None));
    }

    #[test]
    fn keys_of_paid_nodes_are_cut_out() {
        let body = br#"{"prompt":{},"extra_data":{"auth_token_comfy_org":"canary","keep":1}}"#;
        let (kept, keys) = checked(&Bytes::from_static(body)).unwrap();
        assert_eq!(keys.unwrap(), br#"{"auth_token_comfy_org":"canary"}"#);
        let kept = String::from_utf8(kept.to_vec()).unwrap();
        assert!(!kept.contains("canary"));
        assert!(kept.contains(r#""keep":1"#));
    }

    #[test]
    fn each_wrong_body_has_its_own_answer() {
        let code = |body: &str| match PromptRequest::read(body.as_bytes()) {
            Err(trouble) => trouble.status_and_code().1,
            Ok(_) => "accepted",
        };
        assert_eq!(code("not json"), "bad_request");
        assert_eq!(code("[1]"), "no_prompt");
        assert_eq!(code("{}"), "no_prompt");
        assert_eq!(code(r#"{"prompt":{}}"#), "prompt_no_outputs");
        assert_eq!(code(r#"{"prompt":{"nodes":[],"links":[]}}"#), "workflow_format_ui");
        assert_eq!(code(r#"{"prompt":{"1":{"inputs":{}}}}"#), "missing_node_type");
        assert_eq!(code(r#"{"prompt":{"1":{"class_type":"A"}},"prompt_id":"X"}"#), "invalid_prompt_id");
        assert_eq!(code(r#"{"prompt":{"1":{"class_type":"A"}},"extra_data":"x"}"#), "bad_request");
        assert_eq!(code(r#"{"prompt":{"1":{"class_type":"A"}},"number":"first"}"#), "bad_request");
        assert_eq!(code(r#"{"prompt":{"1":{"class_type":"A"}},"number":null}"#), "accepted");
        assert_eq!(code(r#"{"prompt":{"1":{"class_type":"A"}},"extra_data":null,"front":null}"#), "accepted");
        let link =
            |to: &str| format!(r#"{{"prompt":{{"1":{{"class_type":"A","inputs":{{"a":["{to}",0]}}}}}}}}"#);
        let graph = |body: &str| PromptRequest::read(body.as_bytes()).unwrap().graph.broken_link();
        assert_eq!(graph(&link("2")).unwrap().code(), "prompt_outputs_failed_validation");
        assert_eq!(graph(&link("1")), None);
    }
}
