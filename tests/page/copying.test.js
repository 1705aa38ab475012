// @ts-check
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { wordsBetween } from '../../public/shared/copying.js';

test('what is copied has the line ends of the story and no others', () => {
  const parts = ['Once ', 'upon\n', 'a ', 'time'];
  assert.equal(wordsBetween(parts, { part: 0, at: 2 }, { part: 2, at: 1 }), 'ce upon\na');
  assert.equal(wordsBetween(parts, { part: 1, at: 1 }, { part: 1, at: 3 }), 'po');
});
