// @ts-check
// The list of models, and the cards they come with.

/**
 * The rows in order; what is not known comes last, whichever way is sorted.
 *
 * @param {Page.ModelLine[]} rows
 * @param {[keyof Page.ModelLine, number]} by a column, and 1 or -1
 */
export const sorted = (rows, [name, way]) =>
  [...rows].sort((one, other) => {
    const [a, b] = [one[name], other[name]];
    if (a === null || b === null) return Number(a === null) - Number(b === null);
    return way * (typeof a === 'string' ? a.localeCompare(String(b)) : a - Number(b));
  });

/** @type {[string, RegExp][]} */
const KINDS = [
  ['rule', /^\|[\s|:-]+\|\s*$/],
  ['picture', /^!\[.*\]\(.*\)\s*$/],
  ['head', /^#{1,6}\s/],
  ['row', /^\|/],
  ['quote', /^>/],
  ['code', /^ {4}/],
];

/** A line without the mark of its block. */
export const plain = (/** @type {string} */ line) => line.replace(/^(#{1,6}\s+|>\s?| {4})/, '').replace(/\s+$/, '');

/** A line without the marks within it. */
export const words = (/** @type {string} */ line) => line.replace(/`([^`]+)`/g, '$1');

/** The cells of a row of a table. */
export const cells = (/** @type {string} */ line) =>
  words(line)
    .trim()
    .replace(/^\||\|$/g, '')
    .split('|')
    .map((cell) => cell.trim());

/**
 * A card is Markdown. It is cut into blocks and shown as plain text in each: no mark-up of its own ever comes to life.
 *
 * @param {string} text
 * @returns {{kind: string, lines: string[]}[]} kind: one of KINDS, "words" or "gap"
 */
export const blocks = (text) => {
  /** @type {{kind: string, lines: string[]}[]} */
  const found = [];
  text.split(/\r?\n/).forEach((line) => {
    const kind = KINDS.find(([, like]) => like.test(line))?.[0] || (line.trim() ? 'words' : 'gap');
    const last = found.at(-1);
    if (last && last.kind === kind && kind !== 'head') last.lines.push(line);
    else found.push({ kind, lines: [line] });
  });
  return found;
};
