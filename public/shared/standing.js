// @ts-check
// Why is it gibberish? Where a model stands, as the page draws it.

/** @typedef {Page.Queries['standing']} Standing */

/** @returns {{asked: string, model: string | null, found?: Standing, error?: string}} */
export const newWhy = () => ({ asked: '', model: null });

/**
 * The rows of the scale, each with its share of the widest bar in percent: noise is the whole of it.
 *
 * @param {Standing['scale']} scale
 */
export const rows = (scale) => {
  const most = Math.max(...scale.map(({ bits }) => bits), 0);
  return scale.map((mark) => ({
    ...mark,
    shown: mark.bits.toFixed(2),
    width: most ? Math.round((1000 * mark.bits) / most) / 10 : 0,
  }));
};

/** What the button of an advice says; nothing where no panel does it. @param {Standing['advice']} advice */
export const goes = ({ panel }) => ({ train: 'Open “Train”', tune: 'Open “Tune”', '': '' })[panel];

/**
 * What a question depends on, so that it is asked anew where that has changed.
 *
 * @param {string | null | undefined} model
 * @param {Page.StoryState | null} state
 */
export const askedFor = (model, state) => JSON.stringify([model, state?.tuning, state?.models.map(({ key }) => key)]);
