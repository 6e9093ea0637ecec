//! Sends the requests of a recording to a seat, with the seat's own ids and file names in them, and notes what came.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use futures_util::{SinkExt as _, StreamExt as _};
use queue_protocol::JobId;
use reqwest::multipart::{Form, Part};
use reqwest::{Url, header};
use serde_json::Value;
use testkit::tab::{basic, connect};
use testkit::{Person, Workshop, waiting};
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::Message;
use tokio_util::task::TaskTracker;

use super::Spelling;
use super::capture::{self, Exchange, Frame, Seen};

const PATIENCE: Duration = Duration::from_secs(30);

/// (file name, subfolder, type)
type File = [String; 3];

/// A running replay.
pub(super) struct Player<'a> {
    lines: &'a [Value],
    workshop: &'a Workshop,
    person: Person,
    spelling: Spelling,
    sockets: BTreeMap<String, Socket>,
    closed: BTreeMap<String, Vec<Frame>>,
    exchanges: Vec<Exchange>,
    /// What the recording calls a job, and what the seat calls it.
    jobs: Vec<(String, String)>,
    files: Vec<(File, File)>,
    tasks: TaskTracker,
}

struct Socket {
    say: mpsc::Sender<Message>,
    heard: Arc<Mutex<Vec<Frame>>>,
}

impl Socket {
    fn frames(&self) -> Vec<Frame> {
        self.heard.lock().unwrap().clone()
    }
}

/// Plays all lines to one participant's seat.
pub(super) async fn play(workshop: &Workshop, name: &str, spelling: Spelling, lines: &[Value]) -> Seen {
    // Ids that the recording's client chose must be new ones, as they are the same job otherwise.
    let prompts = lines.iter().filter(|line| line["request"]["path"] == "/prompt");
    let chosen: BTreeSet<_> =
        prompts.filter_map(|line| line["request"]["json"]["prompt_id"].as_str()).collect();
    let canonical = chosen.into_iter().filter(|id| id.parse::<JobId>().is_ok());
    let mut player = Player {
        lines,
        workshop,
        person: workshop.person(name).unwrap(),
        spelling,
        sockets: BTreeMap::new(),
        closed: BTreeMap::new(),
        exchanges: Vec::new(),
        jobs: canonical.map(|id| (id.to_owned(), JobId::random().to_string())).collect(),
        files: Vec::new(),
        tasks: TaskTracker::new(),
    };
    player.warm_up().await;
    for at in 0..lines.len() {
        player.play_line(at).await;
    }
    player.finish().await
}

