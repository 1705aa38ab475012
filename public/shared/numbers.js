// @ts-check
// Figures as a reader takes them in: never more digits than say something.

/** A probability: exact where it is small; a dash where it is not known. */
export const percent = (/** @type {number | null} */ p) => {
  if (p === null) return '–';
  if (p === 0) return '0%';
  if (p < 0.0001) return '<0.01%';
  return `${(100 * p).toFixed(p < 0.01 ? 2 : p < 0.0995 ? 1 : 0)}%`;
};

/** A share, to the whole percent. */
export const wholePercent = (/** @type {number} */ share) => `${Math.round(100 * share)}%`;

/** A whole number with its thousands apart. */
export const count = (/** @type {number} */ n) => Math.round(n).toLocaleString('en-US');

/** A number of parameters in three digits or so. */
export const inShort = (/** @type {number} */ n) => {
  if (n >= 999500) return `${Number((n / 1e6).toPrecision(3))} M`;
  return n >= 1000 ? `${Math.round(n / 1e3)} k` : String(n);
};

/** An entropy in nats in plain words. */
export const choices = (/** @type {number} */ nats) => {
  const many = Math.exp(nats);
  const about = many < 9.5 ? many.toFixed(1).replace(/\.0$/, '') : count(many);
  return `about ${about} equally likely ${about === '1' ? 'choice' : 'choices'} (${(nats / Math.LN2).toFixed(1)} bits)`;
};

/** Seconds in words; nothing for what is not known. */
export const duration = (/** @type {number | null | undefined} */ seconds) => {
  if (seconds === null || seconds === undefined) return '';
  if (seconds < 90) return `${Math.max(1, Math.round(seconds))} seconds`;
  return seconds < 5400 ? `${Math.round(seconds / 60)} minutes` : `${(seconds / 3600).toFixed(1)} hours`;
};

/** How often a text is read, in words. */
export const readings = (/** @type {number} */ passes) => {
  if (passes < 0.95) return `${wholePercent(passes)} of your text`;
  if (passes < 1.5) return 'your text once';
  return `your text ${passes < 9.5 ? Number(passes.toFixed(1)) : Math.round(passes)} times over`;
};
