// @ts-check
// Files: out of the page, into it, and in pieces that a socket can carry.

const PIECE = 100000;
const LEFT_OUT = 'inkling.left-out';

/** @type {(string | Uint8Array<ArrayBuffer>)[]} */
let coming = [];

/**
 * Give the reader a file. A large one comes in pieces, so that nobody else waits for it.
 *
 * @param {Page.Events['story_file']} file
 */
export const download = ({ name, type, part, of, text, base64 }) => {
  const piece = base64 ? Uint8Array.from(atob(text), (each) => each.charCodeAt(0)) : text;
  coming = part === 0 ? [piece] : [...coming, piece];
  if (coming.length < of) return;
  const parts = coming;
  coming = [];
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob(parts, { type: base64 ? type : `${type};charset=utf-8` }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
};

/**
 * The text of a file.
 *
 * @param {File} file
 * @param {string} again What to do with it once it is UTF-8, as in "open it again".
 * @param {{ignoreBOM?: boolean}} options ignoreBOM: leave a byte order mark in the text.
 * @throws {Error} It is no UTF-8; the message can be read by a writer.
 */
export const readText = async (file, again, options = {}) => {
  try {
    return new TextDecoder('utf-8', { fatal: true, ...options }).decode(await file.arrayBuffer());
  } catch {
    throw new Error(`“${file.name}” is no text in UTF-8. Save it as UTF-8 text, then ${again}.`);
  }
};

/** The bytes of a file, as base64. @param {Blob} file @returns {Promise<string>} */
export const readBase64 = (file) =>
  new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(String(reader.result).replace(/^[^,]*,/, ''));
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(file);
  });

/**
 * @param {string} name
 * @param {string} text
 * @returns {Page.Piece[]} at least one
 */
export const pieces = (name, text) => {
  const of = Math.max(1, Math.ceil(text.length / PIECE));
  return Array.from({ length: of }, (_, part) => ({
    name,
    part,
    of,
    text: text.slice(part * PIECE, (part + 1) * PIECE),
  }));
};

/** What of a book was left out is told on the page of its story: the one that it was opened on goes. */
export const rememberLeftOut = (/** @type {string} */ left) => {
  try {
    if (left) sessionStorage.setItem(LEFT_OUT, left);
    else sessionStorage.removeItem(LEFT_OUT);
  } catch {
    // The browser keeps nothing, so it is not told.
  }
};

/** The same, once. */
export const recallLeftOut = () => {
  try {
    const left = sessionStorage.getItem(LEFT_OUT);
    sessionStorage.removeItem(LEFT_OUT);
    return left;
  } catch {
    return null;
  }
};
