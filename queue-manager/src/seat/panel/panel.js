// The workshop panel: an extension of ComfyUI's editor. A slim bar under the canvas says where one's jobs stand and why;
// a tab in the sidebar lists them. Running never depends on it: whatever fails here is logged and nothing else.
import { app } from '../../scripts/app.js';
import { api } from '../../scripts/api.js';
import { Bar } from './bar.js';
import { List } from './list.js';
import { Sent } from './sent.js';
import { goesOn } from './words.js';

const NAME = 'Atelier.Workshop';
const TAB = 'atelier-workshop';
const SHOWN = 'Atelier.Workshop.Bar';

// What every part of the panel draws from.
const state = {
  line: null, // what the server said last
  clockAhead: 0, // the server's clock minus ours, in ms
  heardAt: Date.now(),
  connected: true,
  progress: new Map(), // job -> {done, of, node}; of jobs that this tab runs
  gone: [], // jobs that were accepted and that the server does not know any more
  trouble: '',
};

const views = new Set();
const draw = () => views.forEach((view) => view.draw(state));
const sent = new Sent(api);

// An action on a job. What the server refuses is said in the panel, where the button was.
async function act(method, path, body) {
  state.trouble = '';
  try {
    const answer = await fetch(`/api/v1/jobs/${path}`, {
      method,
      headers: body ? { 'Content-Type': 'application/json' } : {},
      body: body && JSON.stringify(body),
    });
    if (answer.ok) return;
    const said = await answer.json().catch(() => null);
    state.trouble = said?.detail ?? `The server answered ${answer.status}.`;
  } catch {
    state.trouble = 'The server cannot be reached. Your jobs go on; try again in a moment.';
  }
  draw();
}

const actions = {
  // A waiting job can be taken back for five seconds, a running one stops at its next step.
  cancel: (job) => act('POST', `${job.id}/cancel`, job.state === 'pending' ? { after_ms: 5000 } : {}),
  keep: (job) => act('POST', `${job.id}/keep`),
  release: (job) => act('POST', `${job.id}/release`),
  first: (job) => actions.move(job, 0),
  move: (job, place) => act('POST', `${job.id}/move`, { place }),
  again: (job) => act('POST', `${job.id}/retry`, {}),
  cancelAll: () => Promise.all(state.line.jobs.filter(goesOn).map(actions.cancel)),
  copy: (job) => navigator.clipboard?.writeText(`Job ${job.id}\n${job.text}\n${job.error ?? job.detail}`),
  sendAgain: async () => {
    state.gone = await sent.sendAgain(state.gone);
    draw();
  },
  forget: async () => {
    state.gone = await sent.forget(state.gone);
    draw();
  },
  open: () => app.extensionManager.command.execute(`Workspace.ToggleSidebarTab.${TAB}`),
};

const ask = () => api.socket?.send(JSON.stringify({ type: 'workshop' }));

async function heard({ at, line }) {
  const another = state.line && state.line.epoch !== line.epoch;
  Object.assign(state, { line, clockAhead: at - Date.now(), heardAt: Date.now(), connected: true });
  const running = new Set(line.jobs.filter(goesOn).map((job) => job.id));
  for (const id of state.progress.keys()) if (!running.has(id)) state.progress.delete(id);
  draw();
  // After a power cut the store may know less than it promised.
  state.gone = await sent.compare(line, another);
  draw();
}

function progressed({ prompt_id: job, nodes }) {
  const running = Object.values(nodes ?? {}).find((node) => node.state === 'running');
  if (!running) return;
  const node = app.rootGraph?.getNodeById?.(running.display_node_id) ?? app.graph?.getNodeById?.(running.display_node_id);
  state.progress.set(job, { done: running.value, of: running.max, node: node?.title ?? node?.type ?? '' });
  draw();
}

function listen() {
  // The frontend hands on what it has a listener for.
  api.addEventListener('workshop', (event) => heard(event.detail).catch(console.error));
  api.addEventListener('progress_state', (event) => progressed(event.detail));
  api.addEventListener('reconnecting', () => {
    state.connected = false;
    draw();
  });
  api.addEventListener('reconnected', () => {
    state.connected = true;
    ask();
    draw();
  });
  // The socket may have opened before this script was there, or open after it.
  const opened = setInterval(() => {
    if (api.socket?.readyState !== WebSocket.OPEN) return;
    clearInterval(opened);
    ask();
  }, 100);
  // Seconds that run, and the age of what is shown.
  setInterval(() => {
    if (!state.connected || state.line?.jobs.some((job) => job.state === 'running')) draw();
  }, 1000);
}

function addStyle() {
  const link = document.createElement('link');
  link.rel = 'stylesheet';
  link.href = new URL('./panel.css', import.meta.url);
  document.head.append(link);
}

const bar = new Bar(actions);
let ready = false; // never, when the extension is switched off in the editor's settings

function showBar(wanted) {
  if (wanted && ready && app.bodyBottom) {
    app.bodyBottom.append(bar.element);
    views.add(bar);
    draw();
  } else {
    bar.element.remove();
    views.delete(bar);
  }
}

app.registerExtension({
  name: NAME,
  settings: [
    {
      id: SHOWN,
      name: 'Show where my jobs stand under the canvas',
      type: 'boolean',
      defaultValue: true,
      onChange: (wanted) => showBar(wanted),
    },
  ],
  async setup() {
    ready = true;
    addStyle();
    sent.watch();
    listen();
    showBar(app.extensionManager.setting?.get(SHOWN) ?? true);
    app.extensionManager.registerSidebarTab({
      id: TAB,
      icon: 'pi pi-users',
      title: 'Workshop',
      tooltip: 'Workshop: my jobs and where they stand',
      type: 'custom',
      render: (place) => {
        const list = new List(place, actions);
        views.add(list);
        list.draw(state);
      },
      destroy: () => views.forEach((view) => view instanceof List && views.delete(view)),
    });
  },
});
