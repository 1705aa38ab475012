// @ts-check
// Text that is edited where it stands in the story. A browser's own editing does it, so that a composition, a spelling
// mended, a script read from the right and Undo are the browser's. Places are in UTF-16 units.
import { make } from './dom.js';

/**
 * The last character of an editable text, which is none of its words: where there is none a browser adds a line end of
 * its own to one that is typed at the end, and none can tell the two apart.
 */
const END = '\n';

/** @typedef {import('./tokens.js').Piece} Piece */

/** @param {Node} node @returns {Text[]} */
const textsIn = (node) => {
  const walker = document.createTreeWalker(node, NodeFilter.SHOW_TEXT);
  /** @type {Text[]} */
  const found = [];
  while (walker.nextNode()) found.push(/** @type {Text} */ (walker.currentNode));
  return found;
};

/** The words of an editable text as they are now. */
export const wordsIn = (/** @type {Node} */ field) => {
  const text = field.textContent ?? '';
  return text.endsWith(END) ? text.slice(0, -END.length) : text;
};

/** @param {HTMLElement} field @param {Piece[]} pieces */
export const setWords = (field, pieces) => {
  const spans = pieces.map(({ text, own }) => {
    const span = make('span', '', text);
    if (own) span.dataset.own = '';
    return span;
  });
  field.replaceChildren(...spans, END);
};

/** Where the caret stands in its words; null where it is elsewhere. */
export const caretIn = (/** @type {Node} */ field) => {
  const selection = document.getSelection();
  const { anchorNode, anchorOffset } = selection ?? {};
  if (!anchorNode || !field.contains(anchorNode)) return null;
  const range = document.createRange();
  range.setStart(field, 0);
  range.setEnd(anchorNode, anchorOffset ?? 0);
  return Math.min(range.toString().length, wordsIn(field).length);
};

/** Put the caret before the nth unit of the words, or at their end. */
export const putCaret = (/** @type {HTMLElement} */ field, /** @type {number} */ at) => {
  field.focus({ preventScroll: true });
  let left = Math.min(at, wordsIn(field).length);
  for (const text of textsIn(field)) {
    if (left <= text.length) {
      document.getSelection()?.collapse(text, left);
      return;
    }
    left -= text.length;
  }
};

/**
 * @param {string} className
 * @param {string} label
 * @param {() => void} changed
 */
export const editable = (className, label, changed) => {
  const field = make('span', className);
  field.setAttribute('role', 'textbox');
  field.setAttribute('aria-multiline', 'true');
  field.setAttribute('aria-label', label);
  let plain = true;
  try {
    field.contentEditable = 'plaintext-only';
  } catch {
    field.contentEditable = 'true';
    plain = false;
  }
  field.oninput = (event) => {
    // A browser in the middle of a composition wants its nodes left alone.
    if (!(event instanceof InputEvent && event.isComposing)) mend(field);
    changed();
  };
  field.addEventListener('compositionend', () => {
    mend(field);
    changed();
  });
  if (!plain) keepPlain(field);
  return field;
};

/** Have the end stand there again, where a browser took it away. */
const mend = (/** @type {HTMLElement} */ field) => {
  field.querySelectorAll('br').forEach((each) => each.replaceWith(END));
  if (!field.textContent?.endsWith(END)) field.append(END);
};

/** For browsers that would keep the looks of what is pasted. */
const keepPlain = (/** @type {HTMLElement} */ field) => {
  field.addEventListener('beforeinput', (event) => {
    const { inputType, dataTransfer } = event;
    const text = dataTransfer?.getData('text/plain');
    if (inputType.startsWith('format')) event.preventDefault();
    else if (inputType === 'insertParagraph') {
      event.preventDefault();
      document.execCommand('insertLineBreak');
    } else if (text) {
      event.preventDefault();
      document.execCommand('insertText', false, text);
    }
  });
};

/** Where a point of the window stands in a text. @returns {{node: Node, offset: number} | null} */
const spotAt = (/** @type {number} */ x, /** @type {number} */ y) => {
  if ('caretPositionFromPoint' in document) {
    const found = document.caretPositionFromPoint(x, y);
    return found && { node: found.offsetNode, offset: found.offset };
  }
  const range = /** @type {Document} */ (document).caretRangeFromPoint(x, y);
  return range && { node: range.startContainer, offset: range.startOffset };
};

/** The words in whose line a point of the window is, also above and below their letters; null for none. */
export const wordsUnder = (/** @type {number} */ x, /** @type {number} */ y) => {
  const part = spotAt(x, y)?.node.parentElement?.closest('.part, .edit-words');
  if (!part) return null;
  const line = Number.parseFloat(getComputedStyle(part).lineHeight);
  const isIn = [...part.getClientRects()].some(({ top, height }) => Math.abs(y - top - height / 2) <= line / 2);
  return isIn ? part : null;
};

/**
 * The place in a passage that a point of the window is at.
 *
 * @param {Element[]} nodes All that is drawn of the passage, in order.
 * @param {number} x
 * @param {number} y
 * @returns {number | null} null where it is not in its words
 */
export const placeIn = (nodes, x, y) => {
  const spot = spotAt(x, y);
  const part = spot?.node.parentElement?.closest('.part, .edit-words');
  if (!spot || !part) return null;
  if (part.matches('.edit-words')) {
    const range = document.createRange();
    range.setStart(part, 0);
    range.setEnd(spot.node, spot.offset);
    return range.toString().length;
  }
  let before = 0;
  for (const node of nodes) {
    for (const each of node.querySelectorAll(':scope > .part')) {
      if (each === part) return before + spot.offset;
      before += each.textContent?.length ?? 0;
    }
  }
  return null;
};

/** The top of the line that the caret stands in, in the window; null where it is not drawn. */
export const caretTop = (/** @type {HTMLElement} */ field) => {
  const selection = document.getSelection();
  if (!selection?.rangeCount || !field.contains(selection.anchorNode)) return null;
  const rects = selection.getRangeAt(0).getClientRects();
  return (rects[0] ?? field.getBoundingClientRect()).top;
};
