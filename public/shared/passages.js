// @ts-check
// The story's text, drawn by hand: a span for each token. All that stands in #story-text is drawn here: the words, what
// is known of each passage, and the row of the one that was clicked.

import { make } from './dom.js';
import { drawEditNotes } from './edit_notes.js';
import { drawFacts } from './facts.js';
import { editRow, passageRow } from './passage_row.js';
import { levelOf, partsOf } from './tokens.js';
import { keepPlace, placeOfFocus, toRow } from './walk.js';

/**
 * @typedef {HTMLElement & {drawn: number}} PassageNode drawn: so many of its parts are there.
 * @typedef {HTMLElement & {unseen?: number, dimmed?: [number, number]}} TextBox
 *   unseen: so much of the text is dimmed, in UTF-16 units; dimmed: that is so many parts, which end at this place.
 */

const WHOSE = { writer: 'Your words', model: 'The model’s words', edited: 'The model’s words, changed by you' };

/** What the colour says, and the small figures behind it; who listens hears it with the words. */
const about = (/** @type {Page.Passage} */ { author, place, places }) =>
  `${WHOSE[author]}${places > 1 ? `, version ${place} of ${places}` : ''}: ` +
  `click (or Enter) to ${author === 'writer' ? '' : 'retry, '}edit or branch`;

/** @returns {PassageNode} */
const begin = (/** @type {Page.Passage} */ passage) => {
  const node = make('span', 'passage');
  node.dataset.id = passage.id;
  node.dataset.author = passage.author;
  node.tabIndex = -1;
  if (passage.facts) {
    // In the margin for the eye; read aloud it would cut a sentence in two. Those below the story are read.
    const facts = make('aside', 'facts');
    facts.ariaHidden = 'true';
    node.append(facts);
  }
  return Object.assign(node, { drawn: 0 });
};

/** Draw the parts that came since; before the row, should one stand there. */
const grow = (/** @type {PassageNode} */ node, /** @type {Page.Passage} */ passage) => {
  const parts = partsOf(passage);
  const fresh = document.createDocumentFragment();
  for (; node.drawn < parts.length; node.drawn++) {
    const part = make('span', 'part', parts[node.drawn]);
    part.dataset.i = String(node.drawn);
    const odds = passage.odds[node.drawn];
    if (odds !== undefined && odds !== null) part.dataset.odds = String(levelOf(odds));
    fresh.append(part);
  }
  node.append(fresh);
};

// While a story grows more and more is out of sight: only what has just gone is touched, for a long one has thousands.
const dim = (/** @type {TextBox} */ box, /** @type {number} */ unseen, /** @type {boolean} */ whole) => {
  if (box.unseen === unseen && !whole) return;
  const onward = !whole && box.unseen !== undefined && unseen > box.unseen;
  const parts = box.querySelectorAll('.part'); // a live collection is counted anew after each class that changes
  let [count, at] = (onward && box.dimmed) || [0, 0];
  for (; count < parts.length && at < unseen; count++) {
    parts[count].classList.add('unseen');
    at += parts[count].textContent?.length || 0;
  }
  if (!onward) for (let rest = count; rest < parts.length; rest++) parts[rest].classList.remove('unseen');
  Object.assign(box, { unseen, dimmed: [count, at] });
};

/**
 * Draw the story.
 *
 * @param {TextBox} box
 * @param {Page.StoryState} state
 * @param {boolean} whole Everything may have changed, and not the tail alone.
 */
export const drawPassages = (box, state, whole) => {
  const focused = placeOfFocus(box);
  state.passages.forEach((passage, at) => {
    let node = /** @type {PassageNode | undefined} */ (box.children[at]);
    if (node && (node.dataset.id !== passage.id || node.drawn > partsOf(passage).length)) {
      while (box.children.length > at) box.lastChild?.remove();
      node = undefined;
    }
    if (!node) {
      node = begin(passage);
      box.append(node);
    }
    if (whole && passage.facts) drawFacts(/** @type {Element} */ (node.firstElementChild), passage.facts);
    node.dataset.place = `${passage.place}/${passage.places}`;
    if (whole || !node.title) node.title = about(passage);
    grow(node, passage);
  });
  while (box.children.length > state.passages.length) box.lastChild?.remove();
  dim(box, state.meter?.unseen || 0, whole);
  keepPlace(box, focused);
};

/**
 * Draw the row of the passage that was clicked, anew only when it would change.
 *
 * @param {TextBox} box
 * @param {import('./store.js').Store} store
 * @param {boolean} busy While the model writes nothing is selected.
 */
export const drawRow = (box, store, busy) => {
  const { state } = store;
  const passages = state ? state.passages : [];
  const passage = busy ? undefined : passages.find((each) => each.id === store.selected);
  const editing = Boolean(passage) && store.editing === passage?.id;
  const mark =
    passage &&
    [
      ...[passage.id, passage.place, passage.places, editing],
      ...[editing || store.token, editing ? 0 : state?.revision],
    ].join();
  const node = passage ? box.querySelector(`.passage[data-id="${passage.id}"]`) : null;
  const focused = placeOfFocus(box);
  box.querySelectorAll('.passage-row').forEach((row) => {
    if (row.parentNode !== node || /** @type {HTMLElement} */ (row).dataset.mark !== mark) row.remove();
  });
  box.querySelectorAll('.passage').forEach((each) => {
    each.classList.toggle('selected', each === node);
    each.classList.toggle('in-edit', editing && each === node);
  });
  drawEditNotes(box, store, editing ? passage?.id : undefined);
  const drawn = /** @type {import('./passage_row.js').EditRow | null | undefined} */ (
    node?.querySelector('.passage-row')
  );
  drawn?.follow?.();
  const intoRow = Boolean(passage && node && store.intoRow);
  if (intoRow) store.intoRow = false;
  if (intoRow && drawn) toRow(drawn);
  if (focused >= 0) keepPlace(box, focused);
  if (!passage || !node || drawn) return;
  const edit = (/** @type {string | null} */ id) => () => {
    store.editing = id;
    store.tell();
  };
  const last = passage === passages.at(-1) && !state?.takes.length;
  const row = editing ? editRow(passage, store, edit(null)) : passageRow(passage, last, store, edit(passage.id));
  row.dataset.mark = mark;
  node.append(row);
  if (intoRow) toRow(row);
};
