// @ts-check
// What the panel of trainings knows, and what it asks the server.
import { pieces, readText } from './files.js';

/**
 * @typedef {import('./store.js').Store} Store
 * @typedef {import('./store.js').Train} Train
 *
 * @typedef {object} Asked What a button of a training asks for.
 * @property {'training_halt' | 'training_resume' | 'training_share'} command
 * @property {string} key
 * @property {boolean} [for_good]
 * @property {boolean} [shared]
 */

export const MOST_BYTES = 5_000_000;

/** @returns {Train} */
export const newTrain = () => ({
  runs: [],
  others: false,
  text: null,
  plan: null,
  language: null,
  source: '',
  status: '',
  error: '',
});

/** The store's trainings; they are made with the element, before any of what follows is called. */
const trainOf = (/** @type {Store} */ store) => /** @type {Train} */ (store.train);

/** @param {Store} store @param {Partial<Train>} more */
const put = (store, more) => {
  Object.assign(trainOf(store), more);
  store.tell();
};

const failed = (/** @type {Store} */ store, /** @type {Error} */ error) =>
  put(store, { error: error.message, status: '' });

/** Ask how the trainings are. */
export const refresh = async (/** @type {Store} */ store) => {
  try {
    const { runs, others } = await store.query({ query: 'training' });
    put(store, { runs, others });
  } catch (error) {
    put(store, { error: error.message });
  }
};

/** @param {Store} store @param {Asked | {command: 'training_start'}} request @param {Partial<Train>} [then] */
const done = async (store, request, then) => {
  try {
    await store.command(/** @type {any} */ (request));
  } catch (error) {
    put(store, { error: error.message });
    return;
  }
  put(store, { error: '', ...then });
  await refresh(store);
};

/** Do what a button of a training says. @param {Store} store @param {Asked} request */
export const change = (store, request) => done(store, request);

/** Begin what was planned. */
export const start = (/** @type {Store} */ store) =>
  done(store, { command: 'training_start' }, { text: null, plan: null });

/**
 * Ask how long it would take.
 *
 * @param {Store} store
 * @param {{source: string, propose?: boolean}} request propose: the server may say what to begin from.
 */
export const plan = async (store, request) => {
  const status = 'trying a few steps, to see how fast this machine is';
  put(store, { source: request.source, plan: null, error: '', status });
  try {
    const found = await store.command({ command: 'training_plan', ...request });
    const language = found.language || trainOf(store).language;
    put(store, { plan: found, source: found.source, language, status: '' });
  } catch (error) {
    failed(store, error);
  }
};

/** Send a text to train on, piece by piece, and ask for a plan. @param {Store} store @param {File | undefined} file */
export const bring = async (store, file) => {
  if (!file) return;
  put(store, { text: null, plan: null, language: null, error: '', status: 'reading' });
  try {
    if (file.size > MOST_BYTES)
      throw new Error(`“${file.name}” has ${(file.size / 1e6).toFixed(1)} MB; here up to 5 MB can be trained on.`);
    const text = await readText(file, 'bring it again');
    /** @type {Page.Commands['training_text'] | null} */
    let found = null;
    for (const piece of pieces(file.name, text)) found = await store.command({ command: 'training_text', ...piece });
    put(store, { text: found });
  } catch (error) {
    failed(store, error);
    return;
  }
  await plan(store, { source: '', propose: true });
};
