// @ts-check
// Chainlit's own controls, mended where they stand for keys and for who listens, for its package is never changed: it
// draws pictures without a word, sliders without a name, a menu that keys do not reach, dialogs that lose the focus.

/** By id, in the words of their tooltips. */
const NAMES = {
  'sidebar-trigger-button': 'Show or hide the stories',
  'search-chats-button': 'Search the stories',
  'new-chat-button': 'New story',
  'user-nav-button': 'Your account',
  'chat-settings-open-modal': 'How the model writes',
  'chat-submit': 'Write (Enter)',
  'stop-button': 'Stop (Esc)',
};
/** Of what shows its value alone: “stories” is a model, “Wild” a preset. */
const ABOUT = {
  'mode-picker-trigger-model': 'The model that writes',
  'mode-picker-trigger-preset': 'A preset of settings',
};
/** Of what has no id, by the class of its picture. */
const PICTURES = { 'lucide-arrow-down': 'To the end of the page' };
const SOON_MS = 100;

const set = (/** @type {Element | null | undefined} */ node, /** @type {Record<string, string>} */ attributes) =>
  Object.entries(attributes).forEach(([name, value]) => {
    if (node && node.getAttribute(name) !== value) node.setAttribute(name, value);
  });

/** A link with a button in it, and in that what opens a menu: the link is one place to go to, the menu another. */
const mendStories = (/** @type {HTMLElement} */ history) => {
  set(history.closest('ul'), { role: 'none' });
  history.querySelectorAll('li').forEach((story) => {
    const name = story.textContent?.trim() || '';
    set(story.querySelector('a > button'), { role: 'group', tabindex: '-1', 'aria-label': name });
    const about = { 'aria-label': `What to do with “${name}”` };
    set(story.querySelector('#thread-options'), { role: 'button', tabindex: '0', ...about });
  });
};

/** The parts of a slider that is dragged are named as the label above it says. */
const mendSettings = (/** @type {HTMLElement} */ dialog) =>
  dialog.querySelectorAll('[role=slider]').forEach((thumb) => {
    const id = thumb.closest('[id]')?.id;
    const label = id && dialog.querySelector(`label[for="${CSS.escape(id)}"]`);
    // Behind its name the label has the value, which the slider says itself.
    if (label) set(thumb, { 'aria-label': label.firstChild?.textContent || '' });
  });

const DIALOG = '[role=dialog]:not(.odds)';
/** What had the focus before a dialog took it. @type {HTMLElement | null} */
let opener = null;

const mindOpener = (/** @type {FocusEvent} */ { target, relatedTarget }) => {
  const isInto = target instanceof Element && target.closest(DIALOG);
  if (isInto && relatedTarget instanceof HTMLElement && !relatedTarget.closest(DIALOG)) opener = relatedTarget;
};

/** The focus goes back to what opened a dialog, where the dialog was closed and nothing else took it. */
const backToOpener = () => {
  if (!opener || document.querySelector(DIALOG)) return;
  if (document.activeElement === document.body) opener.focus({ preventScroll: true });
  opener = null;
};

/** Enter in the field for a story's name confirms it: in the dialog that comes it does nothing. */
const confirmName = (/** @type {KeyboardEvent} */ event) => {
  const field = event.target;
  // Safari ends a composition before the Enter that did it, which goes by another number.
  if (event.key !== 'Enter' || event.isComposing || event.keyCode === 229 || event.repeat) return;
  if (!(field instanceof HTMLInputElement) || field.id !== 'name') return;
  const [, confirm] = field.closest(DIALOG)?.querySelectorAll('button') ?? [];
  if (!confirm) return;
  event.preventDefault();
  confirm.click();
};

const mend = () => {
  backToOpener();
  Object.entries(NAMES).forEach(([id, name]) => set(document.getElementById(id), { 'aria-label': name }));
  Object.entries(ABOUT).forEach(([id, about]) => set(document.getElementById(id), { 'aria-description': about }));
  Object.entries(PICTURES).forEach(([picture, name]) => {
    for (const each of document.getElementsByClassName(picture)) set(each.closest('button'), { 'aria-label': name });
  });
  const history = document.getElementById('thread-history');
  if (history) mendStories(history);
  const dialog = document.getElementById('chat-settings');
  if (dialog) mendSettings(dialog);
};

/** Mend what Chainlit draws, soon after: ten times a second at most, for a growing story changes the page often. */
export const watchNames = () => {
  let waits = false;
  const soon = () => {
    if (waits) return;
    waits = true;
    setTimeout(() => {
      waits = false;
      mend();
    }, SOON_MS);
  };
  document.addEventListener('focusin', mindOpener);
  document.addEventListener('keydown', confirmName);
  new MutationObserver(soon).observe(document.body, { childList: true, subtree: true });
  soon();
};
