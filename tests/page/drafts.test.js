// @ts-check
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { called, Drafts, keyOf, MOST_DRAFTS, MOST_UNITS, placeOf, read } from '../../public/shared/drafts.js';
import { newStorage } from './storage.js';

/** @param {any} [storage] */
const opened = (storage = newStorage(), owner = 'ada') => {
  /** @type {string[]} */
  const said = [];
  let clock = 0;
  const drafts = new Drafts({
    storage: () => storage,
    say: (sentence) => said.push(sentence),
    window: 'w',
    now: () => ++clock,
  });
  drafts.belongTo(owner);
  return { drafts, said, storage };
};

const line = (/** @type {string} */ story) => /** @type {const} */ ({ kind: 'line', story, id: '' });

test('a draft stands under its story and its passage, and is there for another window', () => {
  const { drafts, storage } = opened();
  const edit = /** @type {const} */ ({ kind: 'edit', story: 's', id: 'p' });
  drafts.put(line('s'), { words: 'Once' });
  drafts.put(edit, { words: '' });
  assert.deepEqual(placeOf(keyOf(edit)), edit);
  const other = opened(storage).drafts;
  assert.equal(other.get(line('s'))?.words, 'Once');
  assert.equal(other.get(line('t')), null);
  assert.deepEqual(
    other.all('edit', 's').map(({ place, draft }) => [place.id, draft.words]),
    [['p', '']],
  );
  // A blank line is none, and an edit that takes the words out is one.
  drafts.put(line('s'), { words: ' ' });
  assert.equal(other.get(line('s')), null);
  drafts.move(edit, { ...edit, story: 't' });
  assert.deepEqual([other.all('edit', 's').length, other.all('edit', 't').length], [0, 1]);
  drafts.dropStory('t');
  assert.equal(other.count(), 0);
});

test('what is no draft is none, whoever wrote it', () => {
  ['', '{', 'null', '[]', '{"words": 1, "at": 1}', '{"words": "a"}', '{"words": "a", "at": "x"}'].forEach((raw) =>
    assert.equal(read(raw), null),
  );
  assert.deepEqual(read('{"words": "a", "at": 1, "sent": "yes", "after": 3, "html": "<b>"}'), {
    ...{ words: 'a', at: 1, window: '' },
  });
  ['other', 'inkling.draft.line', 'inkling.draft.else.s.', 'inkling.draft.line.s.a.b', 'inkling.draft.line..'].forEach(
    (key) => assert.equal(placeOf(key), null),
  );
});

test('the oldest goes where there are too many, and it is said', () => {
  const { drafts, said } = opened();
  for (let at = 0; at < MOST_DRAFTS; at++) drafts.put(line(`s${at}`), { words: `Draft ${at}` });
  assert.deepEqual(said, []);
  drafts.put(line('more'), { words: 'One more' });
  assert.equal(drafts.all('line').length, MOST_DRAFTS);
  assert.equal(drafts.get(line('s0')), null);
  assert.match(said[0], /the oldest went: “Draft 0”/);
});

test('the oldest go where they are too much, and the newest stays', () => {
  const { drafts, said } = opened();
  const half = 'a'.repeat(MOST_UNITS / 2 - 200);
  ['s', 't', 'u'].forEach((story) => drafts.put(line(story), { words: half }));
  assert.deepEqual(
    drafts.all('line').map(({ place }) => place.story),
    ['t', 'u'],
  );
  assert.equal(said.length, 1);
});

test('a full storage is said once, and the words stay while the page does', () => {
  const { drafts, said } = opened(newStorage((size) => size < 50));
  drafts.put(line('s'), { words: 'a'.repeat(100) });
  drafts.put(line('s'), { words: 'a'.repeat(101) });
  assert.equal(drafts.get(line('s'))?.words.length, 101);
  assert.equal(said.length, 1);
  assert.match(said[0], /no room for drafts/);
});

test('a forbidden storage is said once, and nothing breaks', () => {
  /** @type {string[]} */
  const said = [];
  const forbidden = () => {
    throw new Error('SecurityError');
  };
  const drafts = new Drafts({ storage: forbidden, say: (sentence) => said.push(sentence), window: 'w' });
  drafts.belongTo('ada');
  drafts.put(line('s'), { words: 'Once' });
  assert.equal(drafts.get(line('s'))?.words, 'Once');
  assert.equal(drafts.all('line').length, 1);
  drafts.drop(line('s'));
  drafts.forget();
  assert.equal(drafts.get(line('s')), null);
  assert.equal(said.length, 1);
});

test('who signs in sees no draft of another, and after a sign-out none is left', () => {
  const { drafts, storage } = opened();
  drafts.put(line('new'), { words: 'A secret' });
  assert.equal(opened(storage).drafts.get(line('new'))?.words, 'A secret');
  const bob = opened(storage, 'bob').drafts;
  assert.equal(bob.get(line('new')), null);
  assert.ok(![...storage.kept.values()].join().includes('secret'));
  bob.put(line('new'), { words: 'Another secret' });
  bob.forget();
  assert.equal(storage.kept.size, 0);
  // A page of it that is still open keeps nothing any more.
  bob.put(line('new'), { words: 'Late words' });
  assert.equal(storage.kept.size, 0);
});

test('a draft is called by its first line', () => {
  assert.equal(called('Once\nupon'), '“Once…”');
  assert.equal(called(' Once '), '“Once”');
  assert.equal(called('a'.repeat(61)), `“${'a'.repeat(60)}…”`);
});
