// @ts-check
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { wordsIn } from '../../public/shared/in_place.js';

test('the line end that keeps the end of an editable text open is none of its words', () => {
  const field = (/** @type {string | null} */ textContent) => /** @type {any} */ ({ textContent });
  assert.equal(wordsIn(field('A cat.\n')), 'A cat.');
  assert.equal(wordsIn(field('A cat.\n\n\n')), 'A cat.\n\n');
  assert.equal(wordsIn(field('\n')), '');
  // Where a browser took it away nothing is lost.
  assert.equal(wordsIn(field('A cat.')), 'A cat.');
  assert.equal(wordsIn(field(null)), '');
});
