// @ts-check
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BOTH } from '../../public/shared/composer_line.js';
import { Drafts } from '../../public/shared/drafts.js';
import { CAME_BACK, NOT_CONNECTED, OTHERS_MS, Unsent } from '../../public/shared/unsent.js';
import { newStorage } from './storage.js';

const soon = () => new Promise((resolve) => setTimeout(resolve));

/** A page with a composer. @param {any} [storage] */
const open = (storage = newStorage(), name = 'w', listed = /** @type {string[]} */ ([])) => {
  const page = {
    words: '',
    story: 's',
    storage,
    /** @type {string[]} */
    said: [],
    at: 0,
    /** @type {((said?: any) => void)[]} */
    answers: [],
  };
  const say = (/** @type {string} */ sentence) => page.said.push(sentence);
  const now = () => page.at;
  const drafts = new Drafts({ storage: () => storage, say, window: name, now });
  drafts.belongTo('ada');
  const unsent = new Unsent({
    ...{ drafts, say, now },
    here: () => page.story,
    field: { words: () => page.words, fill: (words) => Object.assign(page, { words }) },
    isKept: async (story) => listed.includes(story),
  });
  const way = (more = {}) => ({
    ...{ connected: true, inBytes: false, emit: (/** @type {any} */ answer) => page.answers.push(answer) },
    ...more,
  });
  const type = (/** @type {string} */ words) => {
    page.words = words;
    unsent.line.typed();
  };
  const send = (/** @type {string} */ output, id = 'm', more = {}) => {
    type(output);
    unsent.sendLine({ id, output }, way(more));
    page.words = '';
  };
  return Object.assign(page, { drafts, unsent, way, type, send });
};

const said = (/** @type {string} */ text, id = text) => ({
  id,
  author: /** @type {const} */ ('writer'),
  tokens: [text],
});
const state = (passages = /** @type {ReturnType<typeof said>[]} */ ([]), writing = false) => ({ passages, writing });

test('the line of a story comes back with the story, and goes with it', () => {
  const page = open();
  page.unsent.arrive(state());
  page.type('half a');
  page.story = 't';
  page.unsent.arrive(state());
  assert.equal(page.words, '');
  page.story = 's';
  page.unsent.arrive(state());
  assert.equal(page.words, 'half a');
  const again = open(page.storage, 'w2');
  again.type('typed at once');
  again.unsent.arrive(state());
  assert.equal(again.words, 'half a\ntyped at once');
});

test('a line that was sent is kept until it was saved after it stood there', () => {
  const page = open();
  page.unsent.arrive(state());
  page.unsent.arrive(state([said('Before')])); // which is being saved
  page.send('Once');
  page.answers[0]();
  page.unsent.arrive(state([said('Before'), said('Once')], true));
  page.unsent.kept(); // what was before
  assert.equal(page.drafts.all('sent').length, 1);
  page.unsent.kept();
  assert.equal(page.drafts.count(), 0);
});

test('a line that did not arrive comes back when the story comes without it', () => {
  const page = open();
  page.unsent.arrive(state([said('Once')]));
  page.send('Once');
  page.unsent.arrive(state([said('Once')])); // a state that was on its way
  assert.equal(page.words, '');
  page.unsent.connect();
  page.unsent.arrive(state([said('Once')], true)); // who writes may yet take it
  assert.equal(page.words, '');
  page.words = 'meanwhile';
  page.unsent.arrive(state([said('Once')]));
  assert.equal(page.words, 'Once\nmeanwhile');
  assert.deepEqual(page.said, [CAME_BACK]);
  assert.equal(page.drafts.all('sent').length, 0);
  assert.equal(page.drafts.all('line').length, 1);
});

test('a line that stands in the story is not given back', () => {
  const page = open();
  page.unsent.arrive(state());
  page.send('Once');
  const reloaded = open(page.storage);
  reloaded.unsent.arrive(state([said('Once')]));
  assert.equal(reloaded.words, '');
  assert.equal(reloaded.drafts.count(), 0);
});

test('a line that stands in a story which the disk does not take is kept until it does', () => {
  const page = open();
  page.unsent.arrive(state());
  page.send('Once');
  const reloaded = open(page.storage);
  reloaded.unsent.arrive({ ...state([said('Once')]), unsaved: 'The disk is full.' });
  assert.equal(reloaded.words, '');
  assert.equal(reloaded.drafts.count(), 1);
  reloaded.unsent.kept();
  assert.equal(reloaded.drafts.count(), 0);
});

test('what another window is sending is left to it, for a while', () => {
  const page = open();
  page.unsent.arrive(state());
  page.send('Once');
  const other = open(page.storage, 'w2');
  other.unsent.arrive(state());
  assert.equal(other.words, '');
  other.at = OTHERS_MS;
  other.unsent.arrive(state());
  assert.equal(other.words, 'Once');
});

