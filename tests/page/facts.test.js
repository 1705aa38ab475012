// @ts-check
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { factsInWords } from '../../public/shared/facts.js';

const FACTS = {
  model: 'stories',
  settings: [{ name: 'temperature', label: 'Temperature', value: '0.8' }],
  ...{ seed: '9007199254740993', tokens: 1, rate: 12, ending: 'came to its end', moved: false, core: 'numba bfloat16' },
};

test('the facts of a passage end with the seed that brings it again, digit for digit', () => {
  const { about, settings, made } = factsInWords(FACTS);
  assert.equal(about, ' · came to its end');
  assert.deepEqual(settings.at(-1), { name: 'seed', label: 'Seed', value: '9007199254740993' });
  assert.equal(made, '1 token · 12 a second · numba bfloat16');
});

test('what is not known of a passage is not said', () => {
  assert.equal(factsInWords({ ...FACTS, seed: null }).settings.length, 1);
  assert.equal(factsInWords({ ...FACTS, tokens: 2, rate: null, core: null }).made, '2 tokens');
  assert.deepEqual(factsInWords({ ...FACTS, ending: null }), { ...factsInWords(FACTS), about: '', made: '' });
  assert.match(factsInWords({ ...FACTS, moved: true }).about, / · the words before it were changed since$/);
});
