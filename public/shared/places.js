// @ts-check
// Places in the story, in UTF-16 units of its text, and where they stand on the page: there what is found is marked and
// jumped to.
import { partsIn } from './passage_node.js';
import { nodesOf } from './passages.js';

/**
 * @typedef {Pick<Page.StoryState, 'passages'>} Shown
 * @typedef {{start: number, end: number}} Place
 * @typedef {{node: Node, offset: number}} Spot
 * @typedef {import('./passage_node.js').PassageNode} PassageNode
 */

const FOUND = 'story-found';
const NOW = 'story-found-now';
const SPOKEN = 'story-spoken';
/** From the top of what is seen, as a share of it. */
export const JUMPED_TO = 0.3;

/** The story's words. */
export const textOf = (/** @type {Shown} */ { passages }) => passages.map(({ tokens }) => tokens.join('')).join('');

/**
 * The last of growing numbers that is at most `wanted`; -1 where none is.
 *
 * @param {number} length
 * @param {(at: number) => number} numberAt
 * @param {number} wanted
 */
export const lastUpTo = (length, numberAt, wanted) => {
  let [low, high] = [0, length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (numberAt(middle) <= wanted) low = middle + 1;
    else high = middle;
  }
  return low - 1;
};

const startsOf = (/** @type {string[]} */ texts) => {
  let end = 0;
  return texts.map((text) => {
    const start = end;
    end += text.length;
    return start;
  });
};

/** @type {WeakMap<PassageNode[], number[]>} */
const known = new WeakMap();

/** All that is drawn of the story, and where each begins; the last one may grow. */
const drawnIn = (/** @type {Element} */ box) => {
  const nodes = nodesOf(box);
  let starts = known.get(nodes);
  if (!starts) {
    let end = 0;
    starts = nodes.map(({ run }) => {
      end += run.size;
      return end - run.size;
    });
    known.set(nodes, starts);
  }
  return { nodes, starts };
};

/** @type {WeakMap<Element, {drawn: number, plain: boolean, cut: boolean, starts: number[], parts: Element[]}>} */
const drawn = new WeakMap();

/** The parts of a node, and where each begins in it. */
const partsOf = (/** @type {PassageNode} */ node) => {
  const before = drawn.get(node);
  if (before?.drawn === node.drawn && before.plain === node.plain && before.cut === node.cut) return before;
  const { drawn: last, plain, cut } = node;
  const parts = [...node.querySelectorAll('.part')];
  const found = { drawn: last, plain, cut, parts, starts: startsOf(partsIn(node)) };
  drawn.set(node, found);
  return found;
};

/**
 * Where a character stands on the page; null where it is not drawn.
 *
 * @param {Element} box
 * @param {number} at
 * @returns {Spot | null}
 */
const spotOf = (box, at) => {
  const { nodes, starts } = drawnIn(box);
  const index = lastUpTo(starts.length, (each) => starts[each], at);
  if (index < 0) return null;
  const { parts, starts: begins } = partsOf(nodes[index]);
  const part = lastUpTo(begins.length, (each) => begins[each], at - starts[index]);
  const text = parts[part]?.firstChild;
  const offset = at - starts[index] - begins[part];
  return text && offset < (text.textContent || '').length ? { node: text, offset } : null;
};

/** What stands between two places, as a browser marks it. */
const rangeOf = (/** @type {Element} */ box, /** @type {Place} */ { start, end }) => {
  const [first, last] = [spotOf(box, start), spotOf(box, end - 1)];
  if (!first || !last) return null;
  const range = document.createRange();
  range.setStart(first.node, first.offset);
  range.setEnd(last.node, last.offset + 1);
  return range;
};

/** What a browser repaints at each change of the page should not be minded by it at each change of the text. */
const fixed = (/** @type {Range} */ { startContainer, startOffset, endContainer, endOffset }) =>
  new StaticRange({ startContainer, startOffset, endContainer, endOffset });

/** The number of the last node whose top is at most `y`: their tops grow from one to the next. */
const lastAbove = (/** @type {ArrayLike<Element>} */ nodes, /** @type {number} */ y) =>
  lastUpTo(nodes.length, (at) => nodes[at].getBoundingClientRect().top, y);

/**
 * The place of the first part whose line begins at `y` or below, or near before it.
 *
 * @param {Element} box
 * @param {number} y In the window.
 */
const placeAt = (box, y) => {
  const { nodes, starts } = drawnIn(box);
  if (!nodes.length) return 0;
  const index = Math.max(0, lastAbove(nodes, y));
  const { parts, starts: begins } = partsOf(nodes[index]);
  return starts[index] + (begins[Math.max(0, lastAbove(parts, y))] ?? 0);
};

