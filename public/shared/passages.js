// @ts-check
// The story's text, drawn by hand. All that stands in #story-text is drawn here: the words, in stretches, what is
// known of each passage, and the row of the one that was clicked. A short story is drawn token by token; of a long one
// what is near the screen is, and the rest as text: a browser takes seconds to lay a hundred thousand spans out.

import { make } from './dom.js';
import { drawEditNotes } from './edit_notes.js';
import { begin, detail, dim, fits, flatten, isIdle, recut, update } from './passage_node.js';
import { editRow, passageRow } from './passage_row.js';
import { stretchesOf } from './stretches.js';
import { keepPlace, placeOfFocus, toRow } from './walk.js';

/**
 * @typedef {import('./passage_node.js').PassageNode} PassageNode
 * @typedef {import('./stretches.js').Run} Run
 * @typedef {HTMLElement & {near: boolean}} Stretch near: to the screen, as far as is known.
 */

/** A story of more tokens than this is long. */
const MANY = 6000;
/** Above and below what is seen. */
const NEAR = '120% 0px';
/** The event of the box that other nodes stand for the same words. */
export const REDRAWN = 'redrawn';

/** @type {WeakMap<Element, IntersectionObserver>} */
const observers = new WeakMap();
/** @type {WeakMap<Element, PassageNode[]>} */
const known = new WeakMap();

const stretchesIn = (/** @type {Element} */ box) => /** @type {HTMLCollectionOf<Stretch>} */ (box.children);
const nodesIn = (/** @type {HTMLCollection} */ children) => /** @type {PassageNode[]} */ ([...children]);

/** All that is drawn of the passages, in the order of the story. */
export const nodesOf = (/** @type {Element} */ box) => {
  const nodes = known.get(box) ?? [...stretchesIn(box)].flatMap(({ children }) => nodesIn(children));
  known.set(box, nodes);
  return nodes;
};

/** What tells of each stretch whether it is near the screen. */
const observerOf = (/** @type {HTMLElement} */ box) => {
  const before = observers.get(box);
  if (before) return before;
  const tell = (/** @type {IntersectionObserverEntry[]} */ entries) => {
    entries.forEach(({ target, isIntersecting }) => {
      Object.assign(target, { near: isIntersecting });
    });
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

/** Draw each stretch as it should be by where it stands. What is selected stays selected: it is left as it is. */
const settle = (/** @type {HTMLElement} */ box) => {
  const last = nodesOf(box).at(-1);
  const seen = new Set(nodesOf(box).map(({ run }) => run.passage));
  const long = [...seen].reduce((sum, { tokens }) => sum + tokens.length, 0) > MANY;
  const others = [...stretchesIn(box)].flatMap(({ near, children }) =>
    nodesIn(children).filter((node) => node.plain === (!long || near || node === last || !isIdle(node))),
  );
  // To ask for the selection, the browser lays the page out.
  if (others.some(({ old }) => old) && holdsSelection(box)) return;
  others.forEach((node) => {
    (node.plain ? detail : flatten)(node);
  });
  nodesOf(box).forEach((node) => {
    node.old = true;
  });
  if (others.length) box.dispatchEvent(new Event(REDRAWN));
};

/** The look of the text changed: what depends on it is drawn anew. */
export const drawLook = (/** @type {HTMLElement} */ box) => {
  nodesOf(box).forEach(recut);
  box.dispatchEvent(new Event(REDRAWN));
};

const fitsAll = (/** @type {Stretch} */ stretch, /** @type {Run[]} */ runs) =>
  stretch.children.length <= runs.length && nodesIn(stretch.children).every((node, at) => fits(node, runs[at]));

/** Draw stretches from one on; those that were there and say something else go. */
const drawStretches = (
  /** @type {HTMLElement} */ box,
  /** @type {Run[][]} */ wanted,
  /** @type {number} */ first,
  /** @type {boolean} */ whole,
) => {
  const stretches = stretchesIn(box);
  let kept = 0;
  while (kept < wanted.length && stretches[first + kept] && fitsAll(stretches[first + kept], wanted[kept])) kept++;
  [...stretches].slice(first + kept).forEach((each) => {
    observerOf(box).unobserve(each);
    each.remove();
  });
  wanted.forEach((runs, at) => {
    const old = stretches[first + at];
    const stretch = old ?? Object.assign(make('div', 'stretch'), { near: false });
    nodesIn(stretch.children).forEach((node, of) => {
      update(node, runs[of], whole);
    });
    stretch.append(...runs.slice(stretch.children.length).map(begin));
    if (old) return;
    box.append(stretch);
    observerOf(box).observe(stretch);
  });
  known.delete(box);
};

/**
 * Draw the story.
 *
 * @param {HTMLElement} box
 * @param {Page.StoryState} state
 * @param {boolean} whole Everything may have changed, and not the tail alone.
 */
export const drawPassages = (box, { passages, meter }, whole) => {
  const focused = placeOfFocus(box);
  const tail = whole ? null : stretchesIn(box)[box.children.length - 1]?.firstElementChild;
  const { at, from } = tail ? /** @type {PassageNode} */ (tail).run : { at: 0, from: 0 };
  const wanted = stretchesOf(passages, at, from).filter((runs) => runs.length);
  drawStretches(box, wanted, tail ? box.children.length - 1 : 0, whole);
  settle(box);
  let unseen = meter?.unseen || 0;
  for (const node of nodesOf(box)) {
    const own = Math.min(node.run.size, unseen);
    if (own !== node.unseen) dim(node, own);
    unseen -= own;
  }
  keepPlace(box, focused);
};

/** What is drawn last of a passage; null where it is not there. */
const lastNodeOf = (/** @type {HTMLElement} */ box, /** @type {string} */ id) =>
  nodesOf(box).findLast((each) => each.dataset.id === id) ?? null;

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
  const node = passage ? lastNodeOf(box, passage.id) : null;
  const focused = placeOfFocus(box);
  box.querySelectorAll('.passage-row').forEach((row) => {
    if (row.parentNode !== node || /** @type {HTMLElement} */ (row).dataset.mark !== mark) row.remove();
  });
  nodesOf(box).forEach((each) => {
    const own = each.dataset.id === passage?.id;
    each.classList.toggle('selected', own);
    each.classList.toggle('in-edit', editing && own);
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
