// @ts-check
// Where a story forks: what is said of a branch, and the keys that lead through the list of them.

import { count } from './numbers.js';

/** How long a branch is. */
export const lengthOf = (/** @type {number} */ words) => `${count(words)} ${words === 1 ? 'word' : 'words'}`;

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/**
 * When something was, as one says it; both in seconds since 1970. Nothing where it is not known.
 *
 * @param {number | null} at
 * @param {number} now
 */
export const ago = (at, now) => {
  if (at === null) return '';
  const past = now - at;
  if (past < MINUTE) return 'just now';
  if (past < HOUR) return `${Math.floor(past / MINUTE)} min ago`;
  if (past < DAY) return `${Math.floor(past / HOUR)} h ago`;
  if (past < 2 * DAY) return 'a day ago';
  if (past < 14 * DAY) return `${Math.floor(past / DAY)} days ago`;
  return new Date(at * 1000).toLocaleDateString('en-GB', { day: 'numeric', month: 'short', year: 'numeric' });
};

/** The day and the minute; nothing where it is not known. */
export const moment = (/** @type {number | null} */ at) =>
  at === null ? '' : new Date(at * 1000).toLocaleString('en-GB', { dateStyle: 'medium', timeStyle: 'short' });

/**
 * All that is said of a branch beside its name and its words.
 *
 * @param {Page.Branch} branch
 * @param {number} now
 */
export const aboutBranch = ({ length, written_s: at, ends, shown }, now) =>
  [lengthOf(length), ago(at, now), ends && 'ends here', shown && 'shown'].filter(Boolean).join(' · ');

/**
 * A branch in one line.
 *
 * @param {Page.Branch} branch
 * @param {number} now
 */
export const branchTitle = (branch, now) =>
  [branch.name, branch.words, aboutBranch(branch, now)].filter(Boolean).join(' · ');

/**
 * The forks as they are listed: those of the text that is shown, the latest first, then the others.
 *
 * @param {Page.Fork[]} forks
 * @returns {[Page.Fork[], Page.Fork[]]}
 */
export const listed = (forks) => [
  forks.filter((fork) => fork.on_path).reverse(),
  forks.filter((fork) => !fork.on_path),
];

/**
 * Which of some things that stand in a row a key leads to; null where it leads nowhere.
 *
 * @param {string} key
 * @param {number} at
 * @param {number} many
 */
export const ledTo = (key, at, many) => {
  const to = { ArrowUp: at - 1, ArrowDown: at + 1, Home: 0, End: many - 1 }[key];
  return to === undefined || to === at || to < 0 || to >= many ? null : to;
};

/**
 * Of all that can be walked through by arrow keys, in what was pressed, Tab reaches one: it has `data-stop`.
 *
 * @param {Element | null} box
 * @returns {(HTMLElement | SVGElement)[]}
 */
const stopsOf = (box) =>
  box ? [...box.querySelectorAll('[data-stop]')].map((each) => /** @type {HTMLElement} */ (each)) : [];

/**
 * Put the focus on one of them.
 *
 * @param {Element | null} box
 * @param {Element | null} stop
 */
export const focusStop = (box, stop) => {
  if (!stop) return;
  for (const each of stopsOf(box)) each.tabIndex = each === stop ? 0 : -1;
  /** @type {HTMLElement} */ (stop).focus();
};

/** See to it that Tab reaches one of them, whatever went. */
export const keepStop = (/** @type {Element | null} */ box) => {
  const stops = stopsOf(box);
  if (stops.length && !stops.some((each) => each.tabIndex === 0)) stops[0].tabIndex = 0;
};

/**
 * Go where an arrow key leads, from one of them or from the row that it stands in.
 *
 * @param {Pick<KeyboardEvent, 'key' | 'target' | 'currentTarget' | 'preventDefault'>} event
 */
export const walk = (event) => {
  const [box, target] = [/** @type {Element} */ (event.currentTarget), /** @type {Element} */ (event.target)];
  const stops = stopsOf(box);
  const row = target.closest('.branch');
  const at = stops.findIndex((each) => each === target || row?.contains(each));
  const to = at < 0 ? null : ledTo(event.key, at, stops.length);
  if (to === null) return;
  event.preventDefault();
  focusStop(box, stops[to]);
};

/**
 * Bring the first words of a branch into sight, and mark them for a moment.
 *
 * @param {string} passage
 */
export const bringIntoSight = (passage) => {
  const node = document.querySelector(`#story-text .passage[data-id="${passage}"]`);
  node?.scrollIntoView({ block: 'center' });
  node?.classList.add('found');
  setTimeout(() => node?.classList.remove('found'), 2000);
};

/** So many forks are listed, and so many more each time that more are asked for. */
export const MORE_FORKS = 20;
const PHONE = '(max-width: 640px)';

/**
 * @typedef {import('./store.js').Store} Store
 * @typedef {object} Does What can be done with a branch.
 * @property {(branch: Page.Branch) => void} show
 * @property {(branch: Page.Branch | null) => void} ask Ask for its name; null: no longer.
 * @property {(branch: Page.Branch, name: string) => boolean} name False where it could not go.
 * @property {(branch: Page.Branch) => void} drop
 * @property {(branch: Page.Branch) => void} back Take back that it was deleted.
 * @property {() => void} more List more.
 */

/** @param {Store} store @returns {Does} */
const doings = (store) => ({
  show: (branch) => {
    store.follow = false;
    if (!store.act({ act: 'pick', passage: branch.passage })) return;
    if (store.branches) store.branches.goal = branch.passage;
    if (window.matchMedia(PHONE).matches) store.open('branches'); // it covers the story there
  },
  ask: (branch) => {
    const { branches } = store;
    if (!branches) return;
    branches.focus = branch ? null : branches.asking;
    branches.asking = branch ? branch.passage : null;
    store.tell();
  },
  name: (branch, name) => {
    if (!store.branches || !store.act({ act: 'name_branch', passage: branch.passage, name })) return false;
    Object.assign(store.branches, { asking: null, focus: branch.passage });
    store.tell();
    return true;
  },
  drop: (branch) => {
    const { branches, state } = store;
    if (!branches || !state || !store.act({ act: 'delete_branch', passage: branch.passage })) return;
    const rows = [...document.querySelectorAll('#branch-list .branch')].map((row) => row.getAttribute('data-passage'));
    const at = rows.indexOf(branch.passage);
    branches.focus = rows[at + 1] || rows[at - 1] || null;
    branches.dropped = { branch, undo: state.undo + 1 };
  },
  back: (branch) => {
    if (store.act({ act: 'undo' }) && store.branches) store.branches.focus = branch.passage;
  },
  more: () => {
    if (store.branches) store.branches.most += MORE_FORKS;
    store.tell();
  },
});

/** @type {WeakMap<Store, Does>} */
const known = new WeakMap();

/** What can be done with the branches of a story: always the same functions, so that a list need not be drawn anew. */
export const doingsOf = (/** @type {Store} */ store) => {
  const does = known.get(store) || doings(store);
  known.set(store, does);
  return does;
};
