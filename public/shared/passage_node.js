// @ts-check
// What stands of a passage in one stretch of the story, as it is drawn: a span for each token, or, far from the screen,
// its text as one.

import { make } from './dom.js';
import { drawFacts } from './facts.js';
import { hasGaps } from './look.js';
import { joined, levelOf, linesOf, ownParts, partsOf } from './tokens.js';

/**
 * @typedef {import('./stretches.js').Run} Run
 *
 * @typedef {object} Drawn
 * @property {Run} run As it was drawn last.
 * @property {boolean} plain Its text is there as one part,
 * @property {boolean} cut or as one for each line, where paragraphs have room between them.
 * @property {number} drawn The part after the last that is there.
 * @property {number} unseen So much of it is dimmed, in UTF-16 units.
 * @property {boolean} old It was there before it is drawn this time.
 *
 * @typedef {HTMLElement & Drawn} PassageNode
 */

const WHOSE = { writer: 'Your words', model: 'The model’s words', edited: 'The model’s words, changed by you' };

/** What the colour says, and the small figures behind it; who listens hears it with the words. */
const about = (/** @type {Page.Passage} */ { author, place, places }) =>
  `${WHOSE[author]}${places > 1 ? `, version ${place} of ${places}` : ''}: ` +
  `click to write in them, and to ${author === 'writer' ? '' : 'retry or '}branch (Enter leads there too)`;

const textsOf = (/** @type {Run} */ { passage, from, to }) => partsOf(passage).slice(from, to);

/** @typedef {import('./tokens.js').Piece} Piece */

/** @returns {Piece[]} at least one */
const byAuthor = (/** @type {Run} */ run) => {
  const own = ownParts(run.passage)?.slice(run.from, run.to);
  const found = joined(textsOf(run), (at) => Boolean(own?.[at]));
  return found.length ? found : [{ text: '', own: false }];
};

/** @returns {Piece[]} */
const plainPieces = (/** @type {PassageNode} */ { run, cut }) => {
  const pieces = byAuthor(run);
  return cut ? pieces.flatMap(({ text, own }) => linesOf(text).map((line) => ({ text: line, own }))) : pieces;
};

/** What ends a line is known by its class, and what is nothing but line ends too: see [data-gaps] in style.css. */
const partOf = (/** @type {Piece} */ { text, own }) => {
  const part = make('span', 'part', text);
  if (own) part.dataset.own = '';
  if (text.endsWith('\n')) part.classList.add(...(text.trim() ? ['ends'] : ['ends', 'blank']));
  return part;
};

/** Draw it as its text alone, with nothing before it. */
const drawPlain = (/** @type {PassageNode} */ node) => {
  Object.assign(node, { plain: true, cut: hasGaps(), drawn: node.run.from });
  node.prepend(...plainPieces(node).map(partOf));
};

/** @returns {PassageNode} */
export const begin = (/** @type {Run} */ run) => {
  const made = make('span', 'passage');
  made.dataset.id = run.passage.id;
  made.dataset.author = run.passage.author;
  if (run.passage.own) made.dataset.told = '';
  made.tabIndex = -1;
  const node = Object.assign(made, { run, drawn: run.from, plain: true, cut: false, unseen: 0, old: false });
  drawPlain(node);
  return place(node);
};

const place = (/** @type {PassageNode} */ node) => {
  const { passage, goesOn } = node.run;
  const said = `${passage.place}/${passage.places}`;
  if (node.dataset.place !== said) Object.assign(node, { title: about(passage) }).dataset.place = said;
  node.classList.toggle('goes-on', goesOn);
  return node;
};

/** What each part says, as they stand in the page. @returns {string[]} */
export const partsIn = (/** @type {PassageNode} */ node) =>
  node.plain ? plainPieces(node).map(({ text }) => text) : textsOf(node.run).slice(0, node.drawn - node.run.from);

const below = (/** @type {PassageNode} */ node) => node.querySelector(':scope > .edit-row, :scope > .edit-note');

