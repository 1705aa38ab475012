// @ts-check
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { stepsOf } from '../../public/shared/passage_row.js';
import { newStore, usePanel, useStory } from '../../public/shared/store.js';
import { grown, received } from '../../public/shared/story.js';

const passage = (/** @type {string} */ id) => ({
  ...{ id, place: 1, places: 1, facts: null, finish: null },
  author: /** @type {const} */ ('model'),
  tokens: ['a', 'b'],
  own: null,
  odds: /** @type {(number | null)[]} */ ([0.5, null]),
});

/** @returns {Page.StoryState} */
const state = () => ({
  ...{
    story: 's',
    language: 'en',
    passages: [passage('before'), passage('now')],
    takes: [],
    ended: false,
    whole: false,
  },
  context: { memory: '', note: '', depth: 3 },
  ...{ contest: null, revision: 3, models: [], model: 'm', meter: null, undo: 0, redo: 0, status: '', writing: true },
  tuning: { preset: 'As set', chosen: {}, once: [], changes: 0 },
  unsaved: '',
});
const unsent = { arrive: () => {}, hear: () => {}, kept: () => {}, named: () => {}, refused: () => {} };
const delta = { revision: 3, passage: 'now', from: 2, tokens: ['c'], odds: [0.25], meter: null };

test('new tokens are added to the passage that is written, once', () => {
  const story = state();
  assert.ok(grown(story, delta));
  assert.ok(grown(story, { ...delta, from: 1, tokens: ['b', 'c', 'd'], odds: [null, 0.25, 0.1] }));
  assert.deepEqual(story.passages[1].tokens, ['a', 'b', 'c', 'd']);
  assert.deepEqual(story.passages[1].odds, [0.5, null, 0.25, 0.1]);
  assert.deepEqual(story.passages[0].tokens, ['a', 'b']);
});

test('a take grows beside the others', () => {
  const story = { ...state(), takes: [{ ...passage('t'), label: '' }] };
  assert.ok(grown(story, { ...delta, passage: 't' }));
  assert.deepEqual(story.takes[0].tokens, ['a', 'b', 'c']);
});

test('tokens that do not go on from what is here are not added: the page asks', () => {
  const wrong = [{ revision: 4 }, { passage: 'before' }, { from: 3 }];
  wrong.forEach((each) => {
    const story = state();
    assert.equal(grown(story, { ...delta, ...each }), false);
    assert.deepEqual(story, state());
  });
  assert.equal(grown(null, delta), false);
  const asked = [];
  const store = { ...newStore(), state: state() };
  const hear = received(store, () => Boolean(asked.push('ask')) && false, unsent);
  assert.equal(hear.story_delta({ ...delta, from: 9 }), false);
  assert.equal(hear.story_delta(delta), false);
  assert.equal(asked.length, 1);
});

test('only a whole story, or another part of it in sight, has all of the text drawn anew', () => {
  const store = newStore();
  const hear = received(store, () => false, unsent);
  assert.equal(hear.story_state(state()), true);
  assert.equal(hear.story_status({ status: 'waiting', writing: true }), false);
  assert.equal(store.state?.status, 'waiting');
  const meter = (/** @type {number} */ unseen) => ({
    ...{ used: 12, window: 64, story: 11, memory: 0, note: 0, about: false },
    unseen,
  });
  assert.equal(hear.story_meter({ meter: meter(0) }), false);
  assert.equal(store.state?.meter?.used, 12);
  assert.equal(hear.story_meter({ meter: meter(40) }), true);
  assert.equal(hear.story_meter({ meter: null }), true);
});

test('a meter that comes before its story is not kept', () => {
  assert.equal(received(newStore(), () => false, unsent).story_meter({ meter: null }), false);
});

test('one panel is open at a time, and the same again closes it', () => {
  const store = newStore();
  let told = 0;
  store.listeners.add(() => {
    told += 1;
  });
  store.open('dice');
  store.open('tune', 'p1');
  assert.deepEqual([store.panel, store.about], ['tune', 'p1']);
  store.open('tune', 'p2');
  assert.deepEqual([store.panel, store.about], ['tune', 'p2']);
  store.open('tune');
  assert.deepEqual([store.panel, store.about, told], [null, null, 4]);
});

test('there is no way beyond the first and the last alternative', () => {
  const open = (/** @type {number} */ place) => stepsOf({ place, places: 3 }).map(({ disabled }) => !disabled);
  assert.deepEqual([1, 2, 3].map(open), [
    [false, true],
    [true, true],
    [true, false],
  ]);
});

test('the sign says that a story is not saved, and once that it is', () => {
  const store = newStore();
  const hear = received(store, () => false, unsent);
  hear.story_kept({ unsaved: 'too early' });
  hear.story_state(state());
  hear.story_kept({ unsaved: '' });
  assert.equal(store.savedAgain, false);
  hear.story_kept({ unsaved: 'The disk is full.' });
  assert.deepEqual([store.state?.unsaved, store.savedAgain], ['The disk is full.', false]);
  hear.story_kept({ unsaved: '' });
  assert.deepEqual([store.state?.unsaved, store.savedAgain], ['', true]);
  hear.story_state(state());
  assert.equal(store.savedAgain, false);
});

/** Hooks of an element of which React draws several at once: effects run when all are drawn, first to last. */
const hooks = () => {
  /** @type {(() => void)[]} */
  const effects = [];
  let drawn = 0;
  return {
    effects,
    drawn: () => drawn,
    react: /** @type {any} */ ({
      useEffect: (/** @type {() => void} */ effect) => effects.push(effect),
      useReducer: () => [
        0,
        () => {
          drawn += 1;
        },
      ],
    }),
  };
};

test('who is drawn together with a panel hears of it, though it listens later', () => {
  const [panel, tools] = [hooks(), hooks()];
  const entry = { label: 'Dice', title: '', place: 1 };
  const store = useStory(panel.react, 'together');
  usePanel(panel.react, store, 'dice', entry);
  assert.equal(useStory(tools.react, 'together').panels.size, 0);
  for (const effect of [...panel.effects, ...tools.effects]) effect();
  assert.deepEqual([panel.drawn(), tools.drawn()], [1, 1]);
  const later = hooks();
  useStory(later.react, 'together');
  later.effects.forEach((effect) => effect());
  assert.equal(later.drawn(), 0);
});
