// @ts-check
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LEAST, stretchesOf } from '../../public/shared/stretches.js';

const passage = (/** @type {string} */ id, /** @type {string[]} */ ...tokens) =>
  /** @type {Page.Passage} */ (/** @type {any} */ ({ id, author: 'model', tokens, odds: [] }));
const told = (/** @type {ReturnType<typeof stretchesOf>} */ stretches) =>
  stretches.map((runs) => runs.map(({ passage: { id }, from, to, goesOn }) => [id, from, to, goesOn]));
const LINE = `${'word '.repeat(10)}\n`;
const FULL = Math.ceil(LEAST / LINE.length);
const lines = (/** @type {number} */ count) => Array.from({ length: count }, () => LINE);

test('a short story is one stretch, with a place for a passage without words', () => {
  const story = [passage('a', 'Once', ' upon\n'), passage('b'), passage('c', ' a')];
  assert.deepEqual(told(stretchesOf(story)), [
    [
      ['a', 0, 2, false],
      ['b', 0, 0, false],
      ['c', 0, 1, false],
    ],
  ]);
  assert.deepEqual(told(stretchesOf([])), [[]]);
});

test('a long story is cut after the line in which a stretch has its length, also within a passage', () => {
  const story = [passage('a', ...lines(FULL + 2)), passage('b', 'and', ' more')];
  assert.deepEqual(told(stretchesOf(story)), [
    [['a', 0, FULL, true]],
    [
      ['a', FULL, FULL + 2, false],
      ['b', 0, 2, false],
    ],
  ]);
  const even = [passage('a', ...lines(FULL)), passage('b', 'and')];
  assert.deepEqual(told(stretchesOf(even)), [[['a', 0, FULL, false]], [['b', 0, 1, false]]]);
  assert.deepEqual(told(stretchesOf([even[0]])), [[['a', 0, FULL, false]]]);
});

test('where no line ends, nothing is cut', () => {
  assert.equal(stretchesOf([passage('a', ...lines(5 * FULL).map((line) => line.trim()))]).length, 1);
});

test('a stretch holds its words, and what follows it changes nothing in it', () => {
  const story = [passage('a', 'Once\n'), ...['b', 'c', 'd'].map((id) => passage(id, ...lines(FULL - 3), ' and'))];
  const cut = stretchesOf(story);
  const words = cut.map((runs) => runs.map(({ passage: { tokens }, from, to }) => tokens.slice(from, to).join('')));
  assert.equal(words.flat().join(''), story.flatMap(({ tokens }) => tokens).join(''));
  assert.deepEqual(
    cut.map((runs) => runs.map(({ size }) => size)),
    words.map((runs) => runs.map((each) => each.length)),
  );
  assert.ok(cut.length > 2);
  for (let count = 1; count < story.length; count++) {
    const before = told(stretchesOf(story.slice(0, count)));
    assert.deepEqual(told(cut).slice(0, before.length - 1), before.slice(0, -1));
  }
  // It is cut on from any stretch as from the beginning.
  cut.forEach((runs, at) => {
    assert.deepEqual(stretchesOf(story, runs[0].at, runs[0].from), cut.slice(at));
  });
});
