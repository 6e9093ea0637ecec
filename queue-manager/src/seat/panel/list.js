// The sidebar's tab: all of one's jobs, what can be done with them, and how turns work.
import { button, element, goesOn, progressOf, wordsOf } from './words.js';

const RULES = {
  fifo: 'First come, first served: jobs run in the order in which they were sent.',
  round_robin: 'Everybody gets a turn: between two of your jobs each other person who waits gets one.',
  fair: 'Whoever has used the GPUs least goes next, counted in time.',
  priority: 'Jobs have a lane: instructor, high, normal, low. Inside a lane everybody gets a turn, and who waits long moves up.',
};

const ALWAYS = [
  'Jobs of the instructor go first, when something is shown to the room.',
  'You can send as many as you like: they wait in your own line and cost nobody else their turn.',
  'A job that is interrupted because a GPU vanished runs again and pays no second turn.',
  'Closing this tab changes nothing: your jobs stay, and their pictures are here when you come back.',
];

// A job that has a place in one's own line.
const inLine = (job) => job.state === 'pending' && job.reason === null;

export class List {
  constructor(place, actions) {
    this.actions = actions;
    this.rows = new Map();
    this.dragged = false; // a row is in somebody's hand
    this.message = element('div', 'atelier-messages');
    this.list = element('ol', 'atelier-jobs');
    this.empty = element('p', 'atelier-detail', 'Nothing yet. What you run shows up here.');
    this.more = element('p', 'atelier-detail');
    this.all = button('Cancel everything of mine', () => actions.cancelAll());
    this.how = element('details');
    const links = element('p', 'atelier-links');
    const page = element('a', '', 'My jobs as a page');
    page.href = 'jobs';
    page.target = '_blank';
    const archive = element('a', '', 'Download everything of mine');
    archive.href = 'jobs/archive.zip';
    const account = element('a', '', 'My account');
    account.href = 'account';
    account.target = '_blank';
    links.append(page, archive, account);
    const inside = element('div', 'atelier-list');
    inside.append(element('h3', '', 'Workshop'), this.message, this.list, this.empty, this.more, this.all, this.how, links);
    place.replaceChildren(inside);
  }

  draw(state) {
    if (this.dragged) return; // the row in hand would be put down
    this.state = state;
    const jobs = state.line?.jobs ?? [];
    this.#arrange(jobs.map((job) => this.#row(state, job)));
    const listed = new Set(jobs.map((job) => job.id));
    for (const id of this.rows.keys()) if (!listed.has(id)) this.rows.delete(id);
    this.empty.hidden = jobs.length > 0;
    const more = state.line?.more ?? 0;
    this.more.textContent = more ? `… and ${more} more` : '';
    this.all.hidden = jobs.filter(goesOn).length < 2;
    const said = (state.line?.messages ?? []).map((message) => {
      const row = element('p');
      const at = new Date(message.at).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' });
      row.append(element('b', '', `Instructor, ${at}: `), element('span', '', message.text));
      return row;
    });
    const trouble = state.trouble ? [element('p', 'atelier-trouble', state.trouble)] : [];
    this.message.replaceChildren(...trouble, ...said);
    this.#explain(state.line?.mode, state.line?.gpu_minutes);
  }