/** Draw the parts that came since; before the row, should one stand there. */
const grow = (/** @type {PassageNode} */ node) => {
  const { passage, to } = node.run;
  const [parts, own] = [partsOf(passage), ownParts(passage)];
  const fresh = document.createDocumentFragment();
  for (; node.drawn < to; node.drawn++) {
    const part = partOf({ text: parts[node.drawn], own: Boolean(own?.[node.drawn]) });
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
  if (aside && node.run.passage.facts) drawFacts(aside, node.run.passage.facts);
};

/** Draw each part of it, and beside its beginning what is known of the passage. */
export const detail = (/** @type {PassageNode} */ node) => {
  if (!node.plain) return;
  dropParts(node);
  Object.assign(node, { plain: false, drawn: node.run.from });
  if (node.run.passage.facts && node.run.from === 0) {
    // In the margin for the eye; read aloud it would cut a sentence in two. Those below the story are read.
    node.prepend(Object.assign(make('aside', 'facts'), { ariaHidden: 'true' }));
  }
  drawAside(node);
  grow(node);
  dimParts(node);
};

/** Whether it can be drawn as its text alone: nobody does something with it. */
export const isIdle = (/** @type {PassageNode} */ node) =>
  !(node.unseen > 0 && node.unseen < node.run.size) && !below(node);

/** Draw it as its text alone. */
export const flatten = (/** @type {PassageNode} */ node) => {
  if (node.plain || !isIdle(node)) return;
  dropParts(node);
  drawPlain(node);
};

/** Draw it anew where it stands as its text alone, for the lines may have been given room or lost it. */
export const recut = (/** @type {PassageNode} */ node) => {
  if (!node.plain || node.cut === hasGaps()) return;
  dropParts(node);
  drawPlain(node);
};

/**
 * Whether the tokens that were drawn are still the passage's: a word of the writer's that was completed is cut anew
 * once the passage stands, so that all that follow are others. Asked only where the server sent it anew.
 */
const saysTheSame = (/** @type {Run} */ { passage, from, to }, /** @type {Page.Passage} */ next) => {
  if (passage === next || passage.author !== 'model') return true;
  for (let at = from; at < to; at++) if (passage.tokens[at] !== next.tokens[at]) return false;
  return true;
};

/** Whether a run can be drawn on where this one was: it is the same, or has grown. */
export const fits = (/** @type {Pick<PassageNode, 'run' | 'plain'>} */ { run, plain }, /** @type {Run} */ next) =>
  run.passage.id === next.passage.id &&
  run.from === next.from &&
  (run.to === next.to ? run.size === next.size : run.to < next.to && !plain) &&
  saysTheSame(run, next.passage);

/**
 * Draw what is new of it.
 *
 * @param {PassageNode} node
 * @param {Run} run
 * @param {boolean} whole Everything may have changed, and not its tail alone.
 */
export const update = (node, run, whole) => {
  node.run = run;
  place(node);
  if (node.plain) return;
  if (whole) drawAside(node);
  if (node.drawn < run.to) grow(node);
};

const dimParts = (/** @type {PassageNode} */ node) => {
  const within = node.unseen > 0 && node.unseen < node.run.size;
  let at = 0;
  node.querySelectorAll(':scope > .part').forEach((part) => {
    part.classList.toggle('unseen', within && at < node.unseen);
    if (within) at += part.textContent?.length || 0;
  });
};

/**
 * Dim the beginning of it.
 *
 * @param {PassageNode} node
 * @param {number} unseen So much of it, in UTF-16 units; up to its size, which is all.
 */
export const dim = (node, unseen) => {
  const { size } = node.run;
  const changed = [node.unseen, unseen].some((each) => each > 0 && each < size);
  node.unseen = unseen;
  node.classList.toggle('unseen', size > 0 && unseen === size);
  if (!changed) return;
  detail(node);
  dimParts(node);
};
