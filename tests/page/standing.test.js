// @ts-check
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { askedFor, goes, rows } from '../../public/shared/standing.js';

/** @type {Page.Mark[]} */
const SCALE = [
  { kind: 'noise', label: 'Noise', bits: 6.0444 },
  { kind: 'table', label: 'Looks up the last letter', bits: 3.0222 },
  { kind: 'model', label: 'mine', bits: 0.002 },
];

test('each bar is its share of noise, and each figure has two digits behind the point', () => {
  assert.deepEqual(
    rows(SCALE).map(({ kind, shown, width }) => [kind, shown, width]),
    [
      ['noise', '6.04', 100],
      ['table', '3.02', 50],
      ['model', '0.00', 0],
    ],
  );
  assert.deepEqual(rows([]), []);
  assert.equal(rows([{ kind: 'model', label: 'mine', bits: 0 }])[0].width, 0);
});

test('an advice leads to the panel that does it, where there is one', () => {
  const to = (/** @type {'train' | 'tune' | ''} */ panel) => goes({ kind: 'text', text: '', panel });
  assert.deepEqual([to('train'), to('tune'), to('')], ['Open “Train”', 'Open “Tune”', '']);
});

test('it is asked anew for another model, and when the settings change', () => {
  const state = /** @type {any} */ ({ tuning: { set: {} }, models: [{ key: 'mine' }] });
  const asked = askedFor('mine', state);
  assert.equal(askedFor('mine', { ...state, revision: 7 }), asked);
  assert.notEqual(askedFor('other', state), asked);
  assert.notEqual(askedFor('mine', { ...state, tuning: { set: { temperature: 2 } } }), asked);
  assert.notEqual(askedFor('mine', null), asked);
});
