// @ts-check
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fits } from '../../public/shared/passage_node.js';
import { stretchesOf } from '../../public/shared/stretches.js';

const passage = (/** @type {string[]} */ ...tokens) =>
  /** @type {Page.Passage} */ (/** @type {any} */ ({ id: 'a', author: 'model', tokens, odds: [] }));
const runOf = (/** @type {Page.Passage} */ one) => stretchesOf([one])[0][0];
const drawn = (/** @type {Page.Passage} */ one, plain = false) => ({ run: runOf(one), plain });

test('a passage is drawn on where it grew, also in the state that the server sends of it', () => {
  const one = passage('It', ' was');
  const before = drawn(one);
  one.tokens.push(' dark');
  assert.ok(fits(before, runOf(one)));
  assert.ok(fits(before, runOf(passage('It', ' was', ' dark'))));
  assert.ok(!fits({ ...before, plain: true }, runOf(one)));
  assert.ok(fits(drawn(one, true), runOf(passage('It', ' was', ' dark'))));
});

test('a passage whose first token became several is drawn anew, and not its last ones twice', () => {
  const before = drawn(passage('ella', ' was', ' dark', '.'));
  assert.ok(!fits(before, runOf(passage('el', 'la', ' was', ' dark', '.'))));
  assert.ok(!fits(before, runOf(passage('ella', ' was', ' black'))));
  assert.ok(!fits(before, runOf(passage('ella', ' was', ' bark', '.'))));
});
