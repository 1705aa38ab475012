// @ts-check
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as machine from '../../public/shared/machine.js';
import { newStore } from '../../public/shared/store.js';

const step = (/** @type {number} */ at) => ({ key: `mine@${at}`, version: '1', step: at, val_loss: null, says: [] });
const STEPS = [0, 10, 100].map(step);
/** @type {Page.Run} */
const RUN = {
  ...{ key: 'mine', starters: ['Once'], temperature: 0.8, window: 64, length: 100, steps: STEPS },
  curve: { train: [], valid: [] },
};

const begin = () => {
  /** @type {[string, any][]} */
  const sent = [];
  /** @type {Record<string, (data?: any) => void>} */
  const hears = {};
  const socket = /** @type {any} */ ({
    emit: (/** @type {string} */ event, /** @type {any} */ data) => sent.push([event, data]),
    on: (/** @type {string} */ event, /** @type {any} */ hear) => {
      hears[event] = hear;
    },
    off: () => {},
  });
  const store = newStore();
  const m = machine.newMachine();
  store.machine = m;
  m.runs = [RUN];
  machine.choose(store, 'mine');
  machine.listen(store, socket);
  const news = (/** @type {Omit<Page.MachineNews, 'job'>} */ data) => hears.machine_news({ job: m.job?.id, ...data });
  return { store, m, sent, hears, news };
};

test('a run is looked at from its end, and asked for as it suggests', () => {
  const { store, m, sent } = begin();
  assert.equal(machine.stepOf(m), STEPS[2]);
  machine.write(store, STEPS);
  const [event, request] = sent[0];
  assert.equal(event, 'machine_write');
  assert.deepEqual(
    { ...request, job: '' },
    {
      ...{ job: '', steps: ['mine@0', 'mine@10', 'mine@100'], prompt: 'Once', seed: '1' },
      ...{ temperature: 0.8, max_new_tokens: 100 },
    },
  );
});

test('what was written is there again, and only what is missing is asked for', () => {
  const { store, m, sent, news } = begin();
  machine.write(store, STEPS.slice(0, 2));
  news({ step: 'mine@0', text: 'no' });
  news({ step: 'mine@0', ending: 'came to its end', tokens: 2 });
  news({ step: 'mine@0', words: 3, known: 1 });
  assert.ok(machine.isDone(m, STEPS[0]));
  const note = machine.noteOn(machine.textOf(m, STEPS[0]), false);
  assert.equal(note, '2 tokens · came to its end · 1 of its 3 words stand in its training text');
  machine.write(store, STEPS.slice(0, 2));
  assert.deepEqual(sent[1][1].steps, ['mine@10']);
  m.seed = '2';
  assert.equal(machine.isDone(m, STEPS[0]), false);
});

test('news of a job that was given up is not heard', () => {
  const { store, m } = begin();
  machine.write(store, STEPS);
  assert.equal(machine.hear(m, { job: 'another', step: 'mine@0', text: 'x' }), undefined);
  assert.equal(machine.textOf(m, STEPS[0])?.text, '');
});

test('what was cut off stays in sight, and does not count as written', () => {
  const { store, m, sent, hears, news } = begin();
  machine.write(store, STEPS.slice(0, 2));
  news({ step: 'mine@0', text: 'half a' });
  hears.disconnect();
  assert.equal(machine.textOf(m, STEPS[0])?.text, 'half a');
  assert.equal(machine.isDone(m, STEPS[0]), false);
  assert.equal(machine.noteOn(machine.textOf(m, STEPS[0]), false), 'stopped before it was done');
  assert.equal(machine.textOf(m, STEPS[1]), undefined);
  machine.stop(store);
  assert.equal(sent.length, 1); // nothing is written any more, so nothing is stopped
});

test('an error ends the step that it is of, and one without a step is the panel’s', () => {
  const { store, m, news } = begin();
  machine.write(store, STEPS);
  news({ step: 'mine@0', error: 'its folder is gone' });
  assert.equal(machine.textOf(m, STEPS[0])?.error, 'its folder is gone');
  assert.equal(m.problem, '');
  news({ error: 'no seed', over: true });
  assert.equal(m.problem, 'no seed');
  assert.equal(m.job, null);
});

test('playing writes what is missing, goes to the end and stops there', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const { store, m, sent, news } = begin();
  machine.play(store);
  assert.equal(m.at, 0);
  assert.deepEqual(sent[0][1].steps, ['mine@0', 'mine@10', 'mine@100']);
  t.mock.timers.tick(5000);
  assert.equal(m.at, 0); // it waits for the text
  STEPS.forEach(({ key }) => news({ step: key, ending: 'stopped', tokens: 1 }));
  news({ over: true });
  t.mock.timers.tick(1300);
  assert.equal(m.at, 1);
  t.mock.timers.tick(1300);
  assert.deepEqual([m.at, m.playing], [2, true]);
  t.mock.timers.tick(1300);
  assert.deepEqual([m.at, m.playing], [2, false]);
});

test('a slider that still moves asks for nothing', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const { store, sent } = begin();
  machine.go(store, 0);
  t.mock.timers.tick(200);
  machine.go(store, 1);
  t.mock.timers.tick(200);
  assert.equal(sent.length, 0);
  t.mock.timers.tick(60);
  assert.deepEqual(sent[0][1].steps, ['mine@10']);
});

test('a run that was looked at is found again at its step, although others came before it', async () => {
  const { store, m } = begin();
  machine.go(store, 1);
  machine.stop(store);
  store.query = /** @type {any} */ (
    async () => ({ runs: [{ ...RUN, steps: [step(0), step(5), step(10), step(100)] }] })
  );
  await machine.findRuns(store);
  assert.equal(machine.stepOf(m)?.key, 'mine@10');
  store.query = /** @type {any} */ (async () => Promise.reject(new Error('no server')));
  await machine.findRuns(store);
  assert.equal(m.problem, 'no server');
});
