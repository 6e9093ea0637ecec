// What this browser sent and the server accepted, kept for a while: a server that loses power may forget its last second.
// Then it is known what is gone, and it can be sent again under the same id, which makes it the same job.

import { goesOn } from './words.js';

const KEEP_MS = 15 * 60 * 1000;
const MOST = 50;

function done(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

export class Sent {
  constructor(api) {
    this.api = api;
    this.seen = new Set();
    // One database for each seat: they share an origin.
    const name = `atelier${location.pathname.replace(/[^/]*$/, '')}`;
    const opening = indexedDB.open(name, 1);
    opening.onupgradeneeded = () => opening.result.createObjectStore('sent', { keyPath: 'id' });
    this.database = done(opening);
    this.database.catch(() => {}); // a browser without storage has no second chance, and that is all
  }

  async #store(mode) {
    return (await this.database).transaction('sent', mode).objectStore('sent');
  }

  // Looks at what the editor posts; never in its way.
  watch() {
    const original = this.api.fetchApi.bind(this.api);
    this.post = original;
    this.api.fetchApi = async (route, options) => {
      const answer = await original(route, options);
      if (route === '/prompt' && options?.method === 'POST' && answer.status === 200) {
        this.#remember(answer.clone(), options.body).catch(() => {});
      }
      return answer;
    };
  }

  async #remember(answer, body) {
    const { prompt_id: id } = await answer.json();
    const store = await this.#store('readwrite');
    await done(store.put({ id, at: Date.now(), body }));
    const all = (await done(store.getAll())).sort((a, b) => a.at - b.at);
    const old = all.filter((one, place) => one.at < Date.now() - KEEP_MS || place < all.length - MOST);
    for (const one of old) store.delete(one.id);
  }

  async #remove(ids) {
    if (!ids.length) return;
    const store = await this.#store('readwrite');
    await Promise.all(ids.map((id) => done(store.delete(id))));
  }

  // Which jobs are gone, given what the server shows. Looked at when the store is another one than before, and once after
  // the page was loaded.
  async compare(line, another) {
    const listed = new Set(line.jobs.map((job) => job.id));
    const first = !this.looked;
    this.looked = true;
    const all = await done((await this.#store('readonly')).getAll());
    let gone = this.gone ?? [];
    if (first || another) {
      const unknown = all.filter((one) => !listed.has(one.id));
      const known = await Promise.all(unknown.map((one) => this.post(`/jobs/${one.id}`).then((answer) => answer.status !== 404)));
      gone = unknown.filter((_, at) => !known[at]);
    } else {
      // Whatever left the list in one life of the store was ended or deleted by its owner.
      await this.#remove(all.filter((one) => this.seen.has(one.id) && !listed.has(one.id)).map((one) => one.id));
      gone = gone.filter((one) => !listed.has(one.id));
    }
    const ended = line.jobs.filter((job) => !goesOn(job)).map((job) => job.id);
    await this.#remove(ended.filter((id) => all.some((one) => one.id === id)));
    this.seen = listed;
    this.gone = gone;
    return gone;
  }

  // Answers those that could not be sent.
  async sendAgain(gone) {
    const left = [];
    for (const one of gone) {
      const body = JSON.stringify({ ...JSON.parse(one.body), prompt_id: one.id });
      const headers = { 'Content-Type': 'application/json' };
      const answer = await this.post('/prompt', { method: 'POST', headers, body }).catch(() => null);
      if (answer?.status !== 200) left.push(one);
    }
    this.gone = left;
    return left;
  }

  async forget(gone) {
    await this.#remove(gone.map((one) => one.id));
    this.gone = [];
    return [];
  }
}
