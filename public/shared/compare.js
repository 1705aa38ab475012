// @ts-check
// Who is compared with whom, and what the panel asks the server.

import { startAnew } from './composer.js';
import { download } from './files.js';

/**
 * @typedef {object} Compare
 * @property {[string, string]} models
 * @property {[Page.Settings, Page.Settings]} own What each is set to otherwise than the chat.
 * @property {Page.Settings | null} proposal The settings that were proposed, and not chosen; null before anything was.
 * @property {boolean} blind
 * @property {Page.CompareSetting[]} settings
 * @property {Page.Preset[]} presets
 * @property {string[]} unread For each side why it cannot read the story, or "".
 * @property {Page.Run[]} runs
 * @property {Page.Votes | null} votes
 * @property {string} problem
 * @property {boolean} sure Whether the votes are to be deleted was asked once.
 * @property {string} seen
 */

/** @returns {Compare} */
export const newCompare = () => ({
  models: ['', ''],
  own: [{}, {}],
  proposal: null,
  blind: false,
  settings: [],
  presets: [],
  unread: [],
  runs: [],
  votes: null,
  problem: '',
  sure: false,
  seen: '',
});

/** @type {Partial<Compare> | null} */
let taken = null;

/** Begin a new story for the two of this one; what they begin in has a store of its own. */
export const beginAnew = (/** @type {import('./store.js').Store} */ store) => {
  const { models, own, blind } = compareOf(store);
  taken = { models, own, blind, proposal: {} };
  startAnew();
};

/** The comparison of a new store; that of two who were taken along is open. */
export const arrive = (/** @type {import('./store.js').Store} */ store) => {
  const compare = { ...newCompare(), ...taken };
  if (taken) store.panel = 'compare';
  taken = null;
  store.compare = compare;
  return compare;
};

/** Both as the server is asked for them: a setting that was left empty is none. */
export const contestants = (/** @type {Pick<Compare, 'models' | 'own'>} */ { models, own }) =>
  models.map((model, side) => ({
    model,
    settings: Object.fromEntries(Object.entries(own[side]).filter(([, value]) => value !== '')),
  }));

/**
 * Whom to propose. Of two models one glance often tells who is who, and no vote is blind: so two late steps of the
 * training that the model comes from, or the model as it is set against one preset.
 *
 * @param {string} model
 * @param {Page.Run[]} runs
 * @param {Page.Preset[]} presets
 * @param {string} picked The preset that is in force.
 * @returns {Partial<Compare>}
 */
export const proposed = (model, runs, presets, picked) => {
  const run = runs.find(({ key, steps }) => key === model && steps.length > 2);
  if (run) {
    const [one, other] = run.steps.slice(-2);
    return { models: [one.key, other.key], proposal: {} };
  }
  const wanted = picked === 'Careful' ? 'Story' : 'Careful';
  const proposal = { ...presets.find(({ name }) => name === wanted)?.settings };
  return { models: [model, model], proposal, own: [{}, proposal] };
};

/**
 * Another model, or other settings of its own, for one side. Nothing is proposed any more to someone who has chosen,
 * even if the proposal is on its way; and what was proposed for one model says nothing of another.
 */
export const choose = (
  /** @type {Compare} */ c,
  /** @type {number} */ side,
  /** @type {{model?: string, own?: Page.Settings}} */ { model, own },
) => {
  if (model !== undefined) {
    c.models[side] = model;
    c.unread = [];
    for (const each of [0, 1]) if (c.own[each] === c.proposal) c.own[each] = {};
  }
  if (own) c.own[side] = own;
  c.proposal ??= {};
};

/** The store's comparison; it is made with the element, before any of what follows is called. */
const compareOf = (/** @type {import('./store.js').Store} */ store) => /** @type {Compare} */ (store.compare);

/** Ask for what the panel shows; the first time, propose whom to compare. */
export const load = async (/** @type {import('./store.js').Store} */ store) => {
  const c = compareOf(store);
  const put = (/** @type {Promise<object>} */ asked) =>
    asked.then(
      (answer) => {
        Object.assign(c, answer);
        c.problem = '';
      },
      (error) => {
        c.problem = /** @type {Error} */ (error).message;
      },
    );
  const asked = String(c.models);
  const compared = store.query({ query: 'compare', models: c.models });
  await Promise.all([
    // Of models that were left meanwhile nothing is to be said.
    put(compared.then((answer) => (asked === String(c.models) ? answer : { ...answer, unread: [] }))),
    put(store.query({ query: 'runs' })),
    loadVotes(store),
  ]);
  // Of two models one glance often tells who is who: so something better is proposed, once.
  if (!c.proposal && c.presets.length)
    Object.assign(
      c,
      proposed(store.model || store.state?.model || '', c.runs, c.presets, store.state?.tuning.preset || ''),
    );
  store.tell();
};

const loadVotes = async (/** @type {import('./store.js').Store} */ store) => {
  try {
    compareOf(store).votes = await store.query({ query: 'votes' });
  } catch (error) {
    compareOf(store).problem = error.message;
  }
  store.tell();
};

/** Give the browser all votes as a file. */
export const saveCsv = async (/** @type {import('./store.js').Store} */ store) =>
  download({ type: 'text/csv', part: 0, of: 1, ...(await store.query({ query: 'votes_csv' })) });

/** Delete all votes; asked once, it asks back. */
export const forget = async (/** @type {import('./store.js').Store} */ store) => {
  const c = compareOf(store);
  if (!c.sure) c.sure = true;
  else {
    c.sure = false;
    await store.command({ command: 'votes_forget' });
    await loadVotes(store);
  }
  store.tell();
};
