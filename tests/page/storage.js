// @ts-check

/** A browser's storage, as far as it is used. @param {(size: number) => boolean} [takes] */
export const newStorage = (takes = () => true) => {
  /** @type {Map<string, string>} */
  const kept = new Map();
  return /** @type {any} */ ({
    kept,
    get length() {
      return kept.size;
    },
    key: (/** @type {number} */ at) => [...kept.keys()][at] ?? null,
    getItem: (/** @type {string} */ key) => kept.get(key) ?? null,
    removeItem: (/** @type {string} */ key) => kept.delete(key),
    setItem: (/** @type {string} */ key, /** @type {string} */ value) => {
      if (!takes(value.length)) throw Object.assign(new Error('full'), { name: 'QuotaExceededError' });
      kept.set(key, value);
    },
  });
};
