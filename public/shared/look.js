// @ts-check
// How the text looks: the writer's own font, size, width of a line and spacing. The browser keeps them, for every
// story; what is not changed stays as the style sheets have it. Only fonts that systems bring: nothing is fetched.

const KEPT = 'inkling.look';
/** Longer than any look that is kept. */
const LONGEST = 500;

/**
 * By name: what it is called, what it is for, and the fonts, the first that is there. "" for the style sheets' own.
 *
 * @type {Record<string, {label: string, about: string, fonts: string}>}
 */
export const FACES = {
  book: { label: 'Book', about: 'with serifs, as printed', fonts: '' },
  sans: {
    label: 'Plain',
    about: 'without serifs',
    fonts: "ui-sans-serif, system-ui, -apple-system, 'Segoe UI', 'Helvetica Neue', Arial, sans-serif",
  },
  clear: {
    label: 'Clear',
    about: 'letters hard to mix up: OpenDyslexic or Atkinson Hyperlegible where you have it, else Verdana or its kin',
    fonts:
      "OpenDyslexic, 'Atkinson Hyperlegible Next', 'Atkinson Hyperlegible', Lexend, Verdana, 'DejaVu Sans', " +
      'Tahoma, sans-serif',
  },
  typed: {
    label: 'Typewriter',
    about: 'every letter as wide as the others',
    fonts: "'Courier Prime', 'Courier New', 'Liberation Mono', 'DejaVu Sans Mono', Menlo, Consolas, monospace",
  },
};

/**
 * @typedef {'size' | 'width' | 'line' | 'gap'} DialName
 * @typedef {{face: string} & Record<DialName, number>} Look
 * @typedef {{label: string, least: number, most: number, step: number, said: (value: number) => string}} Dial
 */

/** size: percent. width: characters in a line. line: its height, in heights of the font. gap: in lines. */
export const USUAL = /** @type {const} */ ({ face: 'book', size: 100, width: 75, line: 1.7, gap: 0 });

/** @type {Record<DialName, Dial>} */
export const DIALS = {
  size: { label: 'Size', least: 70, most: 200, step: 10, said: (value) => `${value} %` },
  width: { label: 'Width', least: 40, most: 110, step: 5, said: (value) => `about ${value} characters in a line` },
  line: { label: 'Height of a line', least: 1.2, most: 2.4, step: 0.1, said: (value) => value.toFixed(1) },
  gap: {
    label: 'Space between paragraphs',
    least: 0,
    most: 2,
    step: 0.25,
    said: (value) => (value ? `${value} ${value === 1 ? 'line' : 'lines'}` : 'none'),
  },
};

/** The step of a dial that is nearest to a value; null for what is no number within its ends. */
const onDial = (/** @type {Dial} */ { least, most, step }, /** @type {unknown} */ value) => {
  if (typeof value !== 'number' || !(value >= least && value <= most)) return null;
  return Number((least + Math.round((value - least) / step) * step).toFixed(2));
};

/**
 * What the browser keeps, as far as it is a look: any page of this address could have written it.
 *
 * @param {string | null} raw
 * @returns {Look}
 */
export const read = (raw) => {
  /** @type {Look} */
  const look = { ...USUAL };
  if (!raw || raw.length > LONGEST) return look;
  try {
    const kept = JSON.parse(raw);
    if (typeof kept.face === 'string' && Object.hasOwn(FACES, kept.face)) look.face = kept.face;
    for (const name of /** @type {DialName[]} */ (Object.keys(DIALS))) {
      const value = onDial(DIALS[name], kept[name]);
      if (value !== null) look[name] = value;
    }
  } catch {
    // It is none.
  }
  return look;
};

/** What of a look is the writer's own. @param {Look} look @returns {Partial<Look>} */
export const changes = (look) =>
  Object.fromEntries(Object.entries(look).filter(([name, value]) => value !== USUAL[/** @type {DialName} */ (name)]));

/**
 * A look as the style sheets read it: what is not there stays theirs.
 *
 * @param {Look} look
 * @param {(fonts: string) => number} widthOf So wide are the fonts' letters, beside the style sheets' own.
 * @returns {Record<string, string>}
 */
export const variables = (look, widthOf) => {
  const { fonts } = FACES[look.face];
  const wide = ((look.size / 100) * (look.width / USUAL.width) * (fonts ? widthOf(fonts) : 1)).toFixed(3);
  return {
    ...(fonts && { '--story-font': fonts }),
    ...(look.size !== USUAL.size && { '--story-size': String(look.size / 100) }),
    ...(Number(wide) !== 1 && { '--story-width': wide }),
    ...(look.line !== USUAL.line && { '--story-line': String(look.line) }),
    ...(look.gap !== USUAL.gap && { '--story-gap': String(look.gap) }),
  };
};

const NAMES = ['--story-font', '--story-size', '--story-width', '--story-line', '--story-gap'];
const SAMPLE = 'The fox went down to the river at night, and nobody but the moon was there to see it.';

/** How wide letters are, beside those of the style sheets' own font. */
const widthOf = (/** @type {string} */ fonts) => {
  const canvas = document.createElement('canvas').getContext('2d');
  const own = getComputedStyle(document.documentElement).getPropertyValue('--book-font');
  if (!canvas || !own) return 1;
  const wide = (/** @type {string} */ each) => {
    canvas.font = `100px ${each}`;
    return canvas.measureText(SAMPLE).width;
  };
  return wide(fonts) / wide(own) || 1;
};

/** Whether paragraphs have room between them, so that each is drawn for itself. */
let gaps = false;
export const hasGaps = () => gaps;

const apply = (/** @type {Look} */ look) => {
  const { style, dataset } = document.documentElement;
  const values = variables(look, widthOf);
  for (const name of NAMES) {
    if (values[name]) style.setProperty(name, values[name]);
    else style.removeProperty(name);
  }
  gaps = look.gap > 0;
  if (gaps) dataset.gaps = '';
  else delete dataset.gaps;
};

/** Where the browser keeps nothing it lasts as long as the page. @type {string | null} */
let spare = null;

const kept = () => {
  try {
    return window.localStorage.getItem(KEPT);
  } catch {
    return spare;
  }
};

export const lookNow = () => read(spare ?? kept());

/** The text looks so from now on. @param {Look} look */
export const setLook = (look) => {
  const own = changes(look);
  const value = Object.keys(own).length ? JSON.stringify(own) : null;
  try {
    if (value) window.localStorage.setItem(KEPT, value);
    else window.localStorage.removeItem(KEPT);
    spare = null;
  } catch {
    spare = value ?? '';
  }
  apply(look);
};

/** The text looks as the browser keeps it. */
export const keepLook = () => apply(lookNow());

/** Called when another window changed the look. @param {() => void} hear @returns {() => void} what ends it */
export const onLook = (hear) => {
  const changed = (/** @type {StorageEvent} */ { key }) => (key === KEPT || key === null) && hear();
  window.addEventListener('storage', changed);
  return () => window.removeEventListener('storage', changed);
};
