// @ts-check
// Words and characters, in every script. Each passage is counted once, and a long one little by little.

const UNSPACED_LETTERS =
  '\\p{sc=Han}\\p{sc=Hira}\\p{sc=Kana}\\p{sc=Thai}\\p{sc=Laoo}\\p{sc=Khmr}\\p{sc=Mymr}\\p{sc=Yiii}\\p{sc=Bopo}ー';
/** Letters of scripts without spaces between their words; in parentheses, so that `split` gives them too. */
const UNSPACED = new RegExp(`((?:(?=[\\p{L}\\p{Nl}])[${UNSPACED_LETTERS}]\\p{M}*)+)`, 'u');
/** As word processors count: what a hyphen or an apostrophe joins is one word, a dash parts two. */
const SPACED = /[\p{L}\p{N}][\p{L}\p{M}\p{N}]*(?:[-'’‐‑.,:·_/@&\u00ad\u200c\u200d]+[\p{L}\p{N}][\p{L}\p{M}\p{N}]*)*/gu;
const IN_WORD = /[\p{L}\p{M}\p{N}]/u;
const LETTERS = /\P{M}/gu;
const PAIRS = /[\ud800-\udbff][\udc00-\udfff]/g;
/** Characters that are counted at a time. */
const PIECE = 4000;
const LONGEST_WORD = 1000;

/** @type {Intl.Segmenter | null | undefined} */
let segmenter;

/** Words where no space parts them; where the browser knows none of them, each letter is one. */
const unspaced = (/** @type {string} */ text) => {
  segmenter ??= 'Segmenter' in Intl ? new Intl.Segmenter(undefined, { granularity: 'word' }) : null;
  if (!segmenter) return (text.match(LETTERS) || []).length;
  let words = 0;
  for (const { isWordLike } of segmenter.segment(text)) if (isWordLike) words++;
  return words;
};

/** How many words a text has. */
export const countWords = (/** @type {string} */ text) =>
  text
    .split(UNSPACED)
    .reduce((sum, piece, at) => sum + (at % 2 ? unspaced(piece) : (piece.match(SPACED) || []).length), 0);

/** How many characters a text has, spaces too; one beyond 16 bits is one. */
export const countCharacters = (/** @type {string} */ text) => text.length - (text.match(PAIRS) || []).length;

/** Where a piece ends that begins at `at`: between two words, where there is such a place. */
const endOfPiece = (/** @type {string} */ text, /** @type {number} */ at) => {
  if (text.length - at <= PIECE) return text.length;
  const space = text.slice(at + PIECE, at + PIECE + LONGEST_WORD).search(/\s/);
  return at + PIECE + Math.max(0, space);
};

/**
 * @typedef {{words: number, characters: number}} Counts
 * @typedef {Counts & {length: number, text: string, at: number}} Known length: tokens; at: so much of it is counted.
 */

const goesOn = (/** @type {Known} */ before, /** @type {Known} */ after) =>
  IN_WORD.test(before.text.slice(-1)) && /^[\p{L}\p{N}]/u.test(after.text) && !UNSPACED.test(after.text[0]);

/** Remembers what it counted of each passage. */
export class Tally {
  /** @type {Map<string, Known>} */
  #known = new Map();

  /**
   * Count what is new.
   *
   * @param {Pick<Page.Passage, 'id' | 'tokens'>[]} passages Of the story, in order.
   * @param {() => boolean} enough Whether to stop for now.
   * @returns {Counts | null} null: call it again, there is more.
   */
  count(passages, enough = () => false) {
    /** @type {Map<string, Known>} */
    const known = new Map();
    const sum = { words: 0, characters: 0 };
    /** @type {Known | undefined} */
    let before;
    let done = true;
    passages.forEach(({ id, tokens }) => {
      let each = this.#known.get(id);
      if (each?.length !== tokens.length)
        each = { words: 0, characters: 0, length: tokens.length, text: tokens.join(''), at: 0 };
      known.set(id, each);
      while (each.at < each.text.length && done) {
        const end = endOfPiece(each.text, each.at);
        const piece = each.text.slice(each.at, end);
        Object.assign(each, {
          words: each.words + countWords(piece),
          characters: each.characters + countCharacters(piece),
          at: end,
        });
        done = !enough();
      }
      done &&= each.at === each.text.length;
      sum.words += each.words;
      sum.characters += each.characters;
      if (before && each.text && goesOn(before, each)) sum.words--;
      if (each.text) before = each;
    });
    this.#known = known;
    return done ? sum : null;
  }

  /** What was counted of a passage. @param {string | null | undefined} id @returns {Counts | undefined} */
  of(id) {
    return id ? this.#known.get(id) : undefined;
  }
}
