// @ts-check
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { contestants, proposed } from '../../public/shared/compare.js';

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
