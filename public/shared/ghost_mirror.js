// @ts-check
// The grey words behind the writer's line. A text field shows one colour, so a copy of it lies over it, whose own words
// are not to be seen and are laid out as those in the field: by the same font, width and direction.
import { make } from './dom.js';

/** What decides where a character stands. */
const LAYOUT = /** @type {const} */ ([
  ...['font', 'letterSpacing', 'wordSpacing', 'fontKerning', 'fontFeatureSettings', 'fontVariantLigatures'],
  ...['textIndent', 'textTransform', 'textAlign', 'direction', 'unicodeBidi', 'tabSize', 'wordBreak', 'lineBreak'],
  ...['whiteSpace', 'overflowWrap'],
  ...['paddingTop', 'paddingRight', 'paddingBottom', 'paddingLeft'],
  ...['borderTopWidth', 'borderRightWidth', 'borderBottomWidth', 'borderLeftWidth'],
]);

export class Mirror {
  /** @type {HTMLTextAreaElement | null} */
  #field = null;
  #frame = 0;

  /** @param {() => void} take Called when a finger touches the words. */
  constructor(take) {
    this.box = make('div', 'ghost');
    this.box.setAttribute('aria-hidden', 'true');
    this.line = make('span', 'ghost-line');
    this.words = make('span', 'ghost-words');
    // Where a word that broke off meets the edge its end goes below, for its beginning stays where it is.
    this.box.append(this.line, make('wbr'), this.words);
    // A mouse means the place; a finger has no Tab.
    this.words.addEventListener('pointerdown', (event) => {
      if (event.pointerType === 'mouse') return;
      event.preventDefault();
      take();
    });
    this.sized = new ResizeObserver(() => this.#placeSoon());
    this.scrolled = () => this.#place();
  }

  /** @param {HTMLTextAreaElement} field @param {string} line @param {string} words */
  show(field, line, words) {
    if (this.#field !== field) {
      this.#leaveField();
      this.#field = field;
      this.sized.observe(field);
      field.addEventListener('scroll', this.scrolled, { passive: true });
    }
    if (this.box.previousSibling !== field) field.after(this.box);
    field.classList.add('with-ghost');
    this.line.textContent = line;
    this.words.textContent = words;
    this.#place();
    // The field gets its height for a new line after this.
    this.#placeSoon();
  }

  /** @param {boolean} keep The room, so that nothing jumps at each pause while the writer goes on. */
  hide(keep) {
    const room = this.#field?.parentElement;
    this.#leaveField();
    this.box.remove();
    if (room && !keep) room.style.minHeight = '';
  }

  #leaveField() {
    cancelAnimationFrame(this.#frame);
    this.sized.disconnect();
    this.#field?.removeEventListener('scroll', this.scrolled);
    this.#field?.classList.remove('with-ghost');
    this.#field = null;
  }

  #placeSoon() {
    cancelAnimationFrame(this.#frame);
    this.#frame = requestAnimationFrame(() => this.#place());
  }

  #place() {
    const field = this.#field;
    if (!field) return;
    const { style } = this.box;
    const computed = getComputedStyle(field);
    for (const name of LAYOUT) style[name] = computed[name];
    style.left = `${field.offsetLeft}px`;
    style.top = `${field.offsetTop - field.scrollTop}px`;
    // Without the scroll bar, if there is one.
    style.width = `${field.offsetWidth - barOf(field)}px`;
    // The end of the line is scrolled out of sight.
    const isOut = this.words.offsetTop - field.scrollTop >= field.clientHeight;
    style.visibility = isOut ? 'hidden' : '';
    const room = field.parentElement;
    const needed = this.box.offsetHeight - field.scrollTop;
    if (room && !isOut && needed > room.clientHeight) room.style.minHeight = `${Math.ceil(needed)}px`;
  }
}

/** The width of the scroll bar. */
const barOf = (/** @type {HTMLElement} */ field) => {
  const { borderLeftWidth, borderRightWidth } = getComputedStyle(field);
  return (
    field.offsetWidth - field.clientWidth - Number.parseFloat(borderLeftWidth) - Number.parseFloat(borderRightWidth)
  );
};
