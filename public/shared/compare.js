// @ts-check
// Who is compared with whom.

/**
 * @typedef {object} Compare
 * @property {[string, string]} models
 * @property {[Page.Settings, Page.Settings]} own What each is set to otherwise than the chat.
 * @property {Page.Settings | null} proposal The settings that were proposed, and not chosen.
 * @property {boolean} blind
 * @property {Page.CompareSetting[]} settings
 * @property {Page.Preset[]} presets
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
  runs: [],
  votes: null,
  problem: '',
  sure: false,
  seen: '',
});

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
