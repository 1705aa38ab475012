// @ts-check
// The story's text, drawn by hand. All that stands in #story-text is drawn here: the words, in stretches, what is
// known of each passage, and the row of the one that was clicked. A short story is drawn token by token; of a long one
// what is near the screen is, and the rest as text: a browser takes seconds to lay a hundred thousand spans out.

import { unsent } from './desk.js';
import { make } from './dom.js';
import { drawEditNotes } from './edit_notes.js';
import { editTools } from './edit_row.js';
import { caretTop, placeIn, putCaret, wordsUnder } from './in_place.js';
import { begin, detail, dim, fits, flatten, isIdle, recut, update } from './passage_node.js';
import { passageRow } from './passage_row.js';
import { stretchesOf } from './stretches.js';
import { keepPlace, placeOfFocus, toRow } from './walk.js';

/**
 * @typedef {import('./passage_node.js').PassageNode} PassageNode
 * @typedef {import('./stretches.js').Run} Run
 * @typedef {HTMLElement & {near: boolean}} Stretch near: to the screen, as far as is known.
 */

/** A story of more parts than this, tokens and words of a writer, is long. */
const MANY = 6000;
/** Above and below what is seen. */
const NEAR = '120% 0px';
/** A caret that stands so near to where it was is where it was. */
const NEAR_PX = 40;
/** As near to the lower edge a row stands there and not below its passage. */
const STUCK_PX = 16;
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
  const long = nodesOf(box).reduce((sum, { run }) => sum + run.to - run.from, 0) > MANY;
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

/** All that is drawn of a passage. */
const allOf = (/** @type {HTMLElement} */ box, /** @type {string} */ id) =>
  nodesOf(box).filter((each) => each.dataset.id === id);

/** Mark the passage that was clicked, and take away what stands beside another. */
const markSelected = (
  /** @type {HTMLElement} */ box,
  /** @type {string | undefined} */ id,
  /** @type {boolean} */ editing,
) => {
  nodesOf(box).forEach((each) => {
    const own = each.dataset.id === id;
    each.classList.toggle('selected', own);
    each.classList.toggle('in-edit', editing && own);
  });
};

/**
 * Put the caret where it is wanted, at the height where the words were, and the row into sight if there is room.
 *
 * @param {HTMLElement} tools
 * @param {NonNullable<import('./store.js').Store['caret']>} caret
 */
const placeCaret = (tools, { at, y }) => {
  const field = tools.querySelector('.edit-words');
  const frame = tools.closest('.overflow-y-auto');
  if (!(field instanceof HTMLElement)) return;
  putCaret(field, at);
  const top = caretTop(field);
  if (!frame || top === null) return;
  if (y !== undefined && Math.abs(top - y) > NEAR_PX) frame.scrollTop += top - y;
  // The row of a tall passage stands at the lower edge, where it may be over the line.
  const row = tools.querySelector('.passage-row')?.getBoundingClientRect();
  const line = Number.parseFloat(getComputedStyle(field).lineHeight);
  const hidden = row ? (caretTop(field) ?? 0) + line - row.top : 0;
  const isStuck = row && row.bottom + STUCK_PX >= frame.getBoundingClientRect().bottom;
  if (isStuck && hidden > 0) frame.scrollTop += hidden;
  // Where the caret goes by keys it stays above it too.
  if (row && frame instanceof HTMLElement) frame.style.scrollPaddingBottom = `${row.height + STUCK_PX}px`;
};

/** Words that are drawn again where their edit stood are no anchor: the page would be scrolled by their height. */
const holdStill = (/** @type {HTMLElement} */ box) => {
  const frame = box.closest('.overflow-y-auto');
  if (!(frame instanceof HTMLElement)) return;
  frame.style.overflowAnchor = 'none';
  requestAnimationFrame(() =>
    requestAnimationFrame(() => {
      frame.style.overflowAnchor = '';
    }),
  );
};

