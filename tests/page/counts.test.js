// @ts-check
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { countCharacters, countWords, Tally } from '../../public/shared/counts.js';

/** @type {[string, number][]} */
const TEXTS = [
  ['', 0],
  ['The fox sat.', 3],
  ['well-known don’t Anna’s 3,000 U.S.A. e\u0301te\u0301', 6],
  ['yes—no … “Oh,” * * *', 3],
  ['Über été ñandú Привет мир', 5],
  ['नमस्ते दुनिया', 2],
  ['مرحبا بالعالم', 2],
  ['我喜欢读书', 3],
  ['猫が好きです。', 4],
  ['ฉันชอบแมว', 3],
  ['He said 你好 twice', 4],
];

test('words are counted as in a word processor, and where no space parts them too', () => {
  TEXTS.forEach(([text, words]) => assert.deepEqual([text, countWords(text)], [text, words]));
});

test('a browser that knows no words of a script counts its letters', async () => {
  const { Segmenter } = Intl;
  Reflect.deleteProperty(Intl, 'Segmenter');
  const path = '../../public/shared/counts.js?anew';
  const anew = /** @type {typeof import('../../public/shared/counts.js')} */ (await import(path));
  assert.equal(anew.countWords('He said 我喜欢 twice'), 6);
  Object.assign(Intl, { Segmenter });
});

test('a character beyond 16 bits is one', () => {
  assert.equal(countCharacters('a 😀\n'), 4);
});

const passage = (/** @type {string} */ id, /** @type {string[]} */ ...tokens) => ({ id, tokens });

test('a story has the words of its passages, and one that goes on over a border once', () => {
  const tally = new Tally();
  const story = [
    passage('a', 'The um'),
    passage('b', 'brel', 'la.'),
    passage('c'),
    passage('d', ' It'),
    passage('e', 's'),
  ];
  assert.deepEqual(tally.count(story), { words: 3, characters: 17 });
  assert.equal(tally.of('b')?.words, 1);
  assert.equal(tally.of('x'), undefined);
  assert.deepEqual(tally.count([...story.slice(0, 1), passage('b', 'brel', 'la', ' and')]), {
    words: 3,
    characters: 16,
  });
});

test('a long passage is counted in pieces, each once, and to the same sum', () => {
  const text = 'Anna went down, and it rained. '.repeat(4000);
  const tally = new Tally();
  let calls = 1;
  let pieces = 0;
  const enough = () => Boolean(++pieces);
  let counts = tally.count([passage('a', text), passage('b', ' x')], enough);
  for (; !counts; calls++) counts = tally.count([passage('a', text), passage('b', ' x')], enough);
  assert.deepEqual(counts, { words: 24_001, characters: text.length + 2 });
  assert.ok(calls > 5);
  const before = pieces;
  tally.count([passage('a', text), passage('b', ' x')], enough);
  assert.equal(pieces, before);
});