/**
 * The place of the first words that are seen.
 *
 * @param {Element} box
 * @param {Element} frame
 * @param {number} [below] So far below the top, as a share of what is seen.
 */
export const firstSeen = (box, frame, below = 0) => {
  const { top, height } = frame.getBoundingClientRect();
  return placeAt(box, top + 1 + below * height);
};

/**
 * Mark what is found, as far as it is near what is seen: a browser is slow with tens of thousands of marks.
 *
 * @param {Element} box
 * @param {Element} frame What scrolls.
 * @param {Place[]} places In order.
 * @param {number} now The one among them that is looked at; -1 for none.
 */
export const mark = (box, frame, places, now) => {
  if (!('highlights' in CSS)) {
    markPart(box, places[now]);
    return;
  }
  const { top, height } = frame.getBoundingClientRect();
  const [from, to] = [placeAt(box, top - height), placeAt(box, top + 2 * height)];
  const first = lastUpTo(places.length, (at) => places[at].start, from);
  const last = lastUpTo(places.length, (at) => places[at].start, to);
  const ranges = places
    .slice(Math.max(0, first), last + 1)
    .filter((place) => place !== places[now])
    .map((place) => rangeOf(box, place))
    .filter((range) => range !== null);
  CSS.highlights.set(FOUND, new Highlight(...ranges.map(fixed)));
  const own = places[now] && rangeOf(box, places[now]);
  CSS.highlights.set(NOW, own ? new Highlight(fixed(own)) : new Highlight());
};

/** Where nothing else can be marked, the part in which a place begins. */
const markPart = (/** @type {Element} */ box, /** @type {Place | null | undefined} */ place, mark = 'found-now') => {
  const part = place && spotOf(box, place.start)?.node.parentElement;
  box.querySelectorAll(`.${mark}`).forEach((each) => each !== part && each.classList.remove(mark));
  part?.classList.add(mark);
};

/** Mark what is read aloud; null: nothing is. @param {Element} box @param {Place | null} place */
export const markSpoken = (box, place) => {
  if (!('highlights' in CSS)) {
    markPart(box, place, SPOKEN);
    return;
  }
  const range = place && rangeOf(box, place);
  if (range) CSS.highlights.set(SPOKEN, new Highlight(fixed(range)));
  else CSS.highlights.delete(SPOKEN);
};

export const unmark = (/** @type {Element | null} */ box) => {
  if ('highlights' in CSS) [FOUND, NOW].forEach((name) => CSS.highlights.delete(name));
  box?.querySelectorAll('.found-now').forEach((each) => each.classList.remove('found-now'));
};

/**
 * Bring a place into sight; false where it is not drawn.
 *
 * @param {Element} box
 * @param {Element} frame
 * @param {Place} place
 * @param {boolean} [always] Also where it is seen already.
 */
export const jump = (box, frame, place, always = true) => {
  const range = rangeOf(box, place);
  if (!range) return false;
  const seen = frame.getBoundingClientRect();
  let { top, bottom } = range.getBoundingClientRect();
  // The words of a passage that is edited are in a field.
  if (top === bottom)
    ({ top, bottom } = range.startContainer.parentElement?.closest('.passage')?.getBoundingClientRect() ?? seen);
  if (!always && top > seen.top + 0.2 * seen.height && bottom < seen.bottom - 0.1 * seen.height) return true;
  frame.scrollTop += top - seen.top - JUMPED_TO * seen.height;
  return true;
};

const END_PX = 60;

/**
 * Do what moves the words, and have the first that are seen stay where they are; who is at the end of the page stays
 * there.
 *
 * @param {Element | null} box
 * @param {() => void} change
 */
export const holding = (box, change) => {
  const frame = frameOf(box);
  if (!box || !frame) {
    change();
    return;
  }
  const start = firstSeen(box, frame);
  const top = () => rangeOf(box, { start, end: start + 1 })?.getBoundingClientRect().top;
  const isEnd = frame.scrollTop + frame.clientHeight >= frame.scrollHeight - END_PX;
  const before = top();
  change();
  const after = top();
  if (isEnd) frame.scrollTop = frame.scrollHeight;
  else if (before !== undefined && after !== undefined) frame.scrollTop += after - before;
};

/** What scrolls the story. */
export const frameOf = (/** @type {Element | null} */ box) => box?.closest('.overflow-y-auto') ?? null;
