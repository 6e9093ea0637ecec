// Small things that bar and list share. The words about a job are the server's; only what changes by the second is said
// here.

export function element(name, className, text) {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text) made.textContent = text;
  return made;
}

export function button(text, run) {
  const made = element('button', 'atelier-button', text);
  made.type = 'button';
  made.addEventListener('click', run);
  return made;
}

export function clock(ms) {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  const two = (number) => String(number).padStart(2, '0');
  return hours ? `${hours}:${two(minutes)}:${two(seconds % 60)}` : `${minutes}:${two(seconds % 60)}`;
}

export const goesOn = (job) => job.state === 'pending' || job.state === 'running';

export const since = (moment) => `${Math.max(0, Math.round((Date.now() - moment) / 1000))} s`;

export const progressOf = (state, job) => (job.state === 'running' && job.reason !== 'stopping' ? state.progress.get(job.id) : null);

// {text, detail} of a job, with the seconds and steps of now.
export function wordsOf(state, job) {
  if (job.state !== 'running' || job.reason === 'stopping') return { text: job.text, detail: job.detail };
  const ran = Date.now() + state.clockAhead - job.started_at;
  const detail = `${clock(ran)} so far. ${job.detail}`;
  const progress = state.progress.get(job.id);
  if (!progress) return { text: job.text, detail };
  const percent = Math.round((100 * progress.done) / Math.max(1, progress.of));
  return { text: `${percent} % · ${progress.node} ${progress.done}/${progress.of}`, detail };
}
