// @ts-check
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  aboutBeside,
  aboutCopied,
  aboutHashes,
  aboutLanguage,
  aboutMeter,
  aboutTakes,
  countsSaid,
  dialShown,
  either,
  expected,
  foundSaid,
  inDetail,
} from '../../public/shared/sentences.js';

test('in a blind round nothing is said before both are done', () => {
  assert.match(aboutTakes(2, true, true), /^A and B are writing/);
  assert.match(aboutTakes(2, true, false), /^Which one do you like better/);
  assert.equal(aboutTakes(3, false, true), '3 versions, side by side');
  assert.match(aboutTakes(3, false, false), /^Pick one of these 3\./);
});

test('the meter says whether the beginning is out of sight', () => {
  // `used` counts the token that begins a story, `story` does not.
  assert.match(
    aboutMeter({ used: 11, window: 64, story: 10, memory: 0, note: 0, unseen: 0, about: false }),
    /has 10, and it sees them all/,
  );
  assert.match(
    aboutMeter({ used: 40, window: 64, story: 80, memory: 0, note: 0, unseen: 9, about: false }),
    /has 80 tokens; the model reads the last 40/,
  );
  assert.match(
    aboutMeter({ used: 40, window: 64, story: 80, memory: 0, note: 0, unseen: 9, about: true }),
    /has about 80 tokens; .* on a server, so its tokens are estimated/,
  );
});

test('the meter says what memory and note take, and the panel whether they are in force', () => {
  // The token that begins a story stays before a memory.
  assert.match(
    aboutMeter({ used: 60, window: 64, story: 80, memory: 10, note: 5, unseen: 9, about: false }),
    /has 80 tokens; the model reads the last 44\. .* Memory and note take 15 more\.$/,
  );
  assert.match(
    aboutMeter({ used: 26, window: 64, story: 10, memory: 10, note: 5, unseen: 0, about: false }),
    /the story has 10, and it sees them all\. Memory and note take 15 more\.$/,
  );
  const set = { memory: 'A fox.', note: '', depth: 3 };
  assert.equal(aboutBeside.differs(set, { ...set, memory: ' A fox.\n' }), false);
  assert.equal(aboutBeside.differs(set, { ...set, depth: 2 }), true);
  assert.equal(aboutBeside.said(set, false), 'In force.');
  assert.equal(aboutBeside.said({ ...set, memory: '' }, false), 'Nothing is set.');
  assert.equal(aboutBeside.said(set, true), 'Not set yet.');
});

test('a long run of copied words is called remembering, a short one a phrase, and less is language', () => {
  const found = { model: 'm', words: 50, new: 1, copied_words: 8, source_words: 1000, pieces: [], hashed: null };
  const run = (/** @type {number} */ words) => ({ words, before: '', quote: '', after: '' });
  assert.match(aboutCopied({ ...found, longest: null }), /^None/);
  assert.match(aboutCopied({ ...found, longest: run(7) }), /^No 8 words in a row/);
  assert.match(aboutCopied({ ...found, longest: run(8) }), /a phrase it remembers/);
  assert.match(aboutCopied({ ...found, longest: run(30) }), /^It remembers/);
  const hashed = { run_words: 8, one_in: 65536, command: '' };
  assert.match(aboutCopied({ ...found, copied_words: 9, longest: null, hashed }), /^No 9 words in a row/);
  assert.match(aboutHashes(hashed), /every 8 words in a row .* of 65,536 places where nothing is copied one is marked/);
});

test('less is promised of less text', () => {
  const said = [49999, 50000, 500000].map((tokens) => expected(tokens, ''));
  assert.equal(new Set(said).size, 3);
  assert.match(expected(10, 'stories'), /“stories”/);
});

test('whether a model knows a language is told in its own figures, and what either way gives', () => {
  const found = { model: 'stories', bpb: 1.44, letters_bpb: 4.36, known: true, little: true };
  assert.match(aboutLanguage(found, 'stories'), /“stories” knows .* 1\.4 bits .* take 4\.4\. .*it pays to go on/);
  assert.match(aboutLanguage({ ...found, bpb: 6, known: false }, ''), /does not know .* 6\.0 bits .* from nothing/);
  assert.match(aboutLanguage({ ...found, bpb: null, known: false }, ''), /it cannot read it, and/);
  assert.deepEqual(
    either('stories').map(({ source }) => source),
    ['stories', ''],
  );
});

test('of a language only that is told which holds for the text and for what was picked', () => {
  const found = { model: 'letters', bpb: 1.44, letters_bpb: 4.36, known: true, little: false };
  assert.match(aboutLanguage(found, 'letters'), /take 4\.4\.$/);
  assert.match(aboutLanguage({ ...found, bpb: 6, known: false }, 'letters'), /take 4\.4\.$/);
});

test('a dial shows Off where it changes nothing, and a seed that is drawn anew', () => {
  const kind = /** @type {const} */ ('number');
  const field = { name: 'top_k', label: '', about: '', range: '', value: '0', by: '', off: 0, kind };
  const slider = { low: 0, high: 100, step: 1 };
  assert.equal(dialShown({ ...field, slider }, '0'), 'Off');
  assert.equal(dialShown({ ...field, slider }, '40.000'), '40');
  assert.equal(dialShown({ ...field, slider: null }, '40'), '');
  assert.equal(dialShown({ ...field, name: 'seed', off: null, slider: null }, ''), 'a new one');
});

test('a plan is told in its numbers', () => {
  const plan = { steps: 1200, seconds: 60, parameters: 3_140_000, tokens: 9, passes: 4, source: '', language: null };
  assert.match(inDetail(plan), /^1,200 steps, 4 passes over the text, 3\.1 million parameters/);
});

test('what is found is said once it was looked for, and what was replaced with what is left', () => {
  const find = { words: 'fox', count: 1200, now: 3 };
  assert.equal(foundSaid(find, 0, true), '4 of 1,200');
  assert.equal(foundSaid(find, 0, false), '');
  assert.equal(foundSaid({ ...find, count: 0, now: -1 }, 0, true), 'Not found');
  assert.equal(foundSaid({ ...find, words: '' }, 0, true), '');
  assert.equal(foundSaid(find, 1, false), '1 replaced');
  assert.equal(foundSaid(find, 1, true), '1 replaced, 1,200 left');
  assert.equal(foundSaid({ ...find, count: 0 }, 1200, true), '1,200 replaced, none left');
});

test('one word is no words', () => {
  assert.equal(countsSaid({ words: 1, characters: 1 }), '1 word, 1 character');
  assert.equal(countsSaid({ words: 1000, characters: 0 }), '1,000 words, 0 characters');
});
