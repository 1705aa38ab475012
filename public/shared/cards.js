// @ts-check
// The list of models, and the cards they come with.

/** @typedef {'key' | 'val_bpb' | 'parameters' | 'date'} Column */

/**
 * The rows in order; what is not known comes last, whichever way is sorted.
 *
 * @param {Page.ModelLine[]} rows
 * @param {[Column, number]} by a column, and 1 or -1
 */
export const sorted = (rows, [name, way]) =>
  [...rows].sort((one, other) => {
    const [a, b] = [one[name], other[name]];
    if (a === null || b === null) return Number(a === null) - Number(b === null);
    return way * (typeof a === 'string' ? a.localeCompare(String(b)) : a - Number(b));
  });

/**
 * The rows in order, in parts within which they can be compared: by bits per byte only those that were judged on the
 * same text, the most first, and each alone of whose text nothing is known.
 *
 * @param {Page.ModelLine[]} rows
 * @param {[Column, number]} by
 * @returns {{head: string, rows: Page.ModelLine[]}[]} head: what parts them; "" where all are one
 */
export const parted = (rows, by) => {
  if (by[0] !== 'val_bpb') return [{ head: '', rows: sorted(rows, by) }];
  /** @type {Map<string, {head: string, rows: Page.ModelLine[]}>} */
  const texts = new Map();
  /** @type {Page.ModelLine[]} */
  const others = [];
  for (const row of rows) {
    if (row.val_bpb === null || !row.judged) others.push(row);
    else {
      const { id, name } = row.judged;
      const part = texts.get(id) || { head: `Judged on ${name}`, rows: [] };
      part.rows.push(row);
      texts.set(id, part);
    }
  }
  const parts = [...texts.values()].sort((one, other) => other.rows.length - one.rows.length);
  if (others.length)
    parts.push({ head: 'Not judged, or on a text that is not known: compared with none', rows: others });
  return parts.map((part) => ({ ...part, rows: sorted(part.rows, part.rows === others ? ['key', 1] : by) }));
};

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
