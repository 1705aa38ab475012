// @ts-check
// Nodes made by hand, where React would be too slow or is not there.

/**
 * @param {string} tag
 * @param {string} [className]
 * @param {string | number | null} [text]
 * @param {string} [title]
 * @returns {HTMLElement}
 */
export const make = (tag, className, text, title) => {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined && text !== null) node.textContent = String(text);
  if (title) node.title = title;
  return node;
};

/**
 * @param {string} name It is found by: its class is "act-" and this.
 * @param {string} label
 * @param {string} title
 * @param {() => void} press
 * @param {boolean} [disabled]
 */
export const button = (name, label, title, press, disabled = false) => {
  const node = /** @type {HTMLButtonElement} */ (make('button', `quiet act-${name}`, label, title));
  node.type = 'button';
  node.disabled = disabled;
  node.onclick = (event) => {
    event.stopPropagation();
    press();
  };
  return node;
};
