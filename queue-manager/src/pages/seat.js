// The plain page of a seat: own jobs with state and pictures, live; a dropped workflow file is run.
'use strict';

const list = document.getElementById('jobs');
const live = document.getElementById('live');
const message = document.getElementById('message');
const jobs = new Map();
document.documentElement.classList.add('live');
live.textContent = 'Connecting…';

const ENDED = new Set(['completed', 'failed', 'cancelled']);

const REASONS = {
  worker_lost: 'The GPU was lost; back in line',
  on_hold: 'On hold: no GPU here has what it needs',
  held: 'Put aside',
  backing_off: 'Failed; will be tried again soon',
  cancelling: 'Will be cancelled in some seconds',
};

function when(range) {
  if (!range) return '';
  const [soonest, latest] = [range.soonest_ms, range.latest_ms].map((ms) => Math.ceil(ms / 60000));
  if (latest <= 1) return ', starts within a minute';
  return soonest < latest ? `, starts in ${soonest}–${latest} min` : `, starts in about ${latest} min`;
}

function words(job) {
  if (job.reason === 'stopping') return 'Stopping… takes effect at the next step';
  if (job.state === 'pending' && REASONS[job.reason]) return REASONS[job.reason];
  switch (job.state) {
    case 'pending': return job.position ? `Number ${job.position} in line${when(job.starts_in)}` : 'Waiting';
    case 'running': return `Running on ${job.worker}`;
    case 'completed': return 'Done';
    case 'failed': return job.reason === 'parked' ? 'Failed (parked)' : 'Failed';
    default: return 'Cancelled';
  }
}

function element(name, className, text) {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text) made.textContent = text;
  return made;
}

function row(job) {
  const item = element('li');
  item.id = `job-${job.id}`;
  item.dataset.state = job.state;
  const head = element('div', 'head');
  head.append(element('span', 'state', words(job)), element('span', 'id', job.id));
  if (!ENDED.has(job.state)) {
    const cancel = element('button', 'quiet', 'Cancel');
    cancel.setAttribute('aria-label', `Cancel job ${job.id}`);
    cancel.addEventListener('click', () => request('DELETE', `/api/v1/jobs/${job.id}`));
    head.append(cancel);
  }
  item.append(head);
  if (job.error) item.append(element('p', 'message', job.error.exception_message));
  const pictures = element('div', 'pictures');
  for (const file of job.outputs) {
    const link = element('a');
    link.href = file.url;
    if (/\.(png|jpe?g|webp|gif)$/i.test(file.filename)) {
      const image = element('img');
      image.src = file.url;
      image.alt = file.filename;
      link.append(image);
    } else if (/\.(mp4|webm|mov|m4v)$/i.test(file.filename)) {
      const film = element('video');
      film.src = file.url;
      film.controls = true;
      film.preload = 'metadata';
      pictures.append(film);
      continue;
    } else {
      link.textContent = file.filename;
    }
    pictures.append(link);
  }
  if (pictures.children.length) item.append(pictures);
  return item;
}

function draw() {
  const newest = [...jobs.values()].sort((a, b) => b.submitted_at - a.submitted_at);
  list.replaceChildren(...newest.map(row));
  document.getElementById('empty').hidden = newest.length > 0;
}

async function request(method, path, body) {
  message.textContent = '';
  try {
    const answer = await fetch(path, { method, body, headers: body ? { 'Content-Type': 'application/json' } : {} });
    if (answer.status === 401) { location.href = '/sign-in'; return null; }
    const json = await answer.json().catch(() => null);
    if (!answer.ok) message.textContent = json?.detail ?? json?.error?.message ?? `The server answered ${answer.status}.`;
    return answer.ok ? json : null;
  } catch {
    message.textContent = 'The server cannot be reached. Your jobs go on; try again in a moment.';
    return null;
  }
}

async function refresh(id) {
  const job = await request('GET', `/api/v1/jobs/${id}`);
  if (job) { jobs.set(job.id, job); draw(); }
}

async function run(file) {
  let graph;
  try {
    graph = JSON.parse(await file.text());
  } catch {
    message.textContent = `${file.name} is not a workflow: it is no JSON.`;
    return;
  }
  const answer = await request('POST', '/api/v1/jobs', JSON.stringify({ workflow: graph.prompt ?? graph }));
  if (answer) await refresh(answer.id);
}

function listen() {
  const events = new EventSource('/api/v1/events');
  events.addEventListener('open', () => { live.textContent = 'Live'; });
  events.addEventListener('error', () => { live.textContent = 'Reconnecting… your jobs go on'; });
  events.addEventListener('snapshot', (event) => {
    const snapshot = JSON.parse(event.data);
    jobs.clear();
    for (const job of snapshot.jobs) jobs.set(job.id, job);
    document.getElementById('simulated').hidden = !snapshot.simulated;
    draw();
  });
  events.addEventListener('message', (event) => {
    const said = JSON.parse(event.data);
    if (said.text) message.textContent = `Your instructor: ${said.text}`;
  });
  events.addEventListener('job', (event) => refresh(JSON.parse(event.data).job));
}

const drop = document.getElementById('drop');
drop.addEventListener('dragover', (event) => { event.preventDefault(); drop.classList.add('over'); });
drop.addEventListener('dragleave', () => drop.classList.remove('over'));
drop.addEventListener('drop', async (event) => {
  event.preventDefault();
  drop.classList.remove('over');
  for (const file of event.dataTransfer.files) await run(file);
});
document.getElementById('file').addEventListener('change', async (event) => {
  for (const file of event.target.files) await run(file);
  event.target.value = '';
});
listen();