impl Player<'_> {
    /// Where the recording's first job found its loaders cached, an earlier job put them there.
    async fn warm_up(&self) {
        let first = self.lines.iter().find(|line| line["json"]["type"] == "execution_cached");
        if first.is_none_or(|line| line["json"]["data"]["nodes"].as_array().is_none_or(Vec::is_empty)) {
            return;
        }
        let posted = self.lines.iter().find(|line| line["request"]["path"] == "/prompt").unwrap();
        let mut graph = posted["request"]["json"]["prompt"].clone();
        graph["3"]["inputs"]["steps"] = 1.into();
        let id = self.person.submit(&graph).await.unwrap();
        self.person.wait_for(&id, "completed").await.unwrap();
    }

    async fn play_line(&mut self, at: usize) {
        let line = &self.lines[at];
        let client = line["client"].as_str().unwrap_or_default().to_owned();
        match line["kind"].as_str().unwrap() {
            "ws_open" => {
                self.catch_up(at).await;
                let socket = self.open(line["url"].as_str().unwrap()).await;
                self.sockets.insert(client, socket);
            }
            "ws_send" => {
                let message = Message::text(line["json"].to_string());
                self.sockets[&client].say.send(message).await.unwrap();
            }
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

    /// The address of a recorded path in this seat, in this spelling.
    fn address(&self, recorded: &str) -> String {
        let bare = match recorded.strip_prefix("/api/") {
            Some(rest) if !rest.starts_with("jobs") => format!("/{rest}"),
            _ => recorded.to_owned(),
        };
        let only_bare = bare.starts_with("/internal/") || bare.starts_with("/api/");
        let api = if self.spelling == Spelling::Api && !only_bare { "/api" } else { "" };
        format!("/{}{api}{bare}", self.person.name)
    }

    async fn open(&self, url: &str) -> Socket {
        let password = self.workshop.password(&self.person.name).unwrap();
        let address = format!("{}{}", self.workshop.direct, self.address(url));
        let socket = connect(&address, &basic(&self.person.name, password).unwrap()).await.unwrap();
        let (mut sink, mut source) = socket.split();
        let (say, mut to_say) = mpsc::channel::<Message>(8);
        let heard = Arc::<Mutex<Vec<Frame>>>::default();
        let frames = Arc::clone(&heard);
        self.tasks.spawn(async move {
            loop {
                tokio::select! {
                    message = to_say.recv() => match message {
                        Some(message) => sink.send(message).await.unwrap_or_default(),
                        None => break,
                    },
                    message = source.next() => match message {
                        Some(Ok(Message::Text(text))) => {
                            frames.lock().unwrap().push(Frame::Text(serde_json::from_str(&text).unwrap()));
                        }
                        Some(Ok(Message::Binary(bytes))) => {
                            let event = u32::from_be_bytes(bytes[..4].try_into().unwrap());
                            frames.lock().unwrap().push(Frame::Binary(event));
                        }
                        Some(Ok(_)) => {}
                        Some(Err(_)) | None => break,
                    },
                }
            }
        });
        Socket { say, heard }
    }

    /// Waits until every open socket has seen what its counterpart had seen before this line; before a request, what it
    /// had seen when the request left.
    async fn catch_up(&mut self, at: usize) {
        let sent = self.lines.get(at).and_then(|line| line["sent"].as_f64()).unwrap_or(f64::MAX);
        for (name, socket) in &self.sockets {
            let before = self.lines[..at].iter().filter(|line| line["t"].as_f64().is_some_and(|t| t < sent));
            let theirs: Vec<_> = before
                .filter(|line| line["client"] == *name && line["kind"] == "ws_text")
                .map(|line| Frame::Text(line["json"].clone()))
                .collect();
            let wanted = milestones(&theirs);
            let what = format!("{wanted:?} on {name} before line {}", at + 1);
            waiting::until(&what, PATIENCE, async || {
                let ours = milestones(&socket.frames());
                Ok(ours.iter().zip(&wanted).all(|(ours, wanted)| ours >= wanted).then_some(()))
            })
            .await
            .unwrap_or_else(|error| panic!("{error}\nheard {:?}", super::compare::stories(&socket.frames())));
        }
        self.learn_file_names(at);
    }

    /// Pairs the files that both sides announced for the same node of the same job.
    fn learn_file_names(&mut self, at: usize) {
        for line in self.lines[..at].iter().filter(|line| line["json"]["type"] == "executed") {
            let data = &line["json"]["data"];
            let Some(socket) = self.sockets.get(line["client"].as_str().unwrap()) else { continue };
            let id = self.renamed(data["prompt_id"].as_str().unwrap());
            let frames = socket.frames();
            let twin = frames.iter().find_map(|frame| match frame {
                Frame::Text(json) if json["type"] == "executed" => {
                    let other = &json["data"];
                    (other["prompt_id"] == id && other["node"] == data["node"]).then_some(&other["output"])
                }
                _ => None,
            });
            let pairs = files(&data["output"]).into_iter().zip(twin.map(files).unwrap_or_default());
            for (recorded, live) in pairs {
                // A cached job told an old name again; the seat gives each job its own file.
                self.files.retain(|(known, _)| *known != recorded);
                self.files.push((recorded, live));
            }
        }
    }

    fn renamed(&self, text: &str) -> String {
        self.jobs.iter().fold(text.to_owned(), |text, (recorded, live)| text.replace(recorded, live))
    }

    /// The path of a request with the seat's names in it.
    fn path(&self, recorded: &str) -> String {
        let path = self.renamed(recorded);
        let Some((route, query)) = path.split_once('?').filter(|(route, _)| route.ends_with("/view")) else {
            return path;
        };
        let url = Url::parse(&format!("http://seat/?{query}")).unwrap();
        let asked =
            |name: &str| url.query_pairs().find(|(known, _)| known == name).map(|(_, v)| v.into_owned());
        let file = [
            asked("filename").unwrap_or_default(),
            asked("subfolder").unwrap_or_default(),
            asked("type").unwrap_or("output".to_owned()),
        ];
        let Some((_, live)) = self.files.iter().find(|(recorded, _)| *recorded == file) else { return path };
        let mut live: Vec<_> = ["filename", "subfolder", "type"].into_iter().zip(live.clone()).collect();
        live.extend(["preview", "channel"].into_iter().filter_map(|name| Some((name, asked(name)?))));
        format!("{route}?{}", Url::parse_with_params("http://seat/", live).unwrap().query().unwrap())
    }

    async fn request(&mut self, at: usize) {
        let recorded = capture::seen(&self.lines[at..=at]).exchanges.remove(0);
        let asked = &self.lines[at]["request"];
        let path = self.address(&self.path(&recorded.path));
        self.wait_as_recorded(&recorded, &path).await;
        let mut request = self.person.request(recorded.method.parse().unwrap(), &path);
        for (name, value) in asked["headers"].as_object().into_iter().flatten() {
            request = request.header(name, value.as_str().unwrap());
        }
        if let Some(json) = asked.get("json") {
            let body = self.renamed(&json.to_string());
            request = request.header(header::CONTENT_TYPE, "application/json").body(body);
        }
        if let Some(raw) = asked["raw"].as_str() {
            request = request.body(raw.to_owned());
        }
        if let Some(parts) = asked["multipart"].as_array() {
            request = request.multipart(parts.iter().fold(Form::new(), add_part));
        }
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        let kind = answer.headers().get(header::CONTENT_TYPE);
        let kind = kind.map(|kind| capture::essence(kind.to_str().unwrap())).unwrap_or_default();
        let bytes = answer.bytes().await.unwrap();
        let json = serde_json::from_slice::<Value>(&bytes).ok().filter(|_| kind == "application/json");
        let id = |json: &Option<Value>| json.as_ref()?["prompt_id"].as_str().map(ToOwned::to_owned);
        if let (Some(theirs), Some(ours)) = (id(&recorded.json), id(&json))
            && !self.jobs.iter().any(|(known, _)| *known == theirs)
        {
            self.jobs.push((theirs, ours));
        }
        self.exchanges.push(Exchange { status, kind, json, ..recorded });
    }

    /// Where the recording found a job that had ended, the seat must know of the end as well.
    async fn wait_as_recorded(&self, recorded: &Exchange, path: &str) {
        let Some(theirs) = &recorded.json else { return };
        let ended = match path.rsplit_once('/') {
            Some((route, id)) if route.ends_with("/history") => {
                theirs.as_object().filter(|all| !all.is_empty()).map(|_| id)
            }
            Some((route, id)) if route.ends_with("/api/jobs") => {
                let status = theirs["status"].as_str();
                status.filter(|status| !matches!(*status, "pending" | "in_progress")).map(|_| id)
            }
            _ => None,
        };
        let Some(id) = ended else { return };
        waiting::until(&format!("the end of {id}"), PATIENCE, async || {
            Ok(self.person.job(id).await?["ended_at"].is_u64().then_some(()))
        })
        .await
        .unwrap();
    }

    async fn finish(mut self) -> Seen {
        self.catch_up(self.lines.len()).await;
        let open = std::mem::take(&mut self.sockets);
        let mut streams = std::mem::take(&mut self.closed);
        streams.extend(open.into_iter().map(|(name, socket)| (name, socket.frames())));
        let mut exchanges = std::mem::take(&mut self.exchanges);
        let told = streams.values_mut().flatten().filter_map(|frame| match frame {
            Frame::Text(json) => Some(json),
            Frame::Binary(_) => None,
        });
        for json in told.chain(exchanges.iter_mut().filter_map(|exchange| exchange.json.as_mut())) {
            let names = self.jobs.iter();
            let text = names.fold(json.to_string(), |text, (theirs, ours)| text.replace(ours, theirs));
            *json = serde_json::from_str(&text).unwrap();
        }
        Seen { exchanges, streams }
    }
}

/// Greetings, jobs that started, whether the newest has come to its steps, and jobs that ended.
fn milestones(frames: &[Frame]) -> [usize; 4] {
    let (mut greetings, mut stepping) = (0, false);
    let (mut started, mut ended) = (BTreeSet::new(), BTreeSet::new());
    for frame in frames {
        let Frame::Text(json) = frame else { continue };
        let job = json["data"]["prompt_id"].as_str();
        match json["type"].as_str().unwrap() {
            "feature_flags" => greetings += 1,
            "execution_start" => {
                started.extend(job);
                stepping = false;
            }
            "progress" => stepping = true,
            "executing" if json["data"]["node"].is_null() => ended.extend(job),
            _ => {}
        }
    }
    [greetings, started.len(), usize::from(stepping), ended.len()]
}

fn files(output: &Value) -> Vec<File> {
    let images = output["images"].as_array().map(Vec::as_slice).unwrap_or_default();
    let text = |image: &Value, name: &str| image[name].as_str().unwrap().to_owned();
    images.iter().map(|image| ["filename", "subfolder", "type"].map(|name| text(image, name))).collect()
}

fn add_part(form: Form, part: &Value) -> Form {
    let name = part["name"].as_str().unwrap().to_owned();
    match part["filename"].as_str() {
        Some(file) => {
            let bytes = base64::engine::general_purpose::STANDARD.decode(part["base64"].as_str().unwrap());
            // The recording's client wrote a slash in a file name as %2F, and servers take names as they come.
            form.part(name, Part::bytes(bytes.unwrap()).file_name(file.replace('/', "%2F")))
        }
        None => form.text(name, part["value"].as_str().unwrap().to_owned()),
    }
}
