// @ts-check
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  aboutBranch,
  ago,
  branchTitle,
  doingsOf,
  ledTo,
  lengthOf,
  listed,
  moment,
} from '../../public/shared/branches.js';
import { newStore } from '../../public/shared/store.js';
import { arranged } from '../../public/shared/tree.js';

const NOW = 1_800_000_000;

/** @param {string} passage @param {Partial<Page.Branch>} [more] @returns {Page.Branch} */
const branch = (passage, more) => ({
  ...{ passage, name: '', words: passage, ends: false, length: 12, written_s: NOW - 120, shown: false, fork: null },
  ...more,
});

/** @param {string | null} at @param {boolean} onPath @param {Page.Branch[]} branches @returns {Page.Fork} */
const fork = (at, onPath, ...branches) => ({ at, after: '', on_path: onPath, branches, left_out: 0 });

const places = (/** @type {Page.Fork[]} */ forks, /** @type {number} */ most) =>
  Object.fromEntries(arranged(forks, most).nodes.map((node) => [node.branch.passage, [node.col, node.lane]]));

/** A fork at each of so many places of the text that is shown. */
const chain = (/** @type {number} */ many) =>
  Array.from({ length: many }, (_, at) =>
    fork(
      at ? `on${at - 1}` : null,
      true,
      branch(`on${at}`, { shown: true, fork: at < many - 1 ? `on${at}` : null }),
      branch(`off${at}`),
    ),
  );

test('what is said of a branch is its length, when it was written, and whether it is shown', () => {
  assert.equal(aboutBranch(branch('a', { shown: true }), NOW), '12 words · 2 min ago · shown');
  assert.equal(aboutBranch(branch('a', { written_s: null, ends: true, length: 1 }), NOW), '1 word · ends here');
  assert.equal(branchTitle(branch('a fox', { name: 'Fox' }), NOW), 'Fox · a fox · 12 words · 2 min ago');
  assert.equal(lengthOf(1234), '1,234 words');
});

test('a time is said as one says it, and a clock that goes wrong says nothing odd', () => {
  const said = [30, 90, 7300, 90_000, 500_000].map((past) => ago(NOW - past, NOW));
  assert.deepEqual(said, ['just now', '1 min ago', '2 h ago', 'a day ago', '5 days ago']);
  assert.equal(ago(NOW + 500, NOW), 'just now');
  assert.match(ago(NOW - 3e6, NOW), /^\d+ [A-Z]\w+ 20\d\d$/);
  assert.deepEqual([ago(null, NOW), moment(null)], ['', '']);
  assert.match(moment(NOW), /2027/);
});

test('the forks of the text that is shown are listed first, the latest of them on top', () => {
  const [a, b, c] = [fork(null, true), fork('x', false), fork('y', true)];
  assert.deepEqual(listed([a, b, c]), [[c, a], [b]]);
});

test('a name that could not be sent is asked for still, and that is told', () => {
  const store = newStore();
  store.branches = { asked: '', story: 's', most: 20, asking: 'a' };
  store.act = () => false;
  assert.equal(doingsOf(store).name(branch('a'), 'Fox'), false);
  assert.equal(store.branches.asking, 'a');
  store.act = () => true;
  assert.equal(doingsOf(store).name(branch('a'), 'Fox'), true);
  assert.equal(store.branches.asking, null);
});

test('arrows lead to what stands beside, and stop at both ends', () => {
  assert.deepEqual(
    [ledTo('ArrowDown', 0, 3), ledTo('ArrowUp', 1, 3), ledTo('Home', 2, 3), ledTo('End', 0, 3)],
    [1, 0, 0, 2],
  );
  assert.deepEqual([ledTo('ArrowUp', 0, 3), ledTo('ArrowDown', 2, 3), ledTo('x', 1, 3)], [null, null, null]);
});

test('the text that is shown is drawn straight, and its branches below it', () => {
  assert.deepEqual(places(chain(3), 99), {
    ...{ on0: [1, 0], on1: [2, 0], on2: [3, 0], off0: [1, 1], off1: [2, 1], off2: [3, 1] },
  });
  const { cols, lanes, left } = arranged(chain(3));
  assert.deepEqual([cols, lanes, left], [4, 2, 0]);
});

test('a long branch lies below what branches off later, so that no lines cross', () => {
  const forks = [
    fork(null, true, branch('on', { shown: true, fork: 'on' }), branch('off', { fork: 'off' })),
    fork('on', true, branch('on1', { shown: true }), branch('on2')),
    fork('off', false, branch('off1'), branch('off2')),
  ];
  assert.deepEqual(places(forks, 99), {
    ...{ on: [1, 0], on1: [2, 0], on2: [2, 1], off: [1, 2], off1: [2, 2], off2: [2, 3] },
  });
  const node = arranged(forks).nodes.find((each) => each.branch.passage === 'off2');
  assert.deepEqual(node?.from, { col: 1, lane: 2 });
});

test('of a large tree the end of what is shown is drawn, and the rest is counted', () => {
  const { nodes, left } = arranged(chain(50), 20);
  assert.equal(nodes.length, 20);
  assert.equal(left, 80);
  assert.ok(nodes.some((node) => node.branch.passage === 'on49'));
  const cut = arranged([fork(null, true, branch('a', { fork: 'x' }), branch('b')), fork('x', false, branch('c'))], 2);
  assert.deepEqual(
    cut.nodes.map((node) => node.more),
    [true, false],
  );
  assert.deepEqual(arranged([]), { nodes: [], cols: 1, lanes: 1, left: 0 });
});

test('five hundred forks are arranged in a moment', () => {
  const began = performance.now();
  assert.equal(arranged(chain(500)).nodes.length, 150);
  assert.ok(performance.now() - began < 500);
});
