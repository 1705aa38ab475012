// @ts-check
// Lines on their way to the server: how long one may be, and whether the story has it.
import { isCommand, literal } from './composer.js';
import { count } from './numbers.js';

/** So much can be sent at once; the server takes a million characters, with what stands around the words. */
export const MOST_SENT = 990_000;
const ADD = /^\s*\/add\s+/i;
const SETTINGS = /^\s*\/with\b(?:\s+[A-Za-z_-]+=\S*)*(?:[ \t]|\n|$)/;

/**
 * What is wrong with what is to be sent; "" where nothing is.
 *
 * @param {unknown} data
 * @param {boolean} inBytes Where the connection counts bytes, and not characters.
 */
export const tooLong = (data, inBytes) => {
  const packed = JSON.stringify(data);
  const size = inBytes ? new TextEncoder().encode(packed).length : packed.length;
  if (size <= MOST_SENT) return '';
  const unit = inBytes ? 'bytes' : 'characters';
  return (
    `Too long to be sent at once: ${count(size)} ${unit}, and at most ${count(MOST_SENT)} can be. ` +
    'Nothing was sent, and your words are still here: send them in parts.'
  );
};

/** @typedef {{id: string, output: string, metadata?: Record<string, unknown>}} Message */

/** What is given back of a message that did not arrive: the line, or the words beside a button. */
export const lineOf = (/** @type {Message} */ { output, metadata }) => {
  if (!metadata?.ask) return output;
  return typeof metadata.words === 'string' ? metadata.words : '';
};

/**
 * The words of a line as they come to stand in the story, with white space of one kind; "" for a command without any.
 *
 * @param {string} line
 */
export const wordsIn = (line) => {
  if (ADD.test(line)) return even(line.replace(ADD, ''));
  return isCommand(line) ? '' : even(literal(line.replace(SETTINGS, '')));
};

const whole = (/** @type {string} */ text) => text.replace(/\p{Cs}/gu, '\ufffd');

/** Half a character is none, as on the server; which white space joins words is the story's to say. */
const even = (/** @type {string} */ text) => whole(text).replace(/\s+/g, ' ').trim();

const textOf = (/** @type {Pick<Page.Passage, 'tokens'>} */ { tokens }) => tokens.join('');

/** @typedef {Pick<Page.Passage, 'id' | 'author' | 'tokens'>[]} Passages */

/**
 * Whether a line that was sent stands in the story.
 *
 * @param {Passages} passages
 * @param {string} line
 * @param {string | null | undefined} after What stood last when it was sent: the same words before it are older ones.
 */
export const stands = (passages, line, after) => {
  const words = wordsIn(line);
  const from = passages.findIndex((each) => each.id === after) + 1;
  return passages.slice(from).some((each) => each.author === 'writer' && even(textOf(each)) === words);
};

/**
 * Whether an edit was made: its words stand there, and those of the passage no longer.
 *
 * @param {Passages} passages
 * @param {string} id
 * @param {string} words
 */
export const isMade = (passages, id, words) => {
  const old = passages.find((each) => each.id === id);
  const meant = whole(words);
  if (old) return textOf(old) === meant;
  return !meant || passages.some((each) => textOf(each) === meant);
};
