// @ts-check
// What a key does to the story.

/**
 * @typedef {Pick<KeyboardEvent, 'code' | 'key' | 'ctrlKey' | 'metaKey' | 'altKey' | 'shiftKey'>} Press
 * @typedef {'leave' | 'empty' | 'continue' | 'passages' | 'add' | 'line'} WritingAct
 * @typedef {WritingAct | 'retry' | 'undo' | 'redo' | 'previous' | 'next' | 'find' | 'contents'} KeyAct
 */

/** What the help says of them. */
export const KEYS = [
  ['Ctrl+Enter', 'Continue (Enter on an empty line does the same)'],
  ['Shift+Enter', 'Add what you typed to the story; the model writes nothing'],
  ['Alt+Enter', 'A new line in what you type'],
  ['Tab', 'The next word of the ghost text, while there is any; Ctrl+→ its sentence, Esc none of it'],
  ['Alt+R', 'Retry'],
  ['Esc', 'Stop'],
  ['Alt+Z', 'Undo'],
  ['Alt+Shift+Z', 'Redo'],
  ['Alt+,  Alt+.', 'The alternative before, the one after'],
  ['Alt+↑', 'To the passages: ↑ and ↓ walk, Enter opens the row of one, Esc leads back to what you type'],
  ['Ctrl+Z  Ctrl+Y  ←  →', 'Undo, redo and alternatives, while you are not typing'],
  ['Ctrl+Shift+F', 'Find and replace; there Enter and Shift+Enter go to the next place and the one before'],
  ['Alt+G', 'Contents: the headings and scene breaks, to go to with ↑, ↓ and Enter'],
];

/**
 * What was meant; null for a key that is none of ours.
 *
 * @param {Press} press
 * @param {object} where
 * @param {boolean} where.typing In a field.
 * @param {boolean} where.empty In the composer, with nothing in it.
 * @param {boolean} [where.composing] In the composer, with words in it that are no command.
 * @param {boolean} where.onToken On a token, a row’s button, or whatever else arrows leave for what stands beside it.
 * @returns {KeyAct | null}
 */
export const keyAct = ({ code, key, ctrlKey, metaKey, altKey, shiftKey }, { typing, empty, composing, onToken }) => {
  const mod = ctrlKey || metaKey;
  if (key === 'Escape') return 'leave';
  if (key === 'Enter' && !shiftKey && empty) return 'empty';
  if (key === 'Enter' && mod && !typing) return 'continue';
  if (key === 'Enter' && composing && !mod && shiftKey !== altKey) return shiftKey ? 'add' : 'line';
  if (altKey && !mod && !shiftKey && key === 'ArrowUp') return 'passages';
  if (altKey && !mod && code === 'KeyR') return 'retry';
  if (mod && shiftKey && !altKey && code === 'KeyF') return 'find';
  if (altKey && !mod && !shiftKey && code === 'KeyG') return 'contents';
  if (code === 'KeyZ' && ((altKey && !mod) || (mod && !altKey && !typing))) return shiftKey ? 'redo' : 'undo';
  if (code === 'KeyY' && mod && !typing) return 'redo';
  if (altKey && !mod && code === 'Comma') return 'previous';
  if (altKey && !mod && code === 'Period') return 'next';
  if (typing || onToken || mod || altKey || shiftKey) return null;
  return key === 'ArrowLeft' ? 'previous' : key === 'ArrowRight' ? 'next' : null;
};

export const isTyping = (/** @type {HTMLElement} */ node) =>
  /^(INPUT|TEXTAREA|SELECT)$/.test(node.tagName) || node.isContentEditable;
