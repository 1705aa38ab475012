// @ts-check
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { beginsAsCommand, givenBack, isCommand, lineFor, literal } from '../../public/shared/composer.js';

test('a line of settings is words, and any other that begins with a slash a command', () => {
  assert.deepEqual(['/undo', '  /retry 2', '/with t=1 Once', '//literally', 'either/or', '/ '].map(isCommand), [
    ...[true, true],
    ...[false, false, false, false],
  ]);
  assert.deepEqual(['/undo', ' /with t=1', '//literally', 'words'].map(beginsAsCommand), [true, true, false, false]);
});

test('of two slashes one is meant', () => {
  assert.equal(literal(' //undo is a word'), ' /undo is a word');
  assert.equal(literal('// 1'), '// 1');
  assert.equal(literal('a //b'), 'a //b');
  [' /undo is a word', '/with t=1', '// 1', '/', 'a /b'].forEach((each) => assert.equal(literal(lineFor(each)), each));
});

test('words that come back stand above those that were typed since', () => {
  assert.equal(givenBack('Once', ' '), 'Once');
  assert.equal(givenBack('Once', 'Then'), 'Once\nThen');
});
