// @ts-check
// The field that the writer types in. It is Chainlit's own.

export const input = () => /** @type {HTMLTextAreaElement | null} */ (document.getElementById('chat-input'));

/**
 * @param {string} text
 * @param {boolean} [focus] Where the writer is to go on there: on a phone it brings the keyboard.
 */
export const setInput = (text, focus = true) => {
  const field = input();
  if (!field) return;
  // React hears of a value only if it is set behind its back.
  Object.getOwnPropertyDescriptor(HTMLTextAreaElement.prototype, 'value')?.set?.call(field, text);
  field.dispatchEvent(new Event('input', { bubbles: true }));
  if (focus) field.focus();
};

/** A new line in what is typed, where the cursor stands. */
export const breakLine = () => {
  const field = input();
  if (!field) return;
  const [from, to] = [field.selectionStart, field.selectionEnd];
  setInput(`${field.value.slice(0, from)}\n${field.value.slice(to)}`);
  field.setSelectionRange(from + 1, from + 1);
};

/** Whether a line is a command. One that begins with settings ("/with t=1 …") is words. */
export const isCommand = (/** @type {string} */ line) => /^\s*\/[A-Za-z_-]/.test(line) && !/^\s*\/with\b/.test(line);

/** Whether a line begins as a command does; two slashes begin words. */
export const beginsAsCommand = (/** @type {string} */ line) => /^\s*\/(?!\/)/.test(line);

/** The words of a line: of two slashes at its beginning one is meant. */
export const literal = (/** @type {string} */ line) => line.replace(/^(\s*)\/\/(?=[A-Za-z_-])/, '$1/');

/** A line whose words these are; the other way round from `literal`. */
export const lineFor = (/** @type {string} */ words) => words.replace(/^(\s*)\/(?=[A-Za-z_-])/, '$1//');

/** The writer's words, given back on top of those that were typed since. */
export const givenBack = (/** @type {string} */ words, /** @type {string} */ typed) =>
  typed.trim() ? `${words}\n${typed}` : words;

export const startAnew = () => document.getElementById('new-chat-button')?.click();
