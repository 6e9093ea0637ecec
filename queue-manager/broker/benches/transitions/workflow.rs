//! Bodies as ComfyUI's frontend posts them: the graph, and the drawing of it for the picture's metadata. No two are
//! alike, and they compress as real ones do.

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use serde_json::{Map, Value, json};

/// How much of a body is prose, which compresses worse than nodes do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// Prompts and titles: 3.9:1 at 10 KB, 5:1 at 60 KB.
    Plain,
    /// With notes and links beside the nodes, as the templates that come with ComfyUI have: 3.4:1 at 10 KB.
    Annotated,
}

const WORDS: &str = "a an the of in on with at by under over from into soft hard warm cold light dark golden silver blue \
    green red violet misty foggy rainy sunny stormy quiet busy narrow wide ancient modern broken polished wooden glass \
    stone paper street harbour mountain valley river forest desert island city village market station library kitchen \
    workshop garden bridge tower window door lamp mirror chair table boat train bicycle car kite balloon umbrella cat dog \
    fox owl whale horse heron child woman man sailor painter baker pilot gardener dancer astronaut portrait landscape \
    close-up wide-angle macro aerial photograph painting watercolour etching render sketch poster cinematic volumetric \
    detailed intricate minimal grainy sharp blurred symmetrical backlit dusk dawn noon midnight autumn winter spring \
    summer 35mm 85mm bokeh haze reflection shadow texture pattern silhouette masterpiece best quality 8k artstation";
const MODELS: [&str; 6] = [
    "sd_xl_base_1.0.safetensors",
    "flux1-dev-fp8.safetensors",
    "v1-5-pruned-emaonly-fp16.safetensors",
    "dreamshaperXL_v21TurboDPMSDE.safetensors",
    "juggernautXL_v9Rdphoto2.safetensors",
    "qwen_image_fp8_e4m3fn.safetensors",
];
const SAMPLERS: [&str; 5] = ["euler", "dpmpp_2m", "dpmpp_2m_sde", "ddim", "uni_pc"];
const SCHEDULERS: [&str; 4] = ["normal", "karras", "simple", "beta"];

/// A body of about so many bytes, another one for each `seed`.
pub fn body(style: Style, bytes: usize, seed: u64) -> Vec<u8> {
    let random = StdRng::seed_from_u64(seed);
    let mut drawing = Drawing { random, graph: Map::new(), nodes: Vec::new(), links: Vec::new() };
    let mut whole = Vec::new();
    while whole.len() < bytes {
        if bytes - whole.len() > SCENE {
            drawing.scene(style);
        } else {
            drawing.spare_prompt();
        }
        whole = drawing.body();
    }
    whole
}

/// About what [`Drawing::scene`] adds, in bytes.
const SCENE: usize = 5_000;

struct Drawing {
    random: StdRng,
    graph: Map<String, Value>,
    nodes: Vec<Value>,
    links: Vec<Value>,
}

impl Drawing {
    fn text(&mut self, words: std::ops::Range<usize>) -> String {
        let all: Vec<_> = WORDS.split_whitespace().collect();
        let count = self.random.random_range(words);
        (0..count).filter_map(|_| all.choose(&mut self.random).copied()).collect::<Vec<_>>().join(" ")
    }

