// @ts-check
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { choose, contestants, load, newCompare, proposed } from '../../public/shared/compare.js';

const PRESETS = ['Careful', 'Story'].map((name) => ({ name, about: '', own: false, settings: { temperature: name } }));
/** @returns {Page.Run} */
const run = (/** @type {number} */ steps) => ({
  ...{ key: 'mine', starters: [], temperature: 1, window: 64, length: 100, curve: { train: [], valid: [] } },
  steps: Array.from({ length: steps }, (_, at) => ({
    key: `mine@${at}`,
    version: '1',
    step: at,
    val_loss: null,
    says: [],
  })),
});

test('a setting that is left empty is none of a contestant’s own', () => {
  const asked = contestants({ models: ['a', 'b'], own: [{ temperature: '1', top_k: '' }, {}] });
  assert.deepEqual(asked, [
    { model: 'a', settings: { temperature: '1' } },
    { model: 'b', settings: {} },
  ]);
});

test('two late steps of its own training are proposed first', () => {
  assert.deepEqual(proposed('mine', [run(4)], PRESETS, 'As set').models, ['mine@2', 'mine@3']);
});

test('a model without such a training meets itself under another preset', () => {
  const { models, own, proposal } = proposed('mine', [run(2)], PRESETS, 'As set');
  assert.deepEqual(models, ['mine', 'mine']);
  assert.deepEqual(own, [{}, { temperature: 'Careful' }]);
  assert.equal(own?.[1], proposal);
  assert.deepEqual(proposed('mine', [], PRESETS, 'Careful').proposal, { temperature: 'Story' });
});

/** A store whose answers come when they are let go. */
const waiting = () => {
  /** @type {(nothing?: unknown) => void} */
  let answer = () => {};
  const promise = new Promise((resolve) => {
    answer = resolve;
  });
  const store = /** @type {any} */ ({ compare: newCompare(), model: 'mine', state: null, tell() {} });
  store.query = (/** @type {{query: string}} */ { query }) =>
    promise.then(
      () => ({ compare: { settings: [], presets: PRESETS }, runs: { runs: [] }, votes: { count: 0 } })[query],
    );
  return { store, answer: () => answer() };
};

test('the first time somebody is proposed', async () => {
  const { store, answer } = waiting();
  answer();
  await load(store);
  assert.deepEqual(store.compare.models, ['mine', 'mine']);
  assert.deepEqual(store.compare.own, [{}, { temperature: 'Careful' }]);
});

test('who was chosen before the proposal came is not proposed away', async () => {
  for (const chosen of [{ model: 'other' }, { own: { temperature: '9' } }]) {
    const { store, answer } = waiting();
    const loading = load(store);
    choose(store.compare, 1, chosen);
    answer();
    await loading;
    assert.equal(store.compare.models[1], chosen.model ?? '');
    assert.deepEqual(store.compare.own, [{}, chosen.own ?? {}]);
  }
});

test('that a model cannot read the story is not said of the one that was chosen since', async () => {
  const { store, answer } = waiting();
  Object.assign(store.compare, { models: ['strange', 'mine'], proposal: {} });
  const told = store.query;
  store.query = (/** @type {{query: string}} */ asked) =>
    told(asked).then((/** @type {object} */ data) =>
      asked.query === 'compare' ? { ...data, unread: ['why', ''] } : data,
    );
  const loading = load(store);
  choose(store.compare, 0, { model: 'other' });
  answer();
  await loading;
  assert.deepEqual(store.compare.unread, []);
  await load(store);
  assert.deepEqual(store.compare.unread, ['why', '']);
});

test('what was proposed for one model goes when another is chosen, what was chosen stays', () => {
  const c = { ...newCompare(), ...proposed('mine', [], PRESETS, '') };
  choose(c, 0, { own: { top_k: '5' } });
  choose(c, 1, { model: 'other' });
  assert.deepEqual(
    [c.models, c.own],
    [
      ['mine', 'other'],
      [{ top_k: '5' }, {}],
    ],
  );
});
