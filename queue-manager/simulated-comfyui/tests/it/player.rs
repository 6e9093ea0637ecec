//! Plays a capture's requests to a live simulation and records what happens, in the capture's own words.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use crate::live::{Live, Socket};
use crate::recording::{Body, Exchange, Frame, Recording};
use crate::requests::{rename, send};

/// Long enough that a job of hundreds of steps is still running when the next requests come.
const STEP: Duration = Duration::from_millis(10);

/// A running replay.
pub(crate) struct Player<'a> {
    lines: &'a [Value],
    live: Live,
    sockets: BTreeMap<String, Socket>,
    closed: BTreeMap<String, Vec<Frame>>,
    exchanges: Vec<Exchange>,
    /// What the capture calls a thing, and what the simulation calls it.
    names: Vec<(String, String)>,
    skip: fn(&Exchange) -> bool,
    statuses_race: bool,
}

/// Plays all lines. `skip` leaves requests out; `statuses_race` says that the capture's status frames depend on luck.
pub(crate) async fn play(lines: &[Value], skip: fn(&Exchange) -> bool, statuses_race: bool) -> Recording {
    let mut player = Player {
        lines,
        live: Live::start(STEP).await,
        sockets: BTreeMap::new(),
        closed: BTreeMap::new(),
        exchanges: Vec::new(),
        names: Vec::new(),
        skip,
        statuses_race,
    };
    player.warm_up().await;
    for at in 0..lines.len() {
        player.play_line(at).await;
    }
    player.finish().await
}

