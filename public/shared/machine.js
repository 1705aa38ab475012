// @ts-check
// The time machine: which steps of a run are written, and what they wrote. It is kept in the store, by step and
// settings, so that sliding back is instant. The server writes for one request at a time and sends its text as
// "machine_news".
import { uuid } from './store.js';

const SLIDE_MS = 250; // a slider that still moves asks for nothing
const PLAY_MS = 1300; // so long is each step looked at

/**
 * @typedef {import('./store.js').Store} Store
 * @typedef {import('@chainlit/react-client').Socket} Socket
 *
 * @typedef {object} Entry What a step wrote, or is about to.
 * @property {string} text
 * @property {boolean} done
 * @property {string} born Changes when it is written anew.
 * @property {string} [ending]
 * @property {number} [tokens]
 * @property {string} [known]
 * @property {string} [error]
 * @property {boolean} [stopped] It was cut off: in sight, but not done.
 * @property {boolean} [drawn]
 *
 * @typedef {object} Machine
 * @property {Page.Run[] | null} runs
 * @property {string} problem
 * @property {string | null} run
 * @property {number} at The place of the step that is looked at.
 * @property {string | null} prompt null, as the next two: as the run suggests.
 * @property {number | null} temperature
 * @property {string | null} length
 * @property {string} seed
 * @property {Map<string, Entry>} texts By `asked`.
 * @property {{id: string, wanted: Map<string, string>} | null} job What the server writes now: `asked` by step.
 * @property {boolean} waits
 * @property {boolean} playing
 * @property {ReturnType<typeof setTimeout> | undefined} timer
 * @property {Socket} [socket]
 * @property {[string, (data: any) => void][]} [hears]
 */

/** @returns {Machine} */
export const newMachine = () => ({
  ...{ runs: null, problem: '', run: null, at: 0 },
  ...{ prompt: null, seed: '1', temperature: null, length: null },
  ...{ texts: new Map(), job: null, waits: false, playing: false, timer: undefined },
});

export const runOf = (/** @type {Machine} */ m) => m.runs?.find((run) => run.key === m.run) || null;
/** The step that is looked at; undefined where there is no run. */
export const stepOf = (/** @type {Machine} */ m) => {
  const run = runOf(m);
  return run?.steps[Math.min(m.at, run.steps.length - 1)];
};
export const promptOf = (/** @type {Machine} */ m) => m.prompt ?? runOf(m)?.starters[0] ?? '';
export const temperatureOf = (/** @type {Machine} */ m) => m.temperature ?? runOf(m)?.temperature;
export const lengthOf = (/** @type {Machine} */ m) => m.length ?? runOf(m)?.length;

/** All that a text depends on. */
export const asked = (/** @type {Machine} */ m, /** @type {Page.SavedStep} */ step) =>
  JSON.stringify([step.key, step.version, promptOf(m), m.seed, temperatureOf(m), lengthOf(m)]);
export const textOf = (/** @type {Machine} */ m, /** @type {Page.SavedStep} */ step) => m.texts.get(asked(m, step));
export const isDone = (/** @type {Machine} */ m, /** @type {Page.SavedStep} */ step) => Boolean(textOf(m, step)?.done);

/** What is said of a step's text below it. */
export const noteOn = (/** @type {Entry | undefined} */ entry, /** @type {boolean} */ waits) => {
  if (!entry) return 'Nothing is written at this step yet with these settings.';
  if (entry.error) return '';
  if (entry.done) return [`${entry.tokens} tokens`, entry.ending, entry.known].filter(Boolean).join(' · ');
  if (entry.stopped) return 'stopped before it was done';
  if (waits) return 'waiting for a place…';
  return entry.text ? 'writing…' : 'its turn will come…';
};

/** The store's machine; it is made with the element, before any of what follows is called. */
const machineOf = (/** @type {Store} */ store) => /** @type {Machine} */ (store.machine);

/** Nothing is being written any more; what was cut off stays in sight, but does not count as written. */
export const giveUp = (/** @type {Machine} */ m) => {
  m.job?.wanted.forEach((key) => {
    const entry = m.texts.get(key);
    if (entry && !entry.done && entry.text) entry.stopped = true;
    else if (entry && !entry.done) m.texts.delete(key);
  });
  m.job = null;
  m.waits = false;
};

/**
 * Take in what the server says.
 *
 * @param {Machine} m
 * @param {Page.MachineNews} data
 * @returns {Entry | null | undefined} what it was about; undefined where it is of no job of now
 */
export const hear = (m, data) => {
  if (!m.job || data.job !== m.job.id) return undefined;
  m.waits = Boolean(data.waits);
  const key = m.job.wanted.get(data.step || '');
  const entry = (key && m.texts.get(key)) || null;
  if (data.text !== undefined && entry) entry.text += data.text;
  if (data.ending !== undefined && entry)
    Object.assign(entry, { ending: data.ending, tokens: data.tokens, done: true });
  if (data.words !== undefined && entry)
    entry.known = `${data.known} of its ${data.words} words stand in its training text`;
  if (data.error && entry) Object.assign(entry, { error: data.error, done: true });
  else if (data.error) m.problem = data.error;
  if (data.over) giveUp(m);
  return entry;
};

