// @ts-check
// Memory and author's note as they were typed and not set yet, a branch's name, the words in Tune: drafts (drafts.js)
// of each story, until they are.

/** In characters, and in paragraphs. */
export const [LONGEST_MEMORY, LONGEST_NOTE, DEEPEST] = [10_000, 2_000, 20];
export const CAME_BACK =
  'What you typed in Memory is back, and not in force: press “Use from now on” there, or take it out.';

/** @typedef {Pick<import('./drafts.js').Drafts, 'get' | 'put' | 'drop'>} Kept */

const NAMES = /** @type {const} */ (['memory', 'note', 'depth']);

const place = (/** @type {string} */ story, /** @type {string} */ id) =>
  /** @type {import('./drafts.js').Place} */ ({ kind: 'beside', story, id });

/**
 * What was typed for a story other than what is set; the browser's storage is not ours alone, so what is no memory,
 * note or depth is none of it.
 *
 * @param {Kept} drafts
 * @param {string} story Its address, or "new".
 * @returns {Partial<Page.Context>}
 */
export const typedFor = (drafts, story) => {
  const [memory, note, depth] = NAMES.map((name) => drafts.get(place(story, name))?.words);
  const isDepth = depth !== undefined && /^\d{1,2}$/.test(depth) && Number(depth) >= 1 && Number(depth) <= DEEPEST;
  return {
    ...(memory !== undefined && memory.length <= LONGEST_MEMORY && { memory }),
    ...(note !== undefined && note.length <= LONGEST_NOTE && { note }),
    ...(isDepth && { depth: Number(depth) }),
  };
};

/**
 * The writer typed: what differs from what is set is kept.
 *
 * @param {Kept} drafts
 * @param {string} story
 * @param {Page.Context} set
 * @param {Partial<Page.Context>} typed
 */
export const keepTyped = (drafts, story, set, typed) =>
  NAMES.forEach((name) => {
    const value = typed[name];
    if (value === undefined) return;
    if (value === set[name]) drafts.drop(place(story, name));
    else drafts.put(place(story, name), { words: String(value) });
  });

/** It is set. @param {Kept} drafts @param {string} story */
export const dropTyped = (drafts, story) =>
  NAMES.filter((name) => drafts.get(place(story, name))).forEach((name) => drafts.drop(place(story, name)));

/** In characters: a name, or the words of a dial. */
export const LONGEST_WORDS = 20_000;

/**
 * What was typed into a field of a panel, and not sent yet; null where nothing was.
 *
 * @param {Kept} drafts
 * @param {string} story
 * @param {string} field Without a dot.
 */
export const typedInto = (drafts, story, field) => {
  const words = drafts.get(place(story, field))?.words;
  return words === undefined || words.length > LONGEST_WORDS ? null : words;
};

/**
 * The writer typed into a field of a panel; null, or what stands there anyway: it is sent, or meant no more.
 *
 * @param {Kept} drafts
 * @param {string} story
 * @param {string} field
 * @param {string | null} words
 * @param {string | null} [own] What the field holds where nothing is typed.
 */
export const keepInto = (drafts, story, field, words, own = null) => {
  if (words !== null && words !== own) drafts.put(place(story, field), { words });
  else if (drafts.get(place(story, field))) drafts.drop(place(story, field));
};
