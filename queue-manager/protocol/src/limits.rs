//! Sizes that two parts must agree on, in bytes unless named otherwise.

/// A submitted workflow or a saved file; also nginx's limit for a seat's requests but uploads.
pub const BODY: usize = 10 * 1024 * 1024;
/// What anyone may send before they are signed in: a name and a password, with room for how it is written.
pub const SIGN_IN: usize = 8 * 1024;
/// A password. Those that the program makes have 19 characters.
pub const PASSWORD: usize = 256;
/// A form, or any request of the API that submits no workflow; also nginx's limit for these.
pub const FORM: usize = 64 * 1024;
/// A compressed body larger than this goes to the file store instead of Redis.
pub const BODY_IN_REDIS: usize = 256 * 1024;
/// A stored body larger than this reaches the worker over HTTP instead of the link.
pub const BODY_ON_LINK: usize = 256 * 1024;
/// One uploaded or produced file.
pub const FILE: usize = 2 * 1024 * 1024 * 1024;
/// Names of one participant's uploads.
pub const UPLOADS: usize = 5_000;
/// Folders within folders of a saved or uploaded file.
pub const FOLDERS: usize = 8;
/// One upload from a browser: ComfyUI's own default, told to the frontend in its feature flags.
pub const UPLOAD: usize = 100 * 1024 * 1024;
/// Nesting of a submitted JSON body.
pub const DEPTH: usize = 64;
/// Nodes of one graph.
pub const NODES: usize = 5_000;
/// Uploaded files that one graph may name.
pub const INPUTS: usize = 500;
/// Waiting jobs of one participant.
pub const WAITING_PER_PARTICIPANT: u32 = 100;
/// Bytes of one participant's waiting workflows, as submitted.
pub const BYTES_PER_PARTICIPANT: u64 = 64 * 1024 * 1024;
/// Running jobs of one participant.
pub const RUNNING_PER_PARTICIPANT: u32 = 1;
/// Waiting jobs of the workshop.
pub const WAITING: u32 = 10_000;
/// Bytes of all waiting workflows, as submitted.
pub const WAITING_BYTES: u64 = 1024 * 1024 * 1024;
/// Records of ended jobs that are kept.
pub const ENDED: u32 = 10_000;
/// Bytes of those records, with their workflows and results as the store keeps them.
pub const ENDED_BYTES: u64 = 256 * 1024 * 1024;
/// Messages that wait for one tab that is away.
pub const MISSED: usize = 500;
/// Tabs of one participant for which messages wait.
pub const MISSED_TABS: usize = 32;
/// Bytes of the messages that wait for all tabs of one participant.
pub const MISSED_BYTES: usize = 16 * 1024 * 1024;
/// A message of ComfyUI, a preview or a result larger than this is cut down or left out by the worker, so that it fits [`LINK_FRAME`].
pub const MESSAGE: usize = 1024 * 1024;
/// A text frame on the worker link (`executed` events and bodies that fit [`BODY_ON_LINK`] with room to spare).
pub const LINK_FRAME: usize = 4 * 1024 * 1024;
/// One further part of a worker's description: its nodes' scripts for browsers, or their lists.
pub const PART: usize = 16 * 1024 * 1024;
/// Values in a description of nodes, or in another part: each takes a multiple of its bytes in memory. A thousand nodes have
/// some 60,000.
pub const VALUES: usize = 1_000_000;
/// `object_info` as a worker sends it.
pub const OBJECT_INFO: usize = 64 * 1024 * 1024;
