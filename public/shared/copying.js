// @ts-check
// What is copied out of the story: its words, with its own line ends and no others. A browser would put two for each
// passage, because of what is drawn beside it.

/**
 * The words between two places.
 *
 * @param {string[]} parts Of the story.
 * @param {{part: number, at: number}} from
 * @param {{part: number, at: number}} to
 */
export const wordsBetween = (parts, from, to) =>
  parts
    .slice(from.part, to.part + 1)
    .map((words, index) => {
      const part = from.part + index;
      return words.slice(part === from.part ? from.at : 0, part === to.part ? to.at : undefined);
    })
    .join('');

/**
 * The two ends of a selection among the parts of the story; null where it holds none of them.
 *
 * @param {Range} range
 * @param {Element[]} parts
 */
const endsOf = (range, parts) => {
  const held = parts.map((part) => range.intersectsNode(part));
  const [first, last] = [held.indexOf(true), held.lastIndexOf(true)];
  if (first < 0) return null;
  const inside = (/** @type {Element} */ part, /** @type {Node} */ node) => part.contains(node);
  const [from, to] = [parts[first], parts[last]];
  // A part has one node of text.
  const begin = inside(from, range.startContainer) && range.startContainer !== from ? range.startOffset : 0;
  const end =
    inside(to, range.endContainer) && range.endContainer !== to ? range.endOffset : (to.textContent || '').length;
  return { from: { part: first, at: begin }, to: { part: last, at: end } };
};

/** What is selected of the story; null where nothing is. */
const selection = () => {
  const selected = document.getSelection();
  const story = document.getElementById('story-text');
  if (!story || !selected?.rangeCount || selected.isCollapsed) return null;
  const range = selected.getRangeAt(0);
  if (!range.intersectsNode(story)) return null;
  const parts = [...story.querySelectorAll('.part')];
  const ends = endsOf(range, parts);
  return ends && { texts: parts.map((part) => part.textContent || ''), ...ends };
};

/** The story's words that are selected; null where none are. */
export const selectedWords = () => {
  const found = selection();
  return found && wordsBetween(found.texts, found.from, found.to);
};

/** Where they stand in the story, in UTF-16 units; null where none are. */
export const selectedPlace = () => {
  const found = selection();
  if (!found) return null;
  const { texts, from, to } = found;
  const start = wordsBetween(texts, { part: 0, at: 0 }, from).length;
  return { start, end: start + wordsBetween(texts, from, to).length };
};

const onCopy = (/** @type {ClipboardEvent} */ event) => {
  if (/^(INPUT|TEXTAREA)$/.test(/** @type {Element | null} */ (event.target)?.tagName ?? '')) return;
  const words = selectedWords();
  if (!words || !event.clipboardData) return;
  event.clipboardData.setData('text/plain', words);
  event.preventDefault();
};

export const watchCopies = () => document.addEventListener('copy', onCopy);
