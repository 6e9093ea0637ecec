// The bar under the canvas: one job's state in words, why, what the instructor said, and a way to the rest.
import { button, element, progressOf, since, wordsOf } from './words.js';

const DISMISSED = 'atelier.dismissed';

export class Bar {
  constructor(actions) {
    this.actions = actions;
    this.element = element('section', 'atelier-bar');
    this.element.setAttribute('aria-label', 'Workshop');
    this.chip = element('button', 'atelier-chip');
    this.chip.type = 'button';
    this.chip.title = 'Show all my jobs';
    this.chip.addEventListener('click', () => actions.open());
    this.announced = element('span', 'atelier-hidden');
    this.announced.setAttribute('role', 'status');
    this.meter = element('progress');
    this.detail = element('span', 'atelier-detail');
    this.buttons = element('span', 'atelier-buttons');
    this.message = element('span', 'atelier-message');
    this.message.setAttribute('role', 'status');
    this.element.append(this.chip, this.announced, this.meter, this.detail, this.buttons, this.message);
    this.drawn = '';
  }

  draw(state) {
    const { mark, text, detail, job } = this.#first(state);
    this.chip.dataset.mark = mark;
    this.chip.textContent = text;
    this.detail.textContent = detail;
    this.detail.title = detail;
    const progress = job && progressOf(state, job);
    this.meter.hidden = !progress;
    if (progress) {
      this.meter.max = progress.of;
      this.meter.value = progress.done;
    }
    // Seconds and percent are not read out, the state is.
    const spoken = job?.text ?? text;
    if (this.announced.textContent !== spoken) this.announced.textContent = spoken;
    this.#drawButtons(state, job);
    this.#drawMessage(state);
  }

  // The one thing to say, the most urgent first.
  #first(state) {
    const { line, connected, gone } = state;
    if (!connected) {
      const detail = `Your jobs continue. Last update ${since(state.heardAt)} ago.`;
      return { mark: 'lost', text: 'Reconnecting…', detail };
    }
    if (gone.length) {
      const detail = 'The server lost power before they were stored. Send them again?';
      return { mark: 'failed', text: `${gone.length} ${gone.length === 1 ? 'job was' : 'jobs were'} lost`, detail };
    }
    if (!line) return { mark: 'idle', text: 'Connecting…', detail: '' };
    if (state.trouble) return { mark: 'failed', text: 'Not done', detail: state.trouble };
    const job = line.jobs[0];
    if (job) return { mark: job.reason ?? job.state, ...wordsOf(state, job), job };
    const detail = line.simulated
      ? 'A simulated ComfyUI runs here: its pictures are patterns, nobody’s film.'
      : 'Nothing of yours waits or runs.';
    return { mark: 'idle', text: 'Ready', detail };
  }

  #drawButtons(state, job) {
    const wanted = [];
    if (state.connected && state.gone.length) wanted.push(['Send again', this.actions.sendAgain], ['Forget', this.actions.forget]);
    else if (job?.reason === 'cancelling') wanted.push(['Undo', () => this.actions.keep(job)]);
    else if (job?.state === 'pending' || (job?.state === 'running' && job.reason !== 'stopping'))
      wanted.push(['Cancel', () => this.actions.cancel(job)]);
    const drawn = wanted.map(([text]) => text).join() + (job?.id ?? '');
    if (drawn === this.drawn) return; // a button under the pointer stays the same button
    this.drawn = drawn;
    this.buttons.replaceChildren(...wanted.map(([text, run]) => button(text, run)));
  }

  #drawMessage(state) {
    const dismissed = Number(localStorage.getItem(DISMISSED) ?? 0);
    const message = state.line?.messages.find((said) => said.at > dismissed);
    if (this.shown === message?.id) return;
    this.shown = message?.id;
    if (!message) return this.message.replaceChildren();
    const close = button('×', () => {
      localStorage.setItem(DISMISSED, message.at);
      this.#drawMessage(state);
    });
    close.setAttribute('aria-label', 'Dismiss this message');
    this.message.replaceChildren(element('b', '', 'Instructor: '), element('span', '', message.text), close);
  }
}
