// Keeps the room up to date without moving anything under the pointer, sends forms without leaving the page, and knows
// the keys. Everything works without it, but for the keys.
'use strict';

const body = document.body;
const one = (selector, within = document) => within.querySelector(selector);
const all = (selector, within = document) => [...within.querySelectorAll(selector)];
const room = body.classList.contains('room');

// Times: everything is counted by the server's clock.
let ahead = Number(body.dataset.now || Date.now()) - Date.now();
const now = () => Date.now() + ahead;
const two = (number) => String(number).padStart(2, '0');

function clock(ms) {
  const s = Math.max(0, Math.floor(ms / 1000));
  const rest = `${two(Math.floor(s / 60) % 60)}:${two(s % 60)}`;
  return s >= 3600 ? `${Math.floor(s / 3600)}:${rest}` : `${Math.floor(s / 60)}:${two(s % 60)}`;
}

function ago(ms) {
  const s = Math.max(0, Math.floor(ms / 1000));
  if (s < 60) return 'just now';
  if (s < 3600) return `${Math.floor(s / 60)} min ago`;
  return `${Math.floor(s / 3600)} h ago`;
}

function put(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function tellTimes() {
  for (const time of all('time[data-since]')) put(time, clock(now() - time.dataset.since));
  for (const time of all('time[data-until]')) put(time, clock(time.dataset.until - now()));
  for (const time of all('time[data-ago]')) {
    put(time, ago(now() - time.dataset.ago));
    time.title = new Date(Number(time.dataset.ago)).toLocaleString();
  }
  for (const time of all('time[data-at]')) {
    const at = new Date(Number(time.dataset.at));
    const today = at.toDateString() === new Date(now()).toDateString();
    put(time, today ? at.toLocaleTimeString() : at.toLocaleString());
    time.title = at.toLocaleString();
  }
}

// How this page looks is one cookie of the whole browser: when another window changes it, names that were to be hidden
// must not stay here. The cookie itself no script can read.
const { look, path: ownPath } = body.dataset;
const lookAgain = () => location.replace(ownPath);
if (look) {
  window.addEventListener('storage', (event) => { if (event.key === 'look' && event.newValue !== look) lookAgain(); });
  try { localStorage.setItem('look', look); } catch { /* the live feed says so as well */ }
}

// The live feed.
const pill = one('#live');
let version = body.dataset.version;
// When the other end last said anything, and when what is shown was last true.
let heard = Date.now();
let trueAt = Date.now();
let open = false;
let live = false;
let socket = null;
let wait = 250;
const waiting = {};

function tellState() {
  const age = Math.round((Date.now() - trueAt) / 1000);
  body.classList.toggle('stale', !live);
  body.classList.toggle('old', age > 30);
  pill.className = live ? 'pill on' : 'pill off';
  const far = age > 6;
  if (live) put(pill, far ? `Live · ${age} s` : 'Live');
  else put(pill, `${open ? 'No answer' : 'Reconnecting'}… ${age} s`);
}

function fresh(html) {
  const template = document.createElement('template');
  template.innerHTML = html.trim();
  return template.content.firstElementChild;
}

function setCell(element, text) {
  if (element.tagName !== 'PROGRESS') put(element, text);
  else if (text === '') element.removeAttribute('value');
  else element.value = Number(text);
}

function setCells(row, cell, text) {
  if (!row) return;
  if (cell === 'class') row.className = text;
  else for (const element of all(`[data-c="${cell}"]`, row)) setCell(element, text);
}

// Which rows are where: as it is said, or as it was without those that went and with those that came. Null: as it was.
function orderOf(update, before) {
  if (update.order) return update.order;
  if (!update.gone && !update.came) return null;
  const gone = new Set(update.gone);
  return before.filter((id) => !gone.has(id)).concat(update.came || []);
}

// A row of its own place; the control that has the focus keeps it.
function replaceRow(old, html) {
  const row = fresh(html);
  const focused = old.contains(document.activeElement) ? document.activeElement : null;
  const label = focused && (focused.getAttribute('aria-label') || focused.dataset.key || focused.textContent);
  old.replaceWith(row);
  if (!focused) return;
  const same = focused === old ? row : all('button, a', row)
    .find((each) => (each.getAttribute('aria-label') || each.dataset.key || each.textContent) === label);
  (same || (row.tabIndex >= -1 ? row : null))?.focus({ preventScroll: true });
}

const busy = (list) => list.matches(':hover') || list.contains(document.activeElement);

function arrange(name) {
  const pending = waiting[name];
  const list = one(`#zone-${name}`);
  if (!pending || !list) return;
  delete waiting[name];
  const keep = new Set(pending.order);
  for (const row of [...list.children]) if (!keep.has(row.id)) row.remove();
  let place = list.firstElementChild;
  for (const id of pending.order) {
    const row = document.getElementById(id) || pending.rows[id];
    if (!row) continue;
    if (row === place) place = place.nextElementSibling;
    else list.insertBefore(row, place);
  }
  const chip = one(`[data-chip=${name}]`);
  if (chip) chip.hidden = true;
}

function change(name, update) {
  const list = one(`#zone-${name}`);
  if (!list) return;
  // Rows that came while nothing may move: they are told what changes as those on the page are.
  const aside = (waiting[name] && waiting[name].rows) || {};
  for (const [id, html] of Object.entries(update.rows || {})) {
    const row = document.getElementById(id);
    if (row) replaceRow(row, html);
    else aside[id] = fresh(html);
  }
  for (const [cell, texts] of Object.entries(update.cells || {})) {
    for (const [text, ids] of Object.entries(texts)) {
      for (const id of ids) setCells(document.getElementById(id) || aside[id], cell, text);
    }
  }
  const shown = [...list.children].map((row) => row.id);
  const order = orderOf(update, waiting[name] ? waiting[name].order : shown);
  if (!order) {
    if (waiting[name]) waiting[name].rows = aside;
    return;
  }
  waiting[name] = { order, rows: aside };
  if (!busy(list) || shown.length === 0) return arrange(name);
  const places = new Map(order.map((id, place) => [id, place]));
  let moved = 0;
  for (const row of list.children) row.classList.toggle('gone', !places.has(row.id));
  for (const [place, id] of order.entries()) if (shown[place] !== id) moved += 1;
  moved = Math.max(moved, shown.length - order.length);
  const chip = one(`[data-chip=${name}]`);
  if (!chip) return;
  chip.hidden = false;
  put(chip, `${moved} ${moved === 1 ? 'change' : 'changes'} – show`);
}

function heardOf(update) {
  heard = Date.now();
  const away = one('#away');
  if (update.look) return lookAgain();
  if (update.shut) {
    away.hidden = false;
    put(away, `This page is not kept up to date. ${update.shut}`);
    wait = 5000;
    return;
  }
  open = true;
  wait = 250;
  if (update.away) {
    live = false;
    away.hidden = false;
    put(away, `${update.away} For ${update.for} s now. Running jobs continue; new jobs are refused with a clear message. Retrying.`);
    return;
  }
  away.hidden = true;
  if (update.from && update.from !== version) {
    // Something between was not heard.
    version = '';
    socket.close();
    return;
  }
  version = update.version;
  trueAt = Date.now();
  live = true;
  if (update.at) ahead = update.at - Date.now();
  if (update.n) body.dataset.n = update.n;
  const { zones = {}, texts = {} } = update.change || {};
  for (const [name, text] of Object.entries(texts)) {
    for (const element of all(`[data-t="${name}"]`)) put(element, text);
  }
  tell(texts);
  for (const [name, zone] of Object.entries(zones)) change(name, zone);
  tellTimes();
}

// What is new and should be looked at, for an instructor who looks elsewhere.
let known = null;
function tell(texts) {
  const now = { failed: Number(texts.failed ?? known?.failed ?? 0), alerts: texts.alerts ?? known?.alerts ?? '' };
  const news = [];
  if (known && now.failed > known.failed) news.push(`${now.failed} failed jobs nobody has dealt with.`);
  // Another number of minutes in a sentence is no news.
  const same = (line) => line.replace(/\d[\d.]* (min|h|s|GB|%)/g, '');
  const before = new Set((known?.alerts ?? '').split('\n').map(same));
  if (known) news.push(...now.alerts.split('\n').filter((line) => !before.has(same(line))));
  known = now;
  const text = news.filter(Boolean).join(' ');
  if (text && mayNotify()) new Notification('Atelier', { body: text, tag: 'atelier', renotify: true });
}
const mayNotify = () => 'Notification' in window && Notification.permission === 'granted';
known = room ? { failed: Number(one('[data-t=failed]').textContent), alerts: one('[data-t=alerts]').textContent } : null;

// What to be told of besides the live feed. Whoever's session is over is sent to sign in.
async function askForAlerts() {
  try {
    const answer = await fetch('/alerts');
    if (answer.status === 401) signIn();
    else if (answer.ok) tell(await answer.json());
  } catch { /* the next question may be answered */ }
}

function signIn() {
  location.assign(`/sign-in?back=${encodeURIComponent(location.pathname + location.search)}`);
}

// Large updates come deflated.
async function textOf(data) {
  if (typeof data === 'string') return data;
  return new Response(data.stream().pipeThrough(new DecompressionStream('deflate-raw'))).text();
}

function listen() {
  if (document.hidden || socket) return;
  const address = new URL('/live', location.href);
  address.protocol = address.protocol.replace('http', 'ws');
  if (version) address.searchParams.set('version', version);
  address.searchParams.set('look', look);
  if ('DecompressionStream' in window) address.searchParams.set('deflate', '1');
  socket = new WebSocket(address);
  const mine = socket;
  // One after the other, however long each takes to read.
  let reading = Promise.resolve();
  const read = async (data) => {
    const update = JSON.parse(await textOf(data));
    if (socket !== mine) return;
    heardOf(update);
    tellState();
  };
  let answered = false;
  mine.addEventListener('open', () => { answered = true; heard = Date.now(); });
  mine.addEventListener('message', (event) => { reading = reading.then(() => read(event.data)).catch(() => mine.close()); });
  mine.addEventListener('close', () => {
    if (socket === mine) socket = null;
    open = false;
    live = false;
    tellState();
    // A page is not told why it is refused.
    if (!answered) askForAlerts();
    // For ever: a venue's network comes back some time.
    setTimeout(listen, wait * (0.7 + Math.random() * 0.6));
    wait = Math.min(wait * 2, 5000);
  });
}

if (room) {
  listen();
  // A hidden page is told nothing, and catches up when it is seen again.
  document.addEventListener('visibilitychange', () => {
    if (document.hidden) socket?.close();
    else { wait = 250; listen(); }
  });
  // But its instructor asked to be told this wherever they look.
  setInterval(() => { if (document.hidden && mayNotify()) askForAlerts(); }, 15000);
  setInterval(() => {
    tellState();
    // A connection that is open and silent is none.
    if (socket?.readyState === WebSocket.OPEN && Date.now() - heard > 20000) socket.close();
    for (const name of Object.keys(waiting)) if (!busy(one(`#zone-${name}`))) arrange(name);
  }, 1000);
  for (const chip of all('[data-chip]')) chip.addEventListener('click', () => arrange(chip.dataset.chip));
}
setInterval(tellTimes, 1000);
tellTimes();

// Forms: sent from the page, answered beside the buttons; taken back for ten seconds.
const said = one('#said');
let undo = null;
let hiding = 0;
let others = 0;

function say(text, failed, takeBack) {
  said.hidden = false;
  said.classList.toggle('failed', failed);
  said.setAttribute('role', failed ? 'alert' : 'status');
  said.replaceChildren(document.createTextNode(text));
  undo = takeBack || null;
  if (undo) {
    const button = document.createElement('button');
    button.type = 'button';
    button.textContent = 'Undo (U)';
    button.addEventListener('click', takeItBack);
    said.append(button);
  }
  clearTimeout(hiding);
  hiding = setTimeout(() => { said.hidden = true; undo = null; }, failed ? 15000 : 10000);
}

async function post(path, data) {
  const form = new URLSearchParams(data);
  let answer;
  try {
    answer = await fetch(path, { method: 'POST', body: form, headers: { accept: 'application/json' }, redirect: 'manual' });
  } catch {
    say('The dashboard did not answer. Nothing may have been done; look, and try again.', true);
    return null;
  }
  if (answer.status === 401) signIn();
  let words = {};
  try { words = await answer.json(); } catch { /* a page, not our words */ }
  if (!answer.ok) say(words.failed || `That was not done (${answer.status}).`, true);
  return { ok: answer.ok, ...words };
}

// Shows what was said. A page that does not change by itself is loaded again then, and says it once more.
function told(answer, again) {
  say(answer.said, false, answer.undo);
  if (!again) return;
  try { sessionStorage.setItem('said', JSON.stringify(answer)); } catch { /* said until the page is loaded */ }
  setTimeout(() => location.reload(), 600);
}
try {
  const before = JSON.parse(sessionStorage.getItem('said'));
  sessionStorage.removeItem('said');
  if (before) told(before, false);
} catch { /* no storage, nothing to say */ }

async function takeItBack() {
  if (!undo) return;
  const path = undo;
  undo = null;
  const answer = await post(path, { back: '/' });
  if (answer?.ok) told(answer, one('form.reload'));
}

document.addEventListener('submit', async (event) => {
  const form = event.target;
  if (!form.classList.contains('act')) return;
  event.preventDefault();
  const button = event.submitter;
  const path = (button && button.getAttribute('formaction')) || form.getAttribute('action');
  if (!path) return;
  const action = one('input[name=action]', form);
  const pressed = () => `${path}?${new URLSearchParams(new FormData(form, button))}`;
  // What was not answered may be said again and is done once; anything else is another action.
  if (action && form.unanswered && form.unanswered !== pressed()) action.value = `${action.value.slice(0, 40)}-${Date.now()}-${++others}`;
  form.unanswered = pressed();
  const data = new FormData(form, button);
  if (button) button.setAttribute('aria-busy', 'true');
  const answer = await post(path, data);
  if (button) button.removeAttribute('aria-busy');
  if (answer) form.unanswered = null;
  if (action && answer?.action) action.value = answer.action;
  if (!answer?.ok) return;
  told(answer, form.classList.contains('reload'));
  for (const text of all('textarea', form)) text.value = '';
  const menu = form.closest('details');
  if (menu) { menu.open = false; one('summary', menu).focus(); if (!('kept' in form.dataset)) form.reset(); }
});

// Copy for support, all or none, notifications.
document.addEventListener('click', async (event) => {
  const button = event.target.closest('button');
  if (!button) return;
  if (button.dataset.copy) {
    try {
      await navigator.clipboard.writeText(button.dataset.copy);
      say('Copied.', false);
    } catch {
      say('This browser copies only on https. Select the text instead.', true);
    }
  }
  if (button.dataset.check) {
    for (const box of all('input[type=checkbox][name^=card-]')) box.checked = button.dataset.check === 'all';
  }
  if ('help' in button.dataset) one('#help').showModal();
  if ('notify' in button.dataset) {
    const answer = await Notification.requestPermission();
    say(answer === 'granted' ? 'This browser tells you about failures, lost GPUs, a stuck queue and full storage while this page is open, also behind others.' : 'The browser does not allow it.', answer !== 'granted');
    button.hidden = true;
  }
});
const notify = one('[data-notify]');
if (notify && 'Notification' in window && Notification.permission === 'default' && isSecureContext) notify.hidden = false;

// On a phone the menu of pages is wider than the screen.
one('nav [aria-current]')?.scrollIntoView({ block: 'nearest', inline: 'center' });

// Menus close like menus.
document.addEventListener('click', (event) => {
  for (const menu of all('.menus details[open]')) if (!menu.contains(event.target)) menu.open = false;
});

// Keys, none of which is the only way.
const off = one('#keys-off');
try { off.checked = localStorage.getItem('keys-off') === '1'; } catch { /* no storage, keys stay on */ }
off?.addEventListener('change', () => {
  try { localStorage.setItem('keys-off', off.checked ? '1' : '0'); } catch { /* for this page only */ }
});

let went = false;
const press = (key, within = document) => one(`[data-key=${key}]`, within)?.click();

function step(by) {
  const rows = all('[data-row]').filter((row) => row.offsetParent && row.id !== 'controls');
  const at = rows.findIndex((row) => row.contains(document.activeElement));
  const row = rows[at < 0 ? 0 : Math.min(Math.max(at + by, 0), rows.length - 1)];
  if (!row) return;
  const target = row.matches('[tabindex]') ? row : one('a, button', row);
  target?.focus();
  row.scrollIntoView({ block: 'nearest' });
}

function go(key) {
  const places = { q: '#queue-zone', p: '#people-zone', w: '#lanes-zone' };
  const zone = places[key] && one(places[key]);
  if (!zone) { if (places[key]) location.assign('/' + places[key]); return; }
  const first = one('[data-row]', zone);
  (first?.matches('[tabindex]') ? first : one('a, button', zone))?.focus();
  zone.scrollIntoView({ block: 'nearest' });
}

document.addEventListener('keydown', (event) => {
  if (event.key === 'Escape') {
    for (const menu of all('details[open]')) { menu.open = false; one('summary', menu).focus(); }
    said.hidden = true;
    return;
  }
  const typing = event.target.closest('input, textarea, select, dialog');
  if (typing || event.ctrlKey || event.metaKey || event.altKey || off?.checked) return;
  const row = document.activeElement?.closest('[data-row]');
  const key = event.key.toLowerCase();
  const before = went;
  went = false;
  const keys = {
    '?': () => one('#help').showModal(),
    '/': () => one('#find').focus(),
    j: () => step(1),
    k: () => step(-1),
    p: () => press('p'),
    d: () => press('d'),
    m: () => { const menu = one('#say'); if (menu) { menu.open = true; one('textarea', menu).focus(); } },
    r: () => row && press('r', row),
    u: takeItBack,
    g: () => { went = true; },
    delete: () => row && press('del', row),
    enter: () => row === document.activeElement && one('a', row)?.click(),
    arrowup: () => (event.shiftKey ? row && press('up', row) : step(-1)),
    arrowdown: () => (event.shiftKey ? row && press('down', row) : step(1)),
  };
  if (before && 'qpw'.includes(key)) { event.preventDefault(); go(key); return; }
  const scrolls = ['arrowup', 'arrowdown'].includes(key) && !row;
  if (!keys[key] || scrolls || (key === 'enter' && row !== document.activeElement)) return;
  event.preventDefault();
  keys[key]();
});
