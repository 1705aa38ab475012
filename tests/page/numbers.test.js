// @ts-check
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { choices, count, duration, inShort, percent, readings, wholePercent } from '../../public/shared/numbers.js';

test('a probability has no more digits than say something, and is never rounded to none', () => {
  const shown = [0, 0.00001, 0.0001, 0.00994, 0.01, 0.0994, 0.0996, 0.5, 1].map(percent);
  assert.deepEqual(shown, ['0%', '<0.01%', '0.01%', '0.99%', '1.0%', '9.9%', '10%', '50%', '100%']);
  assert.equal(percent(null), '–');
  assert.equal(wholePercent(0.996), '100%');
});

test('an entropy is told as so many equally likely choices', () => {
  assert.equal(choices(0), 'about 1 equally likely choice (0.0 bits)');
  assert.equal(choices(Math.log(2.5)), 'about 2.5 equally likely choices (1.3 bits)');
  assert.match(choices(Math.log(12.4)), /^about 12 equally likely choices/);
  assert.equal(choices(Math.log(4096)), 'about 4,096 equally likely choices (12.0 bits)');
});

test('a number of parameters is read at a glance', () => {
  assert.deepEqual([999, 1000, 999499, 999500, 11752320].map(inShort), ['999', '1 k', '999 k', '1 M', '11.8 M']);
  assert.equal(count(1234567.4), '1,234,567');
});

test('a duration is told in the unit that one would use', () => {
  assert.deepEqual([0, 89.4, 90, 5399, 5400].map(duration), [
    '1 seconds',
    '89 seconds',
    '2 minutes',
    '90 minutes',
    '1.5 hours',
  ]);
  assert.deepEqual([null, undefined].map(duration), ['', '']);
});

test('a text that is not read once is read in part', () => {
  assert.deepEqual([0.3, 0.95, 1.5, 9.5].map(readings), [
    '30% of your text',
    'your text once',
    'your text 1.5 times over',
    'your text 10 times over',
  ]);
});
