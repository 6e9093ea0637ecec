//! Every difference between a seat and the real server that is meant, with its reason.

/// One difference: the recordings it shows in, the route or message, what differs (a `*` at its end stands for anything),
/// and why.
pub(super) struct Meant {
    pub(super) recordings: &'static [&'static str],
    pub(super) route: &'static str,
    pub(super) what: &'static str,
    pub(super) why: &'static str,
    /// Whether it shows each time; how far a job comes before it is stopped depends on luck.
    pub(super) always: bool,
}

const fn meant(
    recordings: &'static [&'static str],
    route: &'static str,
    what: &'static str,
    why: &'static str,
) -> Meant {
    Meant { recordings, route, what, why, always: true }
}

const fn sometimes(
    recordings: &'static [&'static str],
    route: &'static str,
    what: &'static str,
    why: &'static str,
) -> Meant {
    Meant { recordings, route, what, why, always: false }
}

impl Meant {
    pub(super) fn covers(&self, route: &str, what: &str) -> bool {
        let said = self.what.strip_suffix('*').map_or(what == self.what, |start| what.starts_with(start));
        self.route == route && said
    }
}

/// All of them.
#[rustfmt::skip]
pub(super) const MEANT: &[Meant] = &[
    meant(&["01"], "GET /settings", "has *", "the workshop's defaults: no tour, previews, no calls to other hosts"),
    meant(&["01"], "GET /system_stats", "/devices/[]/index is number, not null", "the recorded server had no GPU"),
    meant(&["01", "02", "15"], "GET /view", "application/json, not nothing", "an error says why; the frontend reads only its status"),
    meant(&["02", "05"], "ws", "another order", "output nodes run again where ComfyUI would hand out a file that somebody else may own"),
    meant(&["04"], "POST /upload/image", "application/json, not nothing", "an error says why; the frontend reads only its status"),
    meant(&["04"], "POST /upload/image", "400, not 500", "a type that there is not is the client's mistake"),
    meant(&["04"], "POST /upload/image", "application/json, not text/plain", "and is answered as such"),
    meant(&["05"], "POST /prompt", "400, not 500", "what is no JSON is the client's mistake"),
    meant(&["05"], "POST /prompt", "application/json, not text/plain", "and is answered as such"),
    meant(&["05"], "POST /prompt", "lacks /node_errors/{}/errors/[]/extra_info/*", "a link to a node that is not there is named as such, where the real server names its own exception"),
    meant(&["05"], "POST /prompt", "has /node_errors/{}/errors/[]/extra_info/received_value", "the same"),
    meant(&["05"], "POST /prompt", "/node_errors/{}/errors/[]/extra_info/input_config is null, not list", "each worker has its own list of models; the reason names what is on none"),
    meant(&["09"], "GET /api/jobs/{id}", "has /workflow", "the workflow of a job that waits or runs can be opened as well"),
    sometimes(&["09", "10", "12"], "ws", "binary {4}, not {}", "previews are on where a client does not say otherwise"),
    meant(&["11"], "ws", "binary {4}, not {}", "the same"),
    meant(&["12"], "ws", "tells of a job from its start", "a tab that comes back hears what it missed, and each of two tabs with one id hears everything"),
    meant(&["12"], "ws executing again", "never", "the same"),
    sometimes(&["12"], "ws executing at the end", "new", "the same: the recorded socket had gone deaf"),
    sometimes(&["12"], "ws execution_interrupted", "new", "the same"),
    meant(&["15"], "ws", "another order", "an id that is posted again is the same job, and runs once"),
];
