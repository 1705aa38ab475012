// @ts-check
// Tokens as they are drawn.

/** @type {Record<string, string>} */
const SIGNS = { ' ': '\u2423', '\n': '\u21b5', '\t': '\u21e5', '\r': '\u240d' };

/**
 * A token as it can be seen: a space, a line end or nothing at all is a "sign".
 *
 * @param {string} text
 * @returns {['sign' | 'text', string][]}
 */
export const visible = (text) =>
  text === ''
    ? [['sign', 'part of a character']]
    : text
        .split(/([ \n\t\r])/)
        .filter(Boolean)
        .map((part) => (SIGNS[part] ? ['sign', SIGNS[part]] : ['text', part]));

/**
 * The parts that a passage is drawn in. The writer's words are cut, so that a part can be dimmed; the model's come in
 * tokens. A line's end belongs to the word before it.
 *
 * @param {Pick<Page.Passage, 'author' | 'tokens'>} passage
 * @returns {string[]}
 */
export const partsOf = (passage) =>
  passage.author === 'model' ? passage.tokens : passage.tokens.join('').match(/\s*\S+(?:[^\S\n]*\n)*|\s+/g) || [];

/** A text in its lines, each with what ends it and the empty lines that follow. @param {string} text */
export const linesOf = (text) => text.match(/[^\n]*\n+|[^\n]+/g) ?? [text];

const ODDS = [0.5, 0.2, 0.05, 0.01];

/** How much of a surprise a token was to the model: 0 (likely) to 4 (under 1 in 100). */
export const levelOf = (/** @type {number} */ probability) => ODDS.filter((each) => probability < each).length;
