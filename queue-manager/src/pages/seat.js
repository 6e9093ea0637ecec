// The plain page of a seat, live: the server writes the list, this fetches it when it changed. Every form works without.
'use strict';

const live = document.getElementById('live');
const field = document.getElementById('file');
document.documentElement.classList.add('live');
live.textContent = 'Connecting…';
let drawn = null;

const AWAY = 'The server cannot be reached. Your jobs go on; try again in a moment.';
const say = (words) => { document.getElementById('message').textContent = words; };

// Takes over what a page says: the one that a form answered with, or a fresh one. What a form was answered stays when the list is
// fetched again by itself.
function show(html, isAnswer) {
  const page = new DOMParser().parseFromString(html, 'text/html');
  const parts = isAnswer || document.getElementById('message').textContent === AWAY ? ['message'] : [];
  for (const id of ['jobs', 'empty', 'simulated', ...parts]) {
    document.getElementById(id).replaceWith(page.getElementById(id));
  }
}

async function ask(address, options) {
  try {
    const answer = await fetch(address, { headers: { Accept: 'text/html' }, ...options });
    if (answer.redirected && answer.url.endsWith('/sign-in')) return location.assign('/sign-in');
    if (answer.headers.get('content-type')?.startsWith('text/html')) return show(await answer.text(), options !== undefined);
    const said = await answer.json().catch(() => null);
    say(said?.error?.message ?? `The server answered ${answer.status}.`);
  } catch {
    say(AWAY);
  }
}

async function run(file) {
  const body = new FormData();
  body.append('workflow', file);
  await ask('jobs', { method: 'POST', body });
}

// What changes by itself is put where it is; anything else is worth the list anew.
function heard(line) {
  const states = line.jobs.map((job) => `${job.id} ${job.state} ${job.reason}`).join();
  if (states !== drawn) {
    if (drawn !== null) ask('jobs');
    drawn = states;
    return;
  }
  for (const job of line.jobs) {
    const row = document.getElementById(`job-${job.id}`);
    row?.querySelector('.state').replaceChildren(job.text);
    row?.querySelector('.detail').replaceChildren(job.detail);
  }
}

function listen(wait) {
  const address = new URL('ws', location.href);
  address.protocol = address.protocol.replace('http', 'ws');
  const socket = new WebSocket(address);
  socket.addEventListener('open', () => {
    live.textContent = 'Live';
    wait = 500;
    socket.send(JSON.stringify({ type: 'workshop' }));
  });
  socket.addEventListener('message', (event) => {
    if (typeof event.data !== 'string') return;
    const said = JSON.parse(event.data);
    if (said.type === 'workshop') heard(said.data.line);
  });
  socket.addEventListener('close', () => {
    live.textContent = 'Reconnecting… your jobs go on';
    drawn = '';
    setTimeout(() => listen(Math.min(2 * wait, 8000)), wait);
  });
}

document.addEventListener('submit', (event) => {
  if (!event.target.closest('#jobs')) return;
  event.preventDefault();
  ask(event.target.action, { method: 'POST' });
});

const drop = document.getElementById('drop');
drop.addEventListener('dragover', (event) => { event.preventDefault(); drop.classList.add('over'); });
drop.addEventListener('dragleave', () => drop.classList.remove('over'));
drop.addEventListener('drop', async (event) => {
  event.preventDefault();
  drop.classList.remove('over');
  for (const file of event.dataTransfer.files) await run(file);
});
field.addEventListener('change', async () => {
  for (const file of field.files) await run(file);
  field.value = '';
});
listen(500);
