// @ts-check
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { path, roundSteps, scales, short } from '../../public/shared/curve.js';

test('an axis has about four round values', () => {
  assert.deepEqual(roundSteps(1.4, 4.2), [2, 3, 4]);
  assert.deepEqual(roundSteps(0, 0.9), [0, 0.5]);
  assert.deepEqual(roundSteps(2, 2), [2]);
  assert.deepEqual([100, 10000, 2500000].map(short), ['100', '10k', '2.5M']);
});

test('a curve stays within its picture, and step 0 has a place', () => {
  /** @type {Page.Curve} */
  const curve = {
    train: [
      [0, 4.2],
      [1000, 1.5],
    ],
    valid: [[500, 1.4]],
  };
  const { x, y, last } = scales(curve, [2000], 640, 250);
  assert.equal(last, 2000);
  assert.deepEqual([x(0), x(2000)], [44, 628]);
  assert.ok(x(10) < x(100) && x(100) < x(1000));
  assert.ok(y(4.2) > 10 && y(4.2) < y(1.4) && y(1.4) < 250 - 34);
  assert.match(path(curve.train, x, y), /^M44\.0 [\d.]+L[\d.]+ [\d.]+$/);
});

test('one loss alone is drawn too', () => {
  const { x, y } = scales({ train: [[0, 2]], valid: [] }, [], 640, 250);
  assert.ok([x(0), y(2)].every(Number.isFinite));
});