  #explain(mode, used) {
    const now = `${mode} ${used?.mine} ${used?.all}`;
    if (now === this.explained) return;
    this.explained = now;
    const sentences = element('ul');
    const numbers = used && `GPU time used so far: you ${used.mine} min, everybody together ${used.all} min.`;
    sentences.append(...[RULES[mode] ?? '', ...ALWAYS, numbers ?? ''].map((sentence) => element('li', '', sentence)));
    this.how.replaceChildren(element('summary', '', 'How turns work'), sentences);
  }

  // Rows that are there stay where they are: one that is put in anew loses the focus.
  #arrange(rows) {
    if (rows.length === this.list.children.length && rows.every((row, n) => row === this.list.children[n])) return;
    const focused = this.list.contains(document.activeElement) ? document.activeElement : null;
    this.list.replaceChildren(...rows);
    focused?.focus();
  }

  #moveBy(job, step) {
    const line = this.state.line.jobs.filter(inLine);
    const place = line.findIndex((other) => other.id === job.id) + step;
    if (line[place]) this.actions.move(job, place);
  }

  // A place in one's own line is changed with mouse, finger or arrow keys; a row that is let go over another takes its place.
  #handle(job, label) {
    const handle = button('⠿', () => {});
    handle.classList.add('atelier-handle');
    handle.title = 'Drag to another place among your own jobs, or use the arrow keys';
    handle.setAttribute('aria-label', label);
    let over = null;
    const mark = (row) => {
      over?.classList.remove('atelier-over');
      over = row;
      over?.classList.add('atelier-over');
    };
    const letGo = () => {
      mark(null);
      this.dragged = false;
      this.draw(this.state);
    };
    handle.addEventListener('pointerdown', (event) => {
      this.dragged = true;
      handle.setPointerCapture(event.pointerId);
    });
    handle.addEventListener('pointermove', (event) => {
      if (!this.dragged) return;
      const row = document.elementFromPoint(event.clientX, event.clientY)?.closest('.atelier-jobs li');
      mark(row?.querySelector('.atelier-handle') ? row : null);
    });
    handle.addEventListener('pointerup', () => {
      const line = this.state.line.jobs.filter(inLine);
      const place = line.findIndex((other) => other.id === over?.dataset.job);
      if (place >= 0 && line[place].id !== job.id) this.actions.move(job, place);
      letGo();
    });
    handle.addEventListener('pointercancel', letGo);
    handle.addEventListener('keydown', (event) => {
      const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
      if (!step) return;
      event.preventDefault();
      event.stopPropagation(); // the canvas has keys of its own
      this.#moveBy(job, step);
    });
    return handle;
  }

  // A row is made once for each state; seconds and steps change in place, so that no button moves under the pointer.
  #row(state, job) {
    const same = `${job.state} ${job.reason} ${job.pictures.length}`;
    let row = this.rows.get(job.id);
    if (!row || row.same !== same) {
      row = { same, ...this.#make(job) };
      this.rows.set(job.id, row);
    }
    const { text, detail } = wordsOf(state, job);
    row.text.textContent = text;
    row.detail.textContent = detail;
    const progress = progressOf(state, job);
    row.meter.hidden = !progress;
    if (progress) Object.assign(row.meter, { max: progress.of, value: progress.done });
    return row.item;
  }

  #make(job) {
    const item = element('li');
    item.dataset.job = job.id;
    item.dataset.mark = job.reason ?? job.state;
    const made = { item, text: element('b'), meter: element('progress'), detail: element('p', 'atelier-detail') };
    const buttons = element('span', 'atelier-buttons');
    const named = (label) => `${label}: job sent at ${new Date(job.submitted_at).toLocaleTimeString()}`;
    const offer = (text, run, label) => {
      const one = button(text, () => run(job));
      one.setAttribute('aria-label', named(label ?? text));
      buttons.append(one);
    };
    if (inLine(job)) buttons.append(this.#handle(job, named('Move')));
    if (job.reason === 'cancelling') offer('Undo', this.actions.keep, 'Undo the cancel');
    else if (job.reason === 'held') offer('Release', this.actions.release);
    if (job.state === 'pending' && job.reason !== 'cancelling') {
      if (inLine(job)) offer('Run first', this.actions.first, 'Run before my other jobs');
      offer('Cancel', this.actions.cancel);
    } else if (job.state === 'running' && job.reason === null) offer('Cancel', this.actions.cancel);
    else if (job.state === 'failed' || job.state === 'cancelled') offer('Run again', this.actions.again);
    if (job.state === 'failed') offer('Copy details', this.actions.copy);
    const pictures = element('span', 'atelier-pictures');
    for (const url of job.pictures) {
      const link = element('a');
      Object.assign(link, { href: url, target: '_blank' });
      const image = element('img');
      Object.assign(image, { src: `${url}&preview=webp;60`, alt: 'Result', loading: 'lazy' });
      link.append(image);
      pictures.append(link);
    }
    item.append(made.text, made.meter, made.detail, pictures, buttons);
    return made;
  }
}