impl Player<'_> {
    /// Where the capture's first job found its loaders cached, an earlier job put them there.
    async fn warm_up(&self) {
        let first = self.lines.iter().find(|line| line["json"]["type"] == "execution_cached");
        let cached = first.and_then(|line| line["json"]["data"]["nodes"].as_array());
        if cached.is_none_or(Vec::is_empty) {
            return;
        }
        let posted = self.lines.iter().find(|line| line["request"]["path"] == "/prompt").unwrap();
        let mut graph = posted["request"]["json"]["prompt"].clone();
        graph["3"]["inputs"]["steps"] = 1.into();
        let socket = self.live.socket("warm-up").await;
        self.live.run(&socket, &graph).await;
    }

    async fn play_line(&mut self, at: usize) {
        let line = &self.lines[at];
        let client = line["client"].as_str().unwrap_or_default().to_owned();
        match line["kind"].as_str().unwrap() {
            "ws_open" => {
                self.catch_up(at).await;
                let socket = self.live.open(line["url"].as_str().unwrap()).await;
                self.sockets.insert(client, socket);
            }
            "ws_send" => self.sockets[&client].say(line["json"].clone()).await,
            "ws_closed" => {
                self.catch_up(at).await;
                let socket = self.sockets.remove(&client).unwrap();
                self.closed.insert(client, socket.frames());
            }
            "http" => {
                self.catch_up(at).await;
                self.request(at).await;
            }
            _ => {}
        }
    }

    /// Waits until every open socket has seen what its counterpart in the capture had seen before this line; before a
    /// request, what it had seen when the request left.
    async fn catch_up(&mut self, at: usize) {
        let sent = self.lines.get(at).and_then(|line| line["sent"].as_f64()).unwrap_or(f64::MAX);
        let is_before = |line: &&Value| line["t"].as_f64().is_some_and(|t| t < sent);
        for (name, socket) in &self.sockets {
            let before = self.lines[..at].iter().filter(is_before).filter(|line| line["client"] == *name);
            let frames: Vec<Frame> = before
                .filter(|line| line["kind"] == "ws_text")
                .map(|line| Frame::Text(line["json"].clone()))
                .collect();
            let race = self.statuses_race;
            let wanted = milestones(&frames, race);
            socket
                .wait(&format!("{wanted:?} on {name} before line {}", at + 1), |frames| {
                    let seen = milestones(frames, race);
                    seen.iter().zip(&wanted).all(|(seen, wanted)| seen >= wanted)
                })
                .await;
        }
        self.learn_file_names(at);
    }

    /// Pairs the files that both sides announced for the same node of the same job.
    fn learn_file_names(&mut self, at: usize) {
        for line in &self.lines[..at] {
            let data = &line["json"]["data"];
            if line["json"]["type"] != "executed" {
                continue;
            }
            let Some(socket) = self.sockets.get(line["client"].as_str().unwrap()) else {
                continue;
            };
            let id = self.live_name(data["prompt_id"].as_str().unwrap());
            let frames = socket.frames();
            let twin = frames.iter().find(|frame| {
                let other = frame.data();
                frame.kind() == "executed" && other["prompt_id"] == id && other["node"] == data["node"]
            });
            let twin = twin.map(|frame| frame.data()["output"]["images"].clone()).unwrap_or_default();
            let pairs = files(&data["output"]["images"]).into_iter().zip(files(&twin));
            for (captured, live) in pairs {
                self.learn(captured, live);
            }
        }
    }

    fn learn(&mut self, captured: String, live: String) {
        if !self.names.iter().any(|(known, _)| *known == captured) {
            self.names.push((captured, live));
        }
    }

    fn live_name(&self, captured: &str) -> String {
        let pair = self.names.iter().find(|(known, _)| known == captured);
        pair.map_or_else(|| captured.to_owned(), |(_, live)| live.clone())
    }

    async fn request(&mut self, at: usize) {
        let line = &self.lines[at];
        let seen = crate::recording::captured(&self.lines[at..=at]).exchanges.remove(0);
        if (self.skip)(&seen) {
            return;
        }
        self.wait_for_history(&seen).await;
        let renamed: Value =
            serde_json::from_str(&rename(&line["request"].to_string(), &self.names)).unwrap();
        let response = send(&self.live, &renamed).await;
        let status = response.status().as_u16();
        let headers: BTreeMap<String, String> = response
            .headers()
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
            .collect();
        let is_json = headers.get("content-type").is_some_and(|kind| kind.starts_with("application/json"));
        let bytes = response.bytes().await.unwrap().to_vec();
        let body =
            if is_json { Body::Json(serde_json::from_slice(&bytes).unwrap()) } else { Body::Bytes(bytes) };
        if let (Body::Json(captured), Body::Json(live)) = (&seen.body, &body)
            && let (Some(captured), Some(live)) = (captured["prompt_id"].as_str(), live["prompt_id"].as_str())
        {
            self.learn(captured.to_owned(), live.to_owned());
        }
        self.exchanges.push(Exchange { request: seen.request, status, headers, body });
    }

    /// Where the capture found a job in the history, the simulation must be done with it as well.
    async fn wait_for_history(&self, seen: &Exchange) {
        let Some(id) = seen.path().strip_prefix("/history/") else {
            return;
        };
        let entry = &seen.json()[id];
        let Some(client) = entry["prompt"][3]["client_id"].as_str() else {
            return;
        };
        let socket = self.sockets.values().find(|socket| socket.client == client);
        if let Some(socket) = socket {
            socket.wait_for_end(&self.live_name(id)).await;
        }
    }

    async fn finish(mut self) -> Recording {
        self.catch_up(self.lines.len()).await;
        let mut streams = self.closed;
        for (name, socket) in self.sockets {
            streams.insert(name, socket.frames());
        }
        let back: Vec<(String, String)> =
            self.names.into_iter().map(|(captured, live)| (live, captured)).collect();
        let reword =
            |json: &Value| -> Value { serde_json::from_str(&rename(&json.to_string(), &back)).unwrap() };
        for frame in streams.values_mut().flatten() {
            if let Frame::Text(json) = frame {
                *json = reword(json);
            }
        }
        for exchange in &mut self.exchanges {
            if let Body::Json(json) = &mut exchange.body {
                *json = reword(json);
            }
            for header in exchange.headers.values_mut() {
                *header = rename(header, &back);
            }
        }
        Recording { exchanges: self.exchanges, streams }
    }
}

/// Greetings, starts, whether the newest job has come to its steps, ends, and status frames.
fn milestones(frames: &[Frame], statuses_race: bool) -> [usize; 5] {
    let count = |test: &dyn Fn(&Frame) -> bool| frames.iter().filter(|frame| test(frame)).count();
    let stepping = frames
        .iter()
        .rev()
        .take_while(|frame| frame.kind() != "execution_start")
        .any(|frame| frame.kind() == "progress");
    let statuses = count(&|frame| frame.kind() == "status");
    [
        count(&|frame| frame.kind() == "feature_flags"),
        count(&|frame| frame.kind() == "execution_start"),
        usize::from(stepping),
        count(&Frame::ends_a_job),
        if statuses_race { statuses.min(1) } else { statuses },
    ]
}

fn files(images: &Value) -> Vec<String> {
    let images = images.as_array().map(Vec::as_slice).unwrap_or_default();
    images.iter().map(|image| image["filename"].as_str().unwrap().to_owned()).collect()
}
