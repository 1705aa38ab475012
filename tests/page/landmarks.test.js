// @ts-check
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { landmarks } from '../../public/shared/landmarks.js';

const alone = (/** @type {string} */ line) => landmarks(`Before.\n\n${line}\n\nAfter.`);
const HEADINGS = [
  ...['# The Harbour', '### Deep ###', 'Chapter 3', 'CHAPTER THREE', 'Chapter Twenty-One', 'Chapter XIV.'],
  ...['Chapter 3: The Boat', 'Chapter 3 — the boat', 'Chapter III. The Boat', 'Chapter 3 The Boat', 'Chapter the Last'],
  ...['Part Two', 'PART I', 'Book 1: Fire', 'Volume 2', 'Act IV', 'Scene 2', 'Prologue', 'EPILOGUE', 'Epilogue: After'],
  ...['Kapitel 7', 'Erstes Kapitel', 'Kapitel eins', 'Chapitre premier', 'Capítulo 12', 'Глава 5', 'Глава первая'],
  ...['第三章', '第十二回 風の音', '제3장', '終章', 'Hoofdstuk 4'],
];
const NONE = [
  ...[
    'Part 3 of the plan was simple.',
    'Chapter 3 was the best of them',
    'Chapter I went to bed',
    '#hashtag',
    'Bookish',
  ],
  ...['Act one thing, think another', 'Part of me wanted to go.', 'Prologue to a farce', '“Chapter 3,” she said.', 'I'],
  ...[
    '1984',
    'HE SHOUTED AT THE SEA',
    'ROMEO:',
    'Introduction – he made it',
    'Chapter closed.',
    'Book learning',
    '...',
  ],
  ...['Chapter 3. The end was near.', '第一次见面', '- a list', '—Yes.', '* a point', `Chapter 2: ${'x'.repeat(100)}`],
];
const BREAKS = ['***', '* * *', '*', '---', '- - -', '#', '# # #', '⁂', '~', '⸻', '• • •', '___', '  * * *  ', '❦'];

test('a heading is told by its form', () => {
  HEADINGS.forEach((line) => assert.deepEqual([line, alone(line).map((each) => each.kind)], [line, ['heading']]));
});

test('a line that might be a sentence is no heading', () => {
  NONE.forEach((line) => assert.deepEqual([line, alone(line)], [line, []]));
});

test('a scene break is told by the signs that stand alone, and called by the words after it', () => {
  BREAKS.forEach((line) =>
    assert.deepEqual(
      alone(line).map(({ kind, title }) => [line, kind, title]),
      [[line, 'break', 'After.']],
    ),
  );
  const [mark] = landmarks(`a\n***\n\n${'word '.repeat(30)}`);
  assert.match(mark.title, /^(word ){5,}.*…$/);
});

test('each stands where its line does, in the order of the text', () => {
  const text = '# Tale\nChapter 1\n\n  * * *\n😀 fox\n\nChapter 2\r\n\r\nEnd';
  const marks = landmarks(text);
  assert.deepEqual(
    marks.map(({ at, end, level }) => [text.slice(at, end), level]),
    [
      ['# Tale', 1],
      ['Chapter 1', 2],
      ['* * *', 0],
      ['Chapter 2', 2],
    ],
  );
  assert.equal(marks[0].title, 'Tale');
});

test('numbers alone are headings where they count on from one', () => {
  const story = (/** @type {string[]} */ ...numbers) =>
    landmarks(numbers.map((each) => `${each}\n\nIt rained.\n\n`).join('')).map(({ title }) => title);
  assert.deepEqual(story('I', 'II', 'III', 'IV'), ['I', 'II', 'III', 'IV']);
  assert.deepEqual(story('1.', '2.', '1.', '2.'), ['1.', '2.', '1.', '2.']);
  assert.deepEqual(story('I', '12', '1984'), []);
});

test('a novel of half a million characters takes a moment', () => {
  const text = 'Chapter 3\n\nAnna went down to the harbour, and it rained.\n\n* * *\n\n'.repeat(8000);
  const began = performance.now();
  assert.equal(landmarks(text).length, 16000);
  assert.ok(performance.now() - began < 2000);
  assert.deepEqual(
    landmarks(
      `${'* '.repeat(200_000)}x\n${'#'.repeat(200_000)}\n# x${'#'.repeat(200_000)}y\nChapter ${' '.repeat(200_000)}3`,
    ),
    [],
  );
});
