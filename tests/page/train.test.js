// @ts-check
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { newStore } from '../../public/shared/store.js';
import { bring, change, MOST_BYTES, newTrain, plan, start } from '../../public/shared/train.js';

const TEXT = { name: 'tale.txt', bytes: 4, words: 1, characters: 4 };
const PLAN = { steps: 10, seconds: 5, source: 'stories', language: { known: true, model: 'stories' } };

/** A panel whose server answers so: a function may throw. @param {Record<string, any>} answers */
const begin = (answers = {}) => {
  /** @type {any[]} */
  const asked = [];
  const store = newStore();
  store.train = newTrain();
  const answer = (/** @type {string} */ name) => async (/** @type {any} */ request) => {
    asked.push(request);
    const found = { training: { runs: [], others: true }, ...answers }[request[name]];
    if (found instanceof Error) throw found;
    return found ?? {};
  };
  store.query = answer('query');
  store.command = answer('command');
  return { store, asked, train: store.train };
};

test('a text that was brought is planned as the server proposes', async () => {
  const { store, asked, train } = begin({ training_text: TEXT, training_plan: PLAN });
  await bring(store, new File(['Once'], 'tale.txt'));
  assert.deepEqual(asked, [
    { command: 'training_text', name: 'tale.txt', part: 0, of: 1, text: 'Once' },
    { command: 'training_plan', source: '', propose: true },
  ]);
  assert.deepEqual(
    [train.text, train.plan, train.source, train.language, train.status],
    [TEXT, PLAN, 'stories', PLAN.language, ''],
  );
});

test('what is known of the language stays when another beginning is picked', async () => {
  const { store, train } = begin({ training_plan: { ...PLAN, source: '', language: null } });
  train.language = /** @type {any} */ (PLAN.language);
  await plan(store, { source: '' });
  assert.deepEqual([train.source, train.language], ['', PLAN.language]);
});

test('a text that is too large is not sent, and one that the server refuses not planned', async () => {
  const large = begin();
  await bring(large.store, new File(['a'.repeat(MOST_BYTES + 1)], 'long.txt'));
  assert.deepEqual(large.asked, []);
  assert.match(large.train.error, /“long.txt” has 5.0 MB; here up to 5 MB/);
  const refused = begin({ training_text: new Error('It is no story.') });
  await bring(refused.store, new File(['a'], 'no.txt'));
  assert.equal(refused.asked.length, 1);
  assert.deepEqual([refused.train.error, refused.train.status], ['It is no story.', '']);
});

test('a training that begins clears what was planned, and one that cannot keeps it', async () => {
  const begun = begin();
  Object.assign(begun.train, { text: TEXT, plan: PLAN, error: 'Before.' });
  await start(begun.store);
  assert.deepEqual(begun.asked, [{ command: 'training_start' }, { query: 'training' }]);
  const { text, plan: planned, error, others } = begun.train;
  assert.deepEqual({ text, planned, error, others }, { text: null, planned: null, error: '', others: true });
  const busy = begin({ training_start: new Error('Another training runs.') });
  Object.assign(busy.train, { text: TEXT, plan: PLAN });
  await start(busy.store);
  assert.deepEqual([busy.train.plan, busy.train.error], [PLAN, 'Another training runs.']);
  assert.equal(busy.asked.length, 1);
});

test('a button of a training asks for what it says, and looks again', async () => {
  const { store, asked } = begin();
  await change(store, { command: 'training_halt', key: 'mine', for_good: true });
  assert.deepEqual(asked, [{ command: 'training_halt', key: 'mine', for_good: true }, { query: 'training' }]);
});
