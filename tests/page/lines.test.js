// @ts-check
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isMade, lineOf, MOST_SENT, stands, tooLong, wordsIn } from '../../public/shared/lines.js';

/** @param {'writer' | 'model'} author @param {string} text */
const passage = (id, author, text) => ({ id, author, tokens: [text] });

test('a line that is too long is refused with how long it may be', () => {
  assert.equal(tooLong({ output: 'a'.repeat(MOST_SENT - 100) }, false), '');
  assert.match(tooLong({ output: 'a'.repeat(1_100_000) }, false), /1,100,013 characters, and at most 990,000/);
  // A line end takes two characters on its way; another script three bytes where bytes are counted.
  assert.notEqual(tooLong({ output: '\n'.repeat(MOST_SENT / 2) }, false), '');
  assert.equal(tooLong({ output: '夜'.repeat(400_000) }, false), '');
  assert.match(tooLong({ output: '夜'.repeat(400_000) }, true), /bytes/);
});

test('what is given back is the line, or the words beside a button', () => {
  assert.equal(lineOf({ id: '1', output: 'Once', metadata: {} }), 'Once');
  assert.equal(lineOf({ id: '1', output: 'Compare', metadata: { ask: 'compare', words: 'Once' } }), 'Once');
  assert.equal(lineOf({ id: '1', output: 'Retry', metadata: { ask: 'retry' } }), '');
});

test('the words of a line are those that come to stand in the story', () => {
  const lines = ['/with t=1.2 k=20 Once  upon', '/undo', '//undo', 'a\ud800b', ' Then\n'];
  assert.deepEqual(lines.map(wordsIn), ['Once upon', '', '/undo', 'a\ufffdb', 'Then']);
});

test('a line stands in the story where it came after what stood before', () => {
  const story = [passage('1', 'writer', 'Then'), passage('2', 'model', ' Then'), passage('3', 'writer', '\n Then')];
  assert.ok(stands(story, 'Then', '2'));
  assert.ok(!stands(story.slice(0, 2), 'Then', '2'));
  assert.ok(!stands(story.slice(0, 2), 'Then', '1'));
  assert.ok(stands(story, '/with t=1 Then', null));
  // What stood before it is gone: wherever it stands then.
  assert.ok(stands(story, 'Then', 'gone'));
  assert.ok(!stands([], 'Then', null));
});

test('an edit is made where its words took the place of the old ones', () => {
  const story = [passage('1', 'writer', 'Once'), passage('2', 'model', ' upon')];
  assert.ok(isMade(story, '1', 'Once'));
  assert.ok(!isMade(story, '1', 'Twice'));
  assert.ok(isMade(story, 'old', 'Once'));
  assert.ok(!isMade(story, 'old', 'Twice'));
  assert.ok(isMade(story, 'old', ''));
  assert.ok(!isMade(story, '2', ''));
});
