// @ts-check
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KEYS, keyAct } from '../../public/shared/keys.js';

const NONE = { ctrlKey: false, metaKey: false, altKey: false, shiftKey: false };
const press = (/** @type {string} */ keys) => {
  const [key, ...held] = keys.split('+').reverse();
  const code = /^[a-z]$/i.test(key) ? `Key${key.toUpperCase()}` : { ',': 'Comma', '.': 'Period' }[key] || key;
  return { ...NONE, key, code, ...Object.fromEntries(held.map((each) => [`${each}Key`, true])) };
};
const READING = { typing: false, empty: false, onToken: false };
const WRITING = { ...READING, typing: true };
const COMPOSING = { ...WRITING, composing: true };
const EMPTY = { ...WRITING, empty: true };

/** As the help writes them. */
const SHOWN = {
  ...{ Ctrl: 'ctrl', Alt: 'alt', Shift: 'shift', Esc: 'Escape' },
  ...{ '←': 'ArrowLeft', '→': 'ArrowRight', '↑': 'ArrowUp' },
};
const asPressed = (/** @type {string} */ keys) =>
  keys
    .split('+')
    .map((each) => /** @type {Record<string, string>} */ (SHOWN)[each] ?? each)
    .join('+');

test('every key of the help does what the help says', () => {
  const read = {
    'Ctrl+Enter': 'continue',
    'Alt+R': 'retry',
    Esc: 'leave',
    'Alt+Z': 'undo',
    'Alt+Shift+Z': 'redo',
    'Alt+,': 'previous',
    'Alt+.': 'next',
    'Alt+↑': 'passages',
    'Ctrl+Z': 'undo',
    'Ctrl+Y': 'redo',
    '←': 'previous',
    '→': 'next',
    'Ctrl+Shift+F': 'find',
    'Alt+G': 'contents',
  };
  const written = { 'Shift+Enter': 'add', 'Alt+Enter': 'line' };
  const ghosts = ['Tab']; // ghost_desk.js: tests/browser/test_ghost.py
  const help = KEYS.flatMap(([keys]) => keys.split(/\s+/));
  assert.deepEqual(help.sort(), [...Object.keys({ ...read, ...written }), ...ghosts].sort());
  Object.entries(read).forEach(([keys, act]) => assert.equal(keyAct(press(asPressed(keys)), READING), act, keys));
  Object.entries(written).forEach(([keys, act]) => assert.equal(keyAct(press(asPressed(keys)), COMPOSING), act, keys));
});

test('the keys of a Mac undo, redo and find as well', () => {
  assert.equal(keyAct(press('meta+z'), READING), 'undo');
  assert.equal(keyAct(press('shift+ctrl+z'), READING), 'redo');
  assert.equal(keyAct(press('shift+meta+f'), READING), 'find');
});

test('while one types, the keys of typing stay the field’s', () => {
  ['Enter', 'ctrl+z', 'ctrl+y', 'ArrowLeft', 'ctrl+Enter', 'r'].forEach((keys) =>
    assert.equal(keyAct(press(keys), WRITING), null, keys),
  );
  assert.equal(keyAct(press('alt+z'), WRITING), 'undo');
  assert.equal(keyAct(press('shift+ctrl+f'), WRITING), 'find');
  assert.equal(keyAct(press('alt+ArrowUp'), COMPOSING), 'passages');
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
  assert.equal(keyAct(press('shift+Enter'), COMPOSING), 'add');
  assert.equal(keyAct(press('alt+Enter'), COMPOSING), 'line');
  assert.equal(keyAct(press('Enter'), COMPOSING), null);
  assert.equal(keyAct(press('shift+Enter'), WRITING), null);
});
