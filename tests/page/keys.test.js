// @ts-check
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { keyAct } from '../../public/shared/keys.js';

const NONE = { ctrlKey: false, metaKey: false, altKey: false, shiftKey: false };
const press = (/** @type {string} */ keys) => {
  const [key, ...held] = keys.split('+').reverse();
  const code = /^[a-z]$/i.test(key) ? `Key${key.toUpperCase()}` : { ',': 'Comma', '.': 'Period' }[key] || key;
  return { ...NONE, key, code, ...Object.fromEntries(held.map((each) => [`${each}Key`, true])) };
};
const READING = { typing: false, empty: false, onToken: false };
const WRITING = { ...READING, typing: true };
const EMPTY = { ...WRITING, empty: true };

test('every key of the help does what the help says', () => {
  const read = Object.entries({
    'ctrl+Enter': 'continue',
    'alt+r': 'retry',
    Escape: 'leave',
    'alt+z': 'undo',
    'shift+alt+z': 'redo',
    'alt+,': 'previous',
    'alt+.': 'next',
    'ctrl+z': 'undo',
    'meta+z': 'undo',
    'shift+ctrl+z': 'redo',
    'ctrl+y': 'redo',
    'shift+ctrl+f': 'find',
    'shift+meta+f': 'find',
    'alt+g': 'contents',
    ArrowLeft: 'previous',
    ArrowRight: 'next',
  });
  read.forEach(([keys, act]) => assert.equal(keyAct(press(keys), READING), act, keys));
});

test('while one types, the keys of typing stay the field’s', () => {
  ['Enter', 'ctrl+z', 'ctrl+y', 'ArrowLeft', 'ctrl+Enter', 'r'].forEach((keys) =>
    assert.equal(keyAct(press(keys), WRITING), null, keys),
  );
  assert.equal(keyAct(press('alt+z'), WRITING), 'undo');
  assert.equal(keyAct(press('shift+ctrl+f'), WRITING), 'find');
});

test('Enter goes on from an empty composer, and a line end stays a line end', () => {
  assert.equal(keyAct(press('Enter'), EMPTY), 'empty');
  assert.equal(keyAct(press('ctrl+Enter'), EMPTY), 'empty');
  assert.equal(keyAct(press('shift+Enter'), EMPTY), null);
});

test('on a token the arrows go to the one beside it', () => {
  assert.equal(keyAct(press('ArrowRight'), { ...READING, onToken: true }), null);
  assert.equal(keyAct(press('alt+.'), { ...READING, onToken: true }), 'next');
});

test('a key of the browser is left to it', () => {
  ['alt+ArrowLeft', 'ctrl+ArrowLeft', 'ctrl+alt+z', 'ctrl+alt+r', 'ctrl+r', 'ctrl+f', 'ctrl+g', 'z'].forEach((keys) =>
    assert.equal(keyAct(press(keys), READING), null, keys),
  );
});

test('words in the composer are added with Shift+Enter, and Alt+Enter is a new line', () => {
  const composing = { ...WRITING, composing: true };
  assert.equal(keyAct(press('shift+Enter'), composing), 'add');
  assert.equal(keyAct(press('alt+Enter'), composing), 'line');
  assert.equal(keyAct(press('Enter'), composing), null);
  assert.equal(keyAct(press('shift+Enter'), WRITING), null);
});
