// @ts-check
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { lastUpTo, textOf } from '../../public/shared/places.js';

test('of growing numbers the last one up to another is found', () => {
  const numbers = [0, 2, 2, 7];
  const found = [-1, 0, 1, 2, 6, 7, 99].map((wanted) => lastUpTo(numbers.length, (at) => numbers[at], wanted));
  assert.deepEqual(found, [-1, 0, 0, 2, 2, 3, 3]);
  assert.equal(
    lastUpTo(0, () => 0, 5),
    -1,
  );
});

test('the text is that of all passages, whatever they are made of', () => {
  const passages = /** @type {any} */ ([{ tokens: ['The', ' fox'] }, { tokens: [] }, { tokens: [' sat'] }]);
  assert.equal(textOf({ passages }), 'The fox sat');
});
