// @ts-check
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { dropTyped, keepInto, keepTyped, LONGEST_WORDS, typedFor, typedInto } from '../../public/shared/beside.js';
import { Drafts } from '../../public/shared/drafts.js';
import { newStorage } from './storage.js';

const set = { memory: 'Tom', note: '', depth: 3 };

const fresh = () => {
  const storage = newStorage();
  const drafts = new Drafts({ storage: () => storage, say: () => {}, window: 'a', now: () => 1 });
  drafts.belongTo('ada');
  return { storage, drafts };
};

test('a memory that was typed and not set is there after a reload, for its story alone', () => {
  const { storage, drafts } = fresh();
  keepTyped(drafts, 's', set, { memory: 'Tom is a fox' });
  keepTyped(drafts, 's', set, { depth: 5 });
  const reloaded = new Drafts({ storage: () => storage, say: () => {}, window: 'b' });
  reloaded.belongTo('ada');
  assert.deepEqual(typedFor(reloaded, 's'), { memory: 'Tom is a fox', depth: 5 });
  assert.deepEqual(typedFor(reloaded, 't'), {});
});

test('a memory that was emptied is another than the one that is set', () => {
  const { drafts } = fresh();
  keepTyped(drafts, 's', set, { memory: '' });
  assert.deepEqual(typedFor(drafts, 's'), { memory: '' });
});

test('nothing is kept of what is set, nor of what was typed back', () => {
  const { storage, drafts } = fresh();
  keepTyped(drafts, 's', set, { memory: 'Tim', note: 'sad' });
  keepTyped(drafts, 's', set, { memory: 'Tom' });
  assert.deepEqual(typedFor(drafts, 's'), { note: 'sad' });
  dropTyped(drafts, 's');
  assert.deepEqual(typedFor(drafts, 's'), {});
  assert.equal([...storage.kept.keys()].filter((each) => each.startsWith('inkling.draft.')).length, 0);
});

test('what another page wrote is no memory, no note and no depth where it cannot be one', () => {
  const { storage, drafts } = fresh();
  const put = (/** @type {string} */ id, /** @type {unknown} */ words) =>
    storage.kept.set(`inkling.draft.beside.s.${id}`, JSON.stringify({ words, at: 1, window: '' }));
  put('memory', 'x'.repeat(10_001));
  put('note', 7);
  for (const depth of ['0', '21', '3.5', '1e1', '-1', ' 3', '']) {
    put('depth', depth);
    assert.deepEqual(typedFor(drafts, 's'), {}, depth);
  }
  put('depth', '20');
  assert.deepEqual(typedFor(drafts, 's'), { depth: 20 });
});

test('what was typed into a field of a panel is there after a reload, until it is sent', () => {
  const { storage, drafts } = fresh();
  keepInto(drafts, 's', 'name-p1', 'The long way');
  const reloaded = new Drafts({ storage: () => storage, say: () => {}, window: 'b' });
  reloaded.belongTo('ada');
  assert.equal(typedInto(reloaded, 's', 'name-p1'), 'The long way');
  assert.equal(typedInto(reloaded, 's', 'name-p2'), null);
  assert.equal(typedInto(reloaded, 't', 'name-p1'), null);
  assert.deepEqual(typedFor(reloaded, 's'), {});
  keepInto(drafts, 's', 'name-p1', 'x'.repeat(LONGEST_WORDS + 1));
  assert.equal(typedInto(drafts, 's', 'name-p1'), null);
  keepInto(drafts, 's', 'name-p1', null);
  assert.equal(storage.kept.size, 1);
  keepInto(drafts, 's', 'name-p1', '', 'Fox'); // a name that was taken out
  assert.equal(typedInto(drafts, 's', 'name-p1'), '');
  keepInto(drafts, 's', 'name-p1', 'Fox', 'Fox');
  assert.equal(typedInto(drafts, 's', 'name-p1'), null);
});
