// @ts-check
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { stepTo } from '../../public/shared/walk.js';

test('arrows walk from one to the next, and stop at both ends', () => {
  assert.equal(stepTo('ArrowDown', 1, 3), 2);
  assert.equal(stepTo('ArrowRight', 2, 3), 2);
  assert.equal(stepTo('ArrowUp', 0, 3), 0);
  assert.equal(stepTo('End', 0, 3), 2);
  assert.equal(stepTo('Home', 2, 3), 0);
  assert.equal(stepTo('x', 1, 3), null);
});
