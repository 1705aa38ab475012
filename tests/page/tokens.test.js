// @ts-check
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { levelOf, ownParts, ownPieces, partAt, partsOf, visible } from '../../public/shared/tokens.js';

test('white space in a token becomes a sign that can be seen', () => {
  assert.deepEqual(visible(' the\n'), [
    ['sign', '\u2423'],
    ['text', 'the'],
    ['sign', '\u21b5'],
  ]);
  assert.deepEqual(visible(''), [['sign', 'part of a character']]);
});

test('the parts of a passage are its text again, to the letter', () => {
  const tokens = ['  Once upon', ' a\ttime,\n\n', ' there  '];
  assert.deepEqual(partsOf({ author: 'model', tokens }), tokens);
  const words = partsOf({ author: 'writer', tokens });
  assert.deepEqual(words, ['  Once', ' upon', ' a', '\ttime,\n\n', ' there', '  ']);
  assert.equal(words.join(''), tokens.join(''));
  assert.deepEqual(partsOf({ author: 'edited', tokens: [] }), []);
});

test('an edited passage is drawn in the tokens before the edit, and in words of one author after it', () => {
  const passage = /** @type {const} */ ({ author: 'edited', tokens: ['A gr', 'ey', ' ca', 't sat\ndown'] });
  const edited = { ...passage, tokens: [...passage.tokens], own: [2], odds: [0.5, null] };
  assert.deepEqual(partsOf(edited), ['A gr', 'ey', ' ca', 't', ' sat\n', 'down']);
  assert.deepEqual(ownParts(edited), [false, false, true, false, false, false]);
  // Of an older version it is not known who wrote what.
  assert.equal(ownParts({ ...edited, own: null }), null);
  assert.equal(partsOf({ ...edited, own: null }).join(''), 'A grey cat sat\ndown');
});

test('a place in a text is in the part that ends with it or holds it', () => {
  const passage = /** @type {const} */ ({ author: 'model', tokens: [] });
  const found = [0, 1, 4, 5, 8, 9].map((at) => partAt({ ...passage, tokens: ['', 'The', '', ' 😀 f', 'ox'] }, at));
  assert.deepEqual(found, [1, 1, 3, 3, 3, 4]);
  assert.equal(partAt({ ...passage, tokens: ['The'] }, 4), null);
});

test('words to be edited come by whose they are', () => {
  const passage = /** @type {const} */ ({ author: 'edited', tokens: ['A', ' grey', ' old', ' cat'] });
  assert.deepEqual(ownPieces({ ...passage, tokens: [...passage.tokens], own: [1, 2] }), [
    { text: 'A', own: false },
    { text: ' grey old', own: true },
    { text: ' cat', own: false },
  ]);
  assert.deepEqual(ownPieces({ author: 'writer', tokens: ['A', ' cat'], own: null }), [{ text: 'A cat', own: false }]);
  assert.deepEqual(ownPieces({ author: 'writer', tokens: [] }), []);
});

test('the less likely a token was, the darker it is shaded', () => {
  assert.deepEqual([1, 0.5, 0.49, 0.2, 0.05, 0.01, 0.009, 0].map(levelOf), [0, 0, 1, 1, 2, 3, 4, 4]);
});
