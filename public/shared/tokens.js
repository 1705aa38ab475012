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

/** A line's end belongs to the word before it. */
const wordsOf = (/** @type {string} */ text) => text.match(/\s*\S+(?:[^\S\n]*\n)*|\s+/g) || [];

/** @typedef {Pick<Page.Passage, 'author' | 'tokens'> & Partial<Pick<Page.Passage, 'own' | 'odds'>>} Parted */

/**
 * The parts that a passage is drawn in, and for each the piece that it is of. The writer's words are cut, so that a
 * part can be dimmed; the model's come in tokens.
 *
 * @param {Parted} passage
 * @returns {{texts: string[], pieces: number[]}}
 */
const cutUp = ({ author, tokens, own, odds }) => {
  const whole = author === 'model' ? tokens.length : own ? (odds?.length ?? 0) : 0;
  const texts = tokens.slice(0, whole);
  const pieces = texts.map((_, at) => at);
  const rest = own || author === 'model' ? tokens.slice(whole) : [tokens.join('')];
  rest.forEach((piece, at) => {
    wordsOf(piece).forEach((word) => {
      texts.push(word);
      pieces.push(whole + at);
    });
  });
  return { texts, pieces };
};

/** @param {Parted} passage @returns {string[]} */
export const partsOf = (passage) => (passage.author === 'model' ? passage.tokens : cutUp(passage).texts);

/**
 * Whose each of the parts is, where a passage was edited: true for the writer's. Null where all are of one, or nobody
 * knows.
 *
 * @param {Parted} passage
 * @returns {boolean[] | null}
 */
export const ownParts = (passage) => {
  if (!passage.own) return null;
  const own = new Set(passage.own);
  return cutUp(passage).pieces.map((piece) => own.has(piece));
};

/** A text in its lines, each with what ends it and the empty lines that follow. @param {string} text */
export const linesOf = (text) => text.match(/[^\n]*\n+|[^\n]+/g) ?? [text];

const ODDS = [0.5, 0.2, 0.05, 0.01];

/** How much of a surprise a token was to the model: 0 (likely) to 4 (under 1 in 100). */
export const levelOf = (/** @type {number} */ probability) => ODDS.filter((each) => probability < each).length;
