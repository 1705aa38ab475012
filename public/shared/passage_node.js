// @ts-check
// One passage as it is drawn: a span for each token, or, far from the screen, its text as one.

import { make } from './dom.js';
import { drawFacts } from './facts.js';
import { levelOf, partsOf } from './tokens.js';

/**
 * @typedef {object} Drawn
 * @property {Page.Passage} passage As it was drawn last.
 * @property {number} drawn So many of its parts are there.
 * @property {boolean} plain Its text is there as one part.
 * @property {boolean} near Whether it is near the screen, as far as is known.
 * @property {number} size Of its text, in UTF-16 units.
 * @property {number} unseen So much of it is dimmed, in UTF-16 units.
 *
 * @typedef {HTMLElement & Drawn} PassageNode
 */

const sizeOf = (/** @type {Page.Passage} */ { tokens }) => tokens.reduce((size, each) => size + each.length, 0);

/** @returns {PassageNode} */
export const begin = (/** @type {Page.Passage} */ passage) => {
  const node = make('span', 'passage');
  node.dataset.id = passage.id;
  node.dataset.author = passage.author;
  node.title = 'Click to retry, edit or branch';
  node.append(make('span', 'part', passage.tokens.join('')));
  return Object.assign(node, { passage, drawn: 0, plain: true, near: false, size: sizeOf(passage), unseen: 0 });
};

/** The parts as they stand in the page, and what each says. @returns {string[]} */
export const textsOf = (/** @type {PassageNode} */ { plain, passage, drawn }) =>
  plain ? [passage.tokens.join('')] : partsOf(passage).slice(0, drawn);

const below = (/** @type {PassageNode} */ node) => node.querySelector(':scope > .passage-row, :scope > .edit-note');

/** Draw the parts that came since; before the row, should one stand there. */
const grow = (/** @type {PassageNode} */ node) => {
  const { passage } = node;
  const parts = partsOf(passage);
  if (node.drawn === parts.length) return;
  const fresh = document.createDocumentFragment();
  for (; node.drawn < parts.length; node.drawn++) {
    const part = make('span', 'part', parts[node.drawn]);
    part.dataset.i = String(node.drawn);
    const odds = passage.odds[node.drawn];
    if (odds !== undefined && odds !== null) part.dataset.odds = String(levelOf(odds));
    fresh.append(part);
  }
  node.insertBefore(fresh, below(node));
};

const dropParts = (/** @type {PassageNode} */ node) =>
  node.querySelectorAll(':scope > .part, :scope > .facts').forEach((each) => each.remove());

const drawAside = (/** @type {PassageNode} */ node) => {
  const aside = node.querySelector(':scope > .facts');
  if (aside && node.passage.facts) drawFacts(aside, node.passage.facts);
};

/** Draw all of a passage, with what is known of it beside. */
export const detail = (/** @type {PassageNode} */ node) => {
  if (!node.plain) return;
  dropParts(node);
  Object.assign(node, { plain: false, drawn: 0 });
  if (node.passage.facts) node.prepend(make('aside', 'facts'));
  drawAside(node);
  grow(node);
  dimParts(node);
};

/** Draw a passage as its text alone; not one that somebody does something with. */
export const flatten = (/** @type {PassageNode} */ node) => {
  if (node.plain || below(node)) return;
  dropParts(node);
  Object.assign(node, { plain: true, drawn: 0 });
  node.prepend(make('span', 'part', node.passage.tokens.join('')));
};

/** Whether a passage can be drawn on in a node, or needs another one. */
export const fits = (/** @type {PassageNode | undefined} */ node, /** @type {Page.Passage} */ passage) =>
  node?.dataset.id === passage.id &&
  (node.passage === passage || (node.plain ? node.size === sizeOf(passage) : node.drawn <= partsOf(passage).length));

/**
 * Draw what is new of a passage.
 *
 * @param {PassageNode} node
 * @param {Page.Passage} passage
 * @param {boolean} whole Everything may have changed, and not its tail alone.
 */
export const update = (node, passage, whole) => {
  node.passage = passage;
  const place = `${passage.place}/${passage.places}`;
  if (node.dataset.place !== place) node.dataset.place = place;
  if (node.plain) return;
  if (whole) drawAside(node);
  const before = node.drawn;
  grow(node);
  if (node.drawn !== before) node.size = sizeOf(passage);
};

const dimParts = (/** @type {PassageNode} */ node) => {
  const within = node.unseen > 0 && node.unseen < node.size;
  let at = 0;
  node.querySelectorAll(':scope > .part').forEach((part) => {
    part.classList.toggle('unseen', within && at < node.unseen);
    if (within) at += part.textContent?.length || 0;
  });
};

/**
 * Dim the beginning of a passage.
 *
 * @param {PassageNode} node
 * @param {number} unseen So much of it, in UTF-16 units; from its size on, all.
 */
export const dim = (node, unseen) => {
  const [all, before] = [unseen >= node.size, node.unseen];
  const within = (/** @type {number} */ at) => at > 0 && at < node.size;
  node.unseen = unseen;
  node.classList.toggle('unseen', all && node.size > 0);
  if (!within(unseen) && !within(before)) return;
  detail(node);
  dimParts(node);
};