test('the first line comes back to the new story, unless its story is kept', async () => {
  const page = open();
  page.story = 'new';
  page.unsent.arrive(state());
  page.send('Once');
  page.story = 't';
  page.unsent.named('t');
  assert.deepEqual(
    page.drafts.all('sent').map(({ place }) => place.story),
    ['t'],
  );
  const opened = { kept: open(page.storage, 'w', ['t']), lost: open(page.storage, 'w') };
  for (const each of Object.values(opened)) {
    each.story = 'new';
    each.unsent.arrive(state());
    await soon();
  }
  assert.deepEqual([opened.kept.words, opened.lost.words], ['', 'Once']);
});

test('without a connection, or before the story is open, nothing is sent and all is given back', async () => {
  const page = open();
  page.send('Once');
  await soon();
  assert.deepEqual([page.words, page.said], ['Once', [NOT_CONNECTED]]);
  page.words = '';
  page.unsent.arrive(state());
  page.send('Once', 'm', { connected: false });
  page.unsent.sendAct({ act: 'undo' }, page.way({ connected: false }));
  await soon();
  assert.equal(page.words, 'Once');
  assert.equal(page.answers.length, 0);
});

test('what is too long is given back', async () => {
  const page = open();
  page.unsent.arrive(state());
  page.send('a'.repeat(1_100_000));
  await soon();
  assert.equal(page.words.length, 1_100_000);
  assert.match(page.said[0], /Too long/);
  assert.equal(page.answers.length, 0);
});

test('what the server refuses is given back, at its door or later', () => {
  const page = open();
  page.unsent.arrive(state());
  page.send('Once');
  page.answers[0]({ error: 'too much' });
  assert.equal(page.words, 'Once');
  page.send('/with t=9 Then', 'n');
  page.unsent.refused('/with t=9 Then');
  assert.equal(page.words, '/with t=9 Then');
  assert.equal(page.drafts.all('sent').length, 0);
});

test('a command is forgotten once it arrived, and a button takes nothing from the line', () => {
  const page = open();
  page.unsent.arrive(state());
  page.send('/undo');
  assert.equal(page.drafts.all('sent').length, 1);
  page.answers[0]();
  assert.equal(page.drafts.count(), 0);
  page.type('half a');
  page.unsent.sendLine({ id: 'c', output: 'Continue', metadata: { ask: 'continue' } }, page.way());
  assert.deepEqual(
    page.drafts.all('line').map(({ draft }) => draft.words),
    ['half a'],
  );
});

const add = (/** @type {string} */ text) => /** @type {const} */ ({ act: 'add', text });

test('words to be added say whether they went, and are the writer’s until then', () => {
  const page = open();
  page.type('Once');
  assert.equal(page.unsent.sendAct(add('Once'), page.way()), false); // the story is not open yet
  page.unsent.arrive(state());
  assert.equal(page.unsent.sendAct(add('Once'), page.way({ connected: false })), false);
  assert.equal(page.unsent.sendAct(add('a'.repeat(1_100_000)), page.way()), false);
  assert.deepEqual(
    page.drafts.all('line').map(({ draft }) => draft.words),
    ['Once'],
  );
  assert.deepEqual([page.drafts.all('sent').length, page.answers.length, page.said.length], [0, 0, 3]);
  assert.equal(page.unsent.sendAct(add('Once'), page.way()), true);
  assert.equal(page.drafts.all('sent').length, 1);
});

test('added words are kept until they were saved after they stood there', () => {
  const page = open();
  page.unsent.arrive(state());
  page.unsent.sendAct(add('Once'), page.way());
  page.unsent.arrive(state([said('Once')]));
  page.answers[0]();
  assert.equal(page.drafts.all('sent').length, 1);
  page.unsent.kept();
  assert.equal(page.drafts.count(), 0);
  assert.equal(page.words, '');
});

test('added words that did not arrive come back, as they were typed', () => {
  const page = open();
  page.unsent.arrive(state([said('Once')]));
  page.unsent.sendAct(add('Once'), page.way());
  page.unsent.connect();
  page.unsent.arrive(state([said('Once')]));
  assert.equal(page.words, 'Once');
  page.words = '';
  // A server that was started anew has no story of this page: it answers, and nothing came of it.
  page.unsent.sendAct(add('/then'), page.way());
  page.answers[1]();
  assert.equal(page.words, '//then');
  assert.deepEqual(page.said, [CAME_BACK, CAME_BACK]);
  assert.equal(page.drafts.all('sent').length, 0);
});

test('added words that the server refused are given back once, as they were typed', () => {
  const page = open();
  page.unsent.arrive(state());
  page.unsent.sendAct(add('/then'), page.way());
  page.unsent.refused('/then');
  page.answers[0]();
  assert.equal(page.words, '//then');
  assert.deepEqual(page.said, []);
  assert.equal(page.drafts.all('sent').length, 0);
});

test('words added to a new story are followed under its address', () => {
  const page = open();
  page.story = 'new';
  page.unsent.arrive(state());
  page.unsent.sendAct(add('Once'), page.way());
  page.story = 't';
  page.unsent.named('t');
  page.unsent.arrive(state());
  page.answers[0]();
  assert.equal(page.words, 'Once');
  assert.equal(page.drafts.all('sent').length, 0);
});