    fn one_of(&mut self, choices: &[&'static str]) -> &'static str {
        choices.choose(&mut self.random).copied().unwrap_or_default()
    }

    /// A model, two prompts, a sampler, a picture: nine nodes.
    fn scene(&mut self, style: Style) {
        let model = self.one_of(&MODELS);
        let loader = self.node("CheckpointLoaderSimple", &[], &[("ckpt_name", json!(model))]);
        let strength = f64::from(self.random.random_range(20..=110)) / 100.0;
        let lora =
            format!("{}_{}.safetensors", self.text(1..3).replace(' ', "_"), self.random.random_range(1..40));
        let lora = self.node(
            "LoraLoader",
            &[("model", loader, 0), ("clip", loader, 1)],
            &[
                ("lora_name", json!(lora)),
                ("strength_model", json!(strength)),
                ("strength_clip", json!(strength)),
            ],
        );
        let (wanted, unwanted) = (self.text(12..40), self.text(4..16));
        let wanted = self.node("CLIPTextEncode", &[("clip", lora, 1)], &[("text", json!(wanted))]);
        let unwanted = self.node("CLIPTextEncode", &[("clip", lora, 1)], &[("text", json!(unwanted))]);
        let side = self.random.random_range(8..25) * 64;
        let latent = self.node(
            "EmptyLatentImage",
            &[],
            &[("width", json!(side)), ("height", json!(1024)), ("batch_size", json!(1))],
        );
        let sampled = self.sampler(lora, wanted, unwanted, latent);
        let decoded = self.node("VAEDecode", &[("samples", sampled, 0), ("vae", loader, 2)], &[]);
        let prefix = self.text(1..4);
        self.node("SaveImage", &[("images", decoded, 0)], &[("filename_prefix", json!(prefix))]);
        if style == Style::Annotated {
            self.note();
        }
    }

    /// One that is connected to nothing, as they lie about in real graphs.
    fn spare_prompt(&mut self) {
        let text = self.text(12..40);
        self.node("CLIPTextEncode", &[("clip", 1, 1)], &[("text", json!(text))]);
    }

    fn sampler(&mut self, model: usize, wanted: usize, unwanted: usize, latent: usize) -> usize {
        let seed: u64 = self.random.random_range(0..1 << 50);
        let widgets = [
            ("seed", json!(seed)),
            ("steps", json!(self.random.random_range(4..50))),
            ("cfg", json!(f64::from(self.random.random_range(10..120)) / 10.0)),
            ("sampler_name", json!(self.one_of(&SAMPLERS))),
            ("scheduler", json!(self.one_of(&SCHEDULERS))),
            ("denoise", json!(1)),
        ];
        let links = [
            ("model", model, 0),
            ("positive", wanted, 0),
            ("negative", unwanted, 0),
            ("latent_image", latent, 0),
        ];
        self.node("KSampler", &links, &widgets)
    }

    /// What stands beside the nodes; ComfyUI never runs it.
    fn note(&mut self) {
        let (words, address) = (self.text(120..160), self.random.random::<u64>());
        let text = format!(
            "## {}\n\n{words}\n\n- [{}](https://example.com/{address:x}/resolve/main)",
            self.text(2..5),
            self.text(2..4)
        );
        let (id, at) = (self.nodes.len() + 1, self.place());
        self.nodes.push(json!({"id": id, "type": "MarkdownNote", "pos": at, "size": [440, 850], "flags": {}, "order": id,
            "mode": 0, "inputs": [], "outputs": [], "properties": {}, "widgets_values": [text], "color": "#432"}));
    }

    fn place(&mut self) -> [f64; 2] {
        [(); 2].map(|()| f64::from(self.random.random_range(-40_000..120_000)) / 16.0)
    }

    /// Adds a node to the graph and to its drawing, and answers its id.
    fn node(&mut self, class: &str, from: &[(&str, usize, usize)], widgets: &[(&str, Value)]) -> usize {
        let id = self.nodes.len() + 1;
        let mut inputs: Map<String, Value> =
            widgets.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        let mut sockets = Vec::new();
        for (name, node, slot) in from {
            inputs.insert((*name).to_owned(), json!([node.to_string(), slot]));
            let link = self.links.len() + 1;
            self.links.push(json!([link, node, slot, id, sockets.len(), name.to_uppercase()]));
            sockets.push(
                json!({"localized_name": name, "name": name, "type": name.to_uppercase(), "link": link}),
            );
        }
        for (name, _) in widgets {
            sockets.push(json!({"localized_name": name, "name": name, "type": "COMBO", "widget": {"name": name}, "link": null}));
        }
        self.graph.insert(
            id.to_string(),
            json!({"inputs": inputs, "class_type": class, "_meta": {"title": class}}),
        );
        let (pos, wide, high) =
            (self.place(), self.random.random_range(200..500), self.random.random_range(46..300));
        let values: Vec<_> = widgets.iter().map(|(_, value)| value).collect();
        self.nodes.push(json!({"id": id, "type": class, "pos": pos, "size": [wide, high], "flags": {}, "order": id,
            "mode": 0, "inputs": sockets, "outputs": [{"name": "OUT", "type": "OUT", "slot_index": 0, "links": [id]}],
            "properties": {"cnr_id": "comfy-core", "ver": "0.3.76", "Node name for S&R": class}, "widgets_values": values}));
        id
    }

    fn body(&mut self) -> Vec<u8> {
        let id = format!("{:032x}", self.random.random::<u128>());
        let drawing = json!({"id": id, "revision": 0, "last_node_id": self.nodes.len(), "last_link_id": self.links.len(),
            "nodes": self.nodes, "links": self.links, "groups": [], "config": {}, "version": 0.4});
        let body = json!({"client_id": id, "prompt": self.graph, "extra_data": {"extra_pnginfo": {"workflow": drawing}}});
        body.to_string().into_bytes()
    }
}
