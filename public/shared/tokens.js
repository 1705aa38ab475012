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

/** @typedef {{text: string, own: boolean}} Piece own: it is the writer's, in a text that is not. */

/**
 * What follows each other of one author, as one.
 *
 * @param {string[]} texts
 * @param {(at: number) => boolean} isOwn
 */
export const joined = (texts, isOwn) => {
  /** @type {Piece[]} */
  const found = [];
  texts.forEach((text, at) => {
    const [last, own] = [found.at(-1), isOwn(at)];
    if (last?.own === own) last.text += text;
    else found.push({ text, own });
  });
  return found;
};

/** The text of a passage by whose it is, as far as that is known. @param {Parted} passage */
export const ownPieces = ({ tokens, own }) => {
  const mine = new Set(own ?? []);
  return joined(tokens, (at) => mine.has(at));
};

/** Which of the parts a place in the text is in, or right behind. @param {Parted} passage @param {number} place */
export const partAt = (passage, place) => {
  let end = 0;
  const parts = partsOf(passage);
  const at = parts.findIndex((text) => {
    end += text.length;
    return text && end >= place;
  });
  return at < 0 ? null : at;
};

const ODDS = [0.5, 0.2, 0.05, 0.01];

/** How much of a surprise a token was to the model: 0 (likely) to 4 (under 1 in 100). */
export const levelOf = (/** @type {number} */ probability) => ODDS.filter((each) => probability < each).length;
