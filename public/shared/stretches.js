// @ts-check
// A story cut into stretches, each of which ends with a line: where words change, a browser lays that one out alone and
// not the whole story.
import { partsOf } from './tokens.js';

/**
 * The parts of a passage that stand in one stretch.
 *
 * @typedef {object} Run
 * @property {Page.Passage} passage
 * @property {number} at Which passage of the story it is.
 * @property {number} from The first of its parts.
 * @property {number} to The one after the last.
 * @property {number} size Of its text, in UTF-16 units.
 * @property {boolean} goesOn More of the passage follows in the next stretch.
 */

/** A stretch has so many UTF-16 units at least, but for the last. */
export const LEAST = 4000;

/**
 * Cut a story, or the rest of it, into stretches. What is cut depends on what stands before alone, so that a story that
 * grows, or changes later on, is cut as it was.
 *
 * @param {Page.Passage[]} passages
 * @param {number} [first] The passage to begin with, where a stretch begins,
 * @param {number} [part] and its part.
 * @returns {Run[][]}
 */
export const stretchesOf = (passages, first = 0, part = 0) => {
  /** @type {Run[][]} */
  const stretches = [[]];
  let before = 0;
  for (let at = first; at < passages.length; at++) {
    const passage = passages[at];
    const parts = partsOf(passage);
    let from = at === first ? part : 0;
    let size = 0;
    for (let to = from + 1; to <= parts.length; to++) {
      size += parts[to - 1].length;
      if (before + size < LEAST || !parts[to - 1].endsWith('\n')) continue;
      stretches[stretches.length - 1].push({ passage, at, from, to, size, goesOn: to < parts.length });
      stretches.push([]);
      [from, size, before] = [to, 0, 0];
    }
    // A passage that has no words yet has its place too.
    if (from < parts.length || !parts.length)
      stretches[stretches.length - 1].push({ passage, at, from, to: parts.length, size, goesOn: false });
    before += size;
  }
  if (stretches.length > 1 && !stretches[stretches.length - 1].length) stretches.pop();
  return stretches;
};