test('the words of /add are kept until they were saved, for their command arrives before', () => {
  const page = open();
  page.unsent.arrive(state());
  page.send('/add Once');
  page.answers[0]();
  page.unsent.connect(); // the server was killed
  page.unsent.arrive(state());
  assert.equal(page.words, '/add Once');
  page.send('/add Once', 'n');
  page.unsent.arrive(state([said('Once')]));
  page.unsent.kept();
  assert.equal(page.drafts.count(), 0);
});

test('an edit is a draft until it is made and saved', () => {
  const page = open();
  page.unsent.arrive(state([said('Once', 'p')]));
  page.unsent.keepEdit('p', 'Twice');
  assert.deepEqual(page.unsent.edits(), [{ id: 'p', words: 'Twice' }]);
  page.unsent.sendAct({ act: 'edit', passage: 'p', text: 'Twice' }, page.way());
  assert.deepEqual(page.unsent.edits(), []);
  page.unsent.arrive(state([said('Twice', 'q')]));
  page.answers[0]();
  assert.equal(page.drafts.count(), 1);
  page.unsent.kept();
  assert.equal(page.drafts.count(), 0);
});

test('an edit that was refused, or got lost, is offered again', () => {
  const page = open();
  const before = state([said('Once', 'p')]);
  const act = /** @type {const} */ ({ act: 'edit', passage: 'p', text: 'Twice' });
  page.unsent.arrive(before);
  page.unsent.sendAct(act, page.way({ connected: false }));
  assert.equal(page.unsent.edits().length, 1);
  page.unsent.sendAct(act, page.way());
  page.answers[0](); // without a state in which it was made
  assert.equal(page.unsent.edits().length, 1);
  page.unsent.sendAct(act, page.way());
  page.unsent.connect();
  page.unsent.arrive(before);
  assert.equal(page.unsent.edits().length, 1);
  page.unsent.sendAct({ ...act, text: 'Once' }, page.way());
  assert.equal(page.drafts.count(), 0);
});

test('two windows on one story have one line, and neither overwrites the other', () => {
  const [one, other] = [open(), open(newStorage(), 'w2')];
  const both = open(one.storage, 'w2');
  one.unsent.arrive(state());
  both.unsent.arrive(state());
  one.type('half a');
  const place = /** @type {const} */ ({ kind: 'line', story: 's', id: '' });
  both.unsent.follow(place);
  assert.equal(both.words, 'half a');
  // Both were typed in before either heard of the other.
  one.type('half a line');
  both.type('half a word');
  assert.equal(both.words, 'half a line\nhalf a word');
  assert.deepEqual(both.said, [BOTH]);
  both.unsent.follow({ ...place, story: 'other' });
  assert.equal(both.words, 'half a line\nhalf a word');
  assert.equal(other.words, '');
});

test('a line of another account, who signed in since, comes into no open page', () => {
  const page = open();
  page.story = 'new';
  page.unsent.arrive(state());
  const other = open(page.storage, 'w2');
  other.drafts.belongTo('bob');
  other.story = 'new';
  other.unsent.arrive(state());
  other.type('A secret of Bob');
  const place = /** @type {const} */ ({ kind: 'line', story: 'new', id: '' });
  page.unsent.follow(place);
  assert.equal(page.words, '');
  // Nor does what becomes of its own line touch the other's.
  page.type('Half');
  page.type('');
  assert.equal(other.drafts.get(place)?.words, 'A secret of Bob');
});

test('a line that stands in an open page is not emptied by another account that signs in', () => {
  const page = open();
  page.unsent.arrive(state());
  page.type('Half a line');
  const place = /** @type {const} */ ({ kind: 'line', story: 's', id: '' });
  const { removeItem } = page.storage;
  // Each change is heard of while the storage is just as far.
  page.storage.removeItem = (/** @type {string} */ key) => {
    removeItem(key);
    page.unsent.follow(place);
  };
  new Drafts({ storage: () => page.storage, say: () => {}, window: 'w2' }).belongTo('bob');
  assert.equal(page.words, 'Half a line');
  assert.ok(![...page.storage.kept.values()].join().includes('Half'));
});

test('what was typed beside a new story goes with it to its address', () => {
  const page = open();
  page.story = 'new';
  page.unsent.arrive(state());
  page.drafts.put({ kind: 'beside', story: 'new', id: 'memory' }, { words: 'Tom is a fox' });
  const another = new Drafts({ storage: () => page.storage, say: () => {}, window: 'w2' });
  another.put({ kind: 'beside', story: 'new', id: 'note' }, { words: 'for a story of another window' });
  page.story = 't';
  page.unsent.named('t');
  assert.equal(page.drafts.get({ kind: 'beside', story: 't', id: 'memory' })?.words, 'Tom is a fox');
  assert.equal(page.drafts.get({ kind: 'beside', story: 'new', id: 'memory' }), null);
  assert.equal(page.drafts.get({ kind: 'beside', story: 't', id: 'note' }), null);
  assert.equal(another.get({ kind: 'beside', story: 'new', id: 'note' })?.words, 'for a story of another window');
});
