// @ts-check
// What of a suggestion is taken at once, and what is left of it. Pure text.

const lettersOf = (/** @type {string[]} */ ...scripts) =>
  new RegExp(scripts.map((each) => `\\p{Script=${each}}`).join('|'), 'u');

/** Scripts that set no space between words: there the browser's rules part them. */
const UNSPACED = lettersOf('Han', 'Hiragana', 'Katakana', 'Thai', 'Lao', 'Khmer', 'Myanmar');

const parted = (/** @type {string} */ word) => {
  let first = '';
  let isWord = false;
  for (const { segment, isWordLike } of new Intl.Segmenter(undefined, { granularity: 'word' }).segment(word)) {
    if (isWord && isWordLike) break;
    first += segment;
    isWord ||= Boolean(isWordLike);
  }
  return first;
};

/** The first word, with the white space before it and the marks behind it; "" of no words. @param {string} words */
export const nextWord = (words) => {
  const [word = ''] = /^\s*\S+/.exec(words) ?? [];
  return UNSPACED.test(word) ? parted(word) : word;
};

const RIGHT_TO_LEFT = lettersOf('Hebrew', 'Arabic', 'Syriac', 'Thaana', 'Nko', 'Adlam');

/** Whether the last line of a text is read from the right, as its first letter has it. @param {string} text */
export const isRightToLeft = (text) =>
  RIGHT_TO_LEFT.test(/\p{L}/u.exec(text.slice(text.lastIndexOf('\n') + 1))?.[0] ?? '');

/**
 * What is left of the words suggested behind `before`, when the line has become `now`; null where it went another way.
 *
 * @param {string} before
 * @param {string} words
 * @param {string} now
 */
export const leftOf = (before, words, now) => {
  const whole = before + words;
  return now.length >= before.length && whole.startsWith(now) ? whole.slice(now.length) : null;
};