// Text as it comes is drawn by hand: the rest of the page need not hear of it.
const paint = (/** @type {Store} */ store) => {
  const node = document.getElementById('machine-written');
  const step = stepOf(machineOf(store));
  const entry = step && textOf(machineOf(store), step);
  if (node && entry) node.textContent = entry.text;
  return Boolean(node);
};

/** Hear the socket, one at a time; it goes on hearing while Chainlit remounts the element. */
export const listen = (/** @type {Store} */ store, /** @type {Socket} */ socket) => {
  const m = machineOf(store);
  const before = m.socket;
  if (before === socket) return;
  if (before) m.hears?.forEach(([event, each]) => before.off(event, each));
  const news = (/** @type {Page.MachineNews} */ data) => {
    const entry = hear(m, data);
    if (entry === undefined) return;
    if (data.text !== undefined && entry?.drawn && paint(store)) return;
    if (entry) entry.drawn = true;
    store.tell();
  };
  const gone = () => {
    giveUp(m);
    store.tell();
  };
  m.socket = socket;
  m.hears = [
    ['machine_news', news],
    ['disconnect', gone],
  ];
  m.hears.forEach(([event, each]) => socket.on(event, each));
};

export const stop = (/** @type {Store} */ store) => {
  const m = machineOf(store);
  clearTimeout(m.timer);
  m.playing = false;
  if (m.job) m.socket?.emit('machine_stop');
  giveUp(m);
};

/** Have those of the steps written that are not. */
export const write = (/** @type {Store} */ store, /** @type {Page.SavedStep[]} */ steps) => {
  const m = machineOf(store);
  const missing = steps.filter((step) => !isDone(m, step) || textOf(m, step)?.error);
  giveUp(m);
  m.problem = '';
  if (missing.length) {
    const id = uuid();
    m.job = { id, wanted: new Map(missing.map((step) => [step.key, asked(m, step)])) };
    missing.forEach((step) => m.texts.set(asked(m, step), { text: '', done: false, born: uuid() }));
    m.socket?.emit('machine_write', {
      ...{ job: id, steps: missing.map((step) => step.key), prompt: promptOf(m) },
      ...{ seed: m.seed, temperature: temperatureOf(m), max_new_tokens: lengthOf(m) },
    });
  } else stop(store);
  store.tell();
};

/** Go to a step: what was written is there at once, what was not is asked for when the slider rests. */
export const go = (/** @type {Store} */ store, /** @type {number} */ at) => {
  const m = machineOf(store);
  m.at = at;
  clearTimeout(m.timer);
  const step = stepOf(m);
  if (step && !isDone(m, step) && m.job?.wanted.get(step.key) !== asked(m, step))
    m.timer = setTimeout(() => write(store, [step]), SLIDE_MS);
  store.tell();
};

/** Go through the run from here to its end, writing what is missing; a second call stops it. */
export const play = (/** @type {Store} */ store) => {
  const m = machineOf(store);
  const steps = runOf(m)?.steps || [];
  if (m.playing || !steps.length) {
    stop(store);
    store.tell();
    return;
  }
  m.playing = true;
  if (m.at >= steps.length - 1) m.at = 0;
  if (!steps.every((step) => isDone(m, step))) write(store, [...steps.slice(m.at), ...steps.slice(0, m.at)]);
  const next = () => {
    if (!m.playing) return;
    const step = stepOf(m);
    const [done, last] = [step && isDone(m, step), m.at >= steps.length - 1];
    if (done && last) m.playing = false;
    else if (done) m.at += 1;
    else if (!m.job) m.playing = false;
    if (m.playing) m.timer = setTimeout(next, PLAY_MS);
    store.tell();
  };
  m.timer = setTimeout(next, PLAY_MS);
  store.tell();
};

/** Take another run, at its end, as it suggests. */
export const choose = (/** @type {Store} */ store, /** @type {string} */ key) => {
  const m = machineOf(store);
  stop(store);
  Object.assign(m, { run: key, prompt: null, temperature: null, length: null });
  m.at = Math.max(0, (runOf(m)?.steps.length || 0) - 1);
  store.tell();
};

/** Ask otherwise from now on: other words to begin with, another seed, temperature or length. */
export const set = (
  /** @type {Store} */ store,
  /** @type {'prompt' | 'seed' | 'temperature' | 'length'} */ name,
  /** @type {string} */ value,
) => {
  stop(store);
  Object.assign(machineOf(store), { [name]: name === 'temperature' ? Number(value) : value });
  store.tell();
};

/** Ask which runs there are: steps may have come, or gone, since the panel was last open. */
export const findRuns = async (/** @type {Store} */ store) => {
  const m = machineOf(store);
  try {
    const { runs } = await store.query({ query: 'runs' });
    const before = stepOf(m);
    Object.assign(m, { runs, problem: '' });
    const run = runOf(m);
    if (!run && runs.length) {
      choose(store, (runs.find((each) => each.key === store.model) || runs[0]).key);
      return;
    }
    const at = run && before ? run.steps.findIndex((step) => step.key === before.key) : -1;
    if (at >= 0) m.at = at;
  } catch (error) {
    m.problem = /** @type {Error} */ (error).message;
  }
  store.tell();
};