/**
 * Draw what stands beside the passage that was clicked, anew only when it would change: the row of what can be done
 * with it, and its words to be edited.
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
  // Whoever did something else with it is done with it; what was typed is gone on with once it stands there again.
  if (store.editing && !editing && unsent.edit(store.editing) === null) store.editing = null;
  const acts = passage && [passage.id, passage.place, passage.places, store.token, state?.revision].join();
  const mark = editing ? `${passage?.id} in edit` : acts;
  const node = passage ? lastNodeOf(box, passage.id) : null;
  const focused = placeOfFocus(box);
  const before = /** @type {HTMLElement | undefined} */ (box.getElementsByClassName('in-edit')[0]);
  if (before?.dataset.id !== (editing ? passage?.id : undefined)) holdStill(box);
  box.querySelectorAll('.edit-row').forEach((tools) => {
    if (tools.parentNode !== node || /** @type {HTMLElement} */ (tools).dataset.mark !== mark) tools.remove();
  });
  markSelected(box, passage?.id, editing);
  drawEditNotes(box, store, editing ? passage?.id : undefined);
  if (passage && node) drawTools(node, { passage, mark: mark ?? '', acts: acts ?? '' }, store);
  if (focused >= 0) keepPlace(box, focused);
};

/** While its words are in sight the row of a passage stands at the lower edge, should its place be below that. */
const keepRowNear = (/** @type {HTMLElement} */ tools) => {
  const field = tools.querySelector('.edit-words');
  tools.classList.add('near');
  if (!field) return;
  new IntersectionObserver((seen, observer) => {
    tools.classList.toggle('near', seen[seen.length - 1].isIntersecting);
    if (!tools.isConnected) observer.disconnect();
  }).observe(field);
};

/**
 * @param {PassageNode} node The last of the passage.
 * @param {{passage: Page.Passage, mark: string, acts: string}} drawn
 * @param {import('./store.js').Store} store
 */
const drawTools = (node, { passage, mark, acts }, store) => {
  const { state } = store;
  const editing = store.editing === passage.id;
  const edit = () => {
    Object.assign(store, { editing: passage.id, caret: { at: Number.POSITIVE_INFINITY } });
    store.tell();
  };
  const done = () => {
    store.editing = null;
    store.tell();
  };
  const last = passage === state?.passages.at(-1) && !state?.takes.length;
  const actions = () => passageRow(passage, last, store, edit);
  let tools = /** @type {HTMLElement | null} */ (node.querySelector(':scope > .edit-row'));
  if (!tools) {
    tools = editing ? editTools(passage, store, done) : make('span', 'edit-row');
    tools.dataset.mark = mark;
    if (!editing) tools.append(actions());
    node.append(tools);
    if (editing) keepRowNear(tools);
  }
  if (editing) {
    const { follow, renew } = /** @type {import('./edit_row.js').EditTools} */ (tools);
    renew(acts, actions);
    follow();
  }
  const { caret, intoRow } = store;
  Object.assign(store, { caret: null, intoRow: false });
  if (editing && caret && !typesElsewhere(tools)) placeCaret(tools, caret);
  else if (intoRow) toRow(tools);
};

/** Whether somebody types elsewhere: an edit that comes only now, after the model wrote, does not take the caret. */
const typesElsewhere = (/** @type {HTMLElement} */ tools) => {
  const at = document.activeElement;
  if (!(at instanceof HTMLElement) || tools.contains(at)) return false;
  return at.isContentEditable || at.matches('input, textarea');
};

/**
 * What is meant by a click: the passage, and the place in it where the caret is to stand.
 *
 * @param {HTMLElement} box
 * @param {MouseEvent} event
 */
export const clicked = (box, { target, clientX, clientY }) => {
  const inIt = target instanceof Element ? target.closest('.passage') : null;
  const node = inIt ?? wordsUnder(clientX, clientY)?.closest('.passage');
  const id = node instanceof HTMLElement ? node.dataset.id : undefined;
  if (!id) return null;
  const at = placeIn(allOf(box, id), clientX, clientY) ?? Number.POSITIVE_INFINITY;
  return { id, caret: { at, y: clientY } };
};
