// @ts-check
// The story's text, drawn by hand. All that stands in #story-text is drawn here: the words, what is known of each
// passage, and the row of the one that was clicked. A short story is drawn token by token; of a long one what is near
// the screen is, and the rest as text: a browser takes seconds to lay a hundred thousand spans out.

import { drawEditNotes } from './edit_notes.js';
import { begin, detail, dim, fits, flatten, update } from './passage_node.js';
import { editRow, passageRow } from './passage_row.js';

/** @typedef {import('./passage_node.js').PassageNode} PassageNode */

/** A story of more tokens than this is long. */
const MANY = 6000;
/** Above and below what is seen. */
const NEAR = '120% 0px';

/** @type {WeakMap<HTMLElement, IntersectionObserver>} */
const observers = new WeakMap();

const nodesOf = (/** @type {HTMLElement} */ box) => /** @type {HTMLCollectionOf<PassageNode>} */ (box.children);

/** What tells of each passage whether it is near the screen. */
const observerOf = (/** @type {HTMLElement} */ box) => {
  const known = observers.get(box);
  if (known) return known;
  const tell = (/** @type {IntersectionObserverEntry[]} */ entries) => {
    entries.forEach(({ target, isIntersecting }) => Object.assign(target, { near: isIntersecting }));
    settle(box);
  };
  const observer = new IntersectionObserver(tell, { root: box.closest('.overflow-y-auto'), rootMargin: NEAR });
  observers.set(box, observer);
  return observer;
};

const holdsSelection = (/** @type {HTMLElement} */ box) => {
  const selection = document.getSelection();
  return Boolean(selection && !selection.isCollapsed && selection.containsNode(box, true));
};

/** Draw each passage as it should be by where it stands. What is selected stays selected: it is left as it is. */
const settle = (/** @type {HTMLElement} */ box) => {
  if (holdsSelection(box)) return;
  const nodes = nodesOf(box);
  let tokens = 0;
  for (const { passage } of nodes) tokens += passage.tokens.length;
  const long = tokens > MANY;
  let changed = false;
  for (const node of nodes) {
    const { plain } = node;
    if (!long || node.near || node === box.lastChild) detail(node);
    else if (node.unseen === 0 || node.unseen >= node.size) flatten(node);
    changed = changed || plain !== node.plain;
  }
  if (changed) box.dispatchEvent(new Event(REDRAWN));
};

/** The event of the box that other nodes stand for the same words. */
export const REDRAWN = 'redrawn';

const dropFrom = (/** @type {HTMLElement} */ box, /** @type {number} */ at) => {
  const rest = [...box.children].slice(at);
  rest.forEach((each) => observerOf(box).unobserve(each));
  rest.forEach((each) => each.remove());
};

/**
 * Draw the story.
 *
 * @param {HTMLElement} box
 * @param {Page.StoryState} state
 * @param {boolean} whole Everything may have changed, and not the tail alone.
 */
export const drawPassages = (box, state, whole) => {
  const { passages, meter } = state;
  const nodes = nodesOf(box);
  let kept = 0;
  while (kept < passages.length && kept < nodes.length && fits(nodes[kept], passages[kept])) kept++;
  if (nodes.length > kept) dropFrom(box, kept);
  const fresh = passages.slice(kept).map(begin);
  box.append(...fresh);
  fresh.forEach((each) => observerOf(box).observe(each));
  passages.forEach((passage, at) => {
    const node = nodes[at];
    if (whole || node.passage !== passage || at === passages.length - 1) update(node, passage, whole);
  });
  settle(box);
  let unseen = meter?.unseen || 0;
  for (const node of nodes) {
    const own = Math.min(node.size, unseen);
    if (own !== node.unseen) dim(node, own);
    unseen -= own;
  }
};

/**
 * Draw the row of the passage that was clicked, anew only when it would change.
 *
 * @param {HTMLElement} box
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
  if (!passage || !node || drawn) return;
  const edit = (/** @type {string | null} */ id) => () => {
    store.editing = id;
    store.tell();
  };
  const last = passage === passages.at(-1) && !state?.takes.length;
  const row = editing ? editRow(passage, store, edit(null)) : passageRow(passage, last, store, edit(passage.id));
  row.dataset.mark = mark;
  node.append(row);
};
